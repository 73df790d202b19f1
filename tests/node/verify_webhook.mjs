// Verifies messages from standard input, [{secret, headers, body}], with standardwebhooks, and prints which were accepted.
import { Webhook } from "standardwebhooks";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const accepted = JSON.parse(Buffer.concat(chunks).toString("utf8")).map(({ secret, headers, body }) => {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
});
process.stdout.write(JSON.stringify(accepted));
