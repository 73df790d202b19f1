// Reads a calendar from standard input with node-ical and prints its events as JSON.
import ical from "node-ical";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const read = ical.sync.parseICS(Buffer.concat(chunks).toString("utf8"));
const day = (date) => `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;
const events = Object.values(read)
  .filter((item) => item.type === "VEVENT")
  .map((item) => ({ uid: item.uid, summary: item.summary ?? "", description: item.description ?? "", first: day(item.start), end: day(item.end) }));
process.stdout.write(JSON.stringify(events));
