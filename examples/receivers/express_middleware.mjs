// Saves what your pages send into Bokit's collections, with Express: validate, merge, notify. Put your own login in front of it.
import express from "express";

const { BOKIT_URL, BOKIT_TOKEN, PORT = 8000 } = process.env; // a token of the role operator; it stays on this server
const PRESERVE = { settings: ["createdBy"], team: ["joinDate", "employeeId"] }; // the collections that pages may write
const pages = new Set();
const app = express();

// Refuses what has not the form; the fields themselves are validated by Bokit, against the collection's schema.
function validate({ params: { name, record }, body }, response, next) {
  if (!Object.hasOwn(PRESERVE, name) || !/^[\w-]{1,100}$/.test(record)) return response.sendStatus(404);
  const { data, preserveFields = [] } = body ?? {};
  const isObject = typeof data === "object" && data !== null && !Array.isArray(data);
  if (!isObject || !Array.isArray(preserveFields)) return response.sendStatus(422);
  next();
}

// Merges data into the record: fields that it does not name stay, and so do those to preserve.
async function merge({ params: { name, record }, body: { data, preserveFields = [] } }, response, next) {
  const query = new URLSearchParams({ preserve: [...PRESERVE[name], ...preserveFields].join(",") });
  const headers = { Authorization: `Bearer ${BOKIT_TOKEN}`, "Content-Type": "application/json" };
  const request = { method: "PUT", headers, body: JSON.stringify(data), signal: AbortSignal.timeout(30000) };
  const answer = await fetch(`${BOKIT_URL}/collections/${name}/records/${record}?${query}`, request);
  const result = await answer.json();
  response.status(answer.status).json(result); // as Bokit answers
  if (answer.ok && result.changed) next();
}

// Shows every open page what changed; it reads that record again.
function notify({ params: { name, record }, body: { notifyFrontend = true } }) {
  const line = `data: ${JSON.stringify({ collection: name, id: record })}\n\n`;
  if (notifyFrontend) for (const page of pages) page.write(line);
}

app.post("/sync/:name/:record", express.json(), validate, merge, notify);

// Sends the changes from now on, as a page's EventSource reads them.
app.get("/changes", (request, response) => {
  response.type("text/event-stream").write(": open\n\n");
  pages.add(response);
  response.on("close", () => pages.delete(response));
});

const server = app.listen(PORT, "127.0.0.1", () => console.log("listening", server.address().port));
