// Serves the example on loopback under a strict Content Security Policy: node examples/website/serve.mjs ADDRESS [PORT]
// ADDRESS is that of a calendar's taken nights, …/feeds/TOKEN.json: `bokit export UNIT --anonymous` prints it.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Serve the example; returns the server, which listens. *calendar*: the address of the taken nights. */
export async function serve({ calendar, port = 0 }) {
  const escaped = calendar.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  const files = {
    "/": ["text/html", readFileSync(path("index.html"), "utf8").replace("CALENDAR", () => escaped)],
    "/style.css": ["text/css", readFileSync(path("style.css"), "utf8")],
    "/availability.js": ["text/javascript", readFileSync(path("../../web/client/dist/availability.js"), "utf8")],
  };
  const { origin } = new URL(calendar);
  const policy = `default-src 'self'; script-src 'self'; style-src 'self'; connect-src ${origin}; require-trusted-types-for 'script'`;
  const server = createServer((request, response) => {
    const [type, text] = files[request.url.split("?")[0]] ?? [];
    const headers = { "content-type": `${type ?? "text/plain"}; charset=utf-8`, "content-security-policy": policy };
    response.writeHead(text === undefined ? 404 : 200, headers).end(text ?? "no such page");
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return server;
}

async function main() {
  const [calendar, port = "8788"] = process.argv.slice(2);
  if (!/^https?:\/\/.+\.json$/.test(calendar ?? ""))
    throw new Error("give the address of taken nights, …/feeds/TOKEN.json; `bokit export UNIT --anonymous` prints it");
  const server = await serve({ calendar, port: Number(port) });
  console.log(`http://127.0.0.1:${server.address().port}/`);
}

if (process.argv[1] === path("serve.mjs"))
  main().catch((error) => {
    console.error(error.message);
    process.exitCode = 2;
  });
