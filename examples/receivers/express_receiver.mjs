// Receives Bokit's webhooks with Express: verifies the signature, and takes each event once.
import express from "express";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.WEBHOOK_SECRET); // whsec_…
const known = new Set(); // in a table with a unique id, where it should outlive the process
const app = express();

app.post("/bokit", express.raw({ type: "application/json" }), (request, response) => {
  let event;
  try {
    event = webhook.verify(request.body, request.headers); // the bytes as they came, not parsed and written again
  } catch {
    return response.status(401).send("not signed by Bokit");
  }
  response.status(204).end();
  if (known.has(event.id)) return; // it came before: attempts are repeated, ids are not
  known.add(event.id);
  console.log(event.seq, event.type, event.data); // your own work
});

const server = app.listen(process.env.PORT ?? 8000, "127.0.0.1", () => console.log("listening", server.address().port));
