// Builds the example and serves it on loopback, with Bokit's API under /api: node examples/react/serve.mjs [PORT]

import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const { build } = createRequire(path("../../web/package.json"))("esbuild");

/** Return the page, its script and its style: by path, the type and the text. */
async function buildFiles() {
  const { outputFiles } = await build({
    entryPoints: [path("src/main.tsx"), path("src/style.css")],
    // this folder has no packages of its own; those of web/ are used
    nodePaths: [path("../../web/node_modules")],
    outdir: "/",
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
    write: false,
  });
  const [script, style] = [".js", ".css"].map((end) => outputFiles.find((file) => file.path.endsWith(end)).text);
  return {
    "/": ["text/html", readFileSync(path("index.html"), "utf8")],
    "/main.js": ["text/javascript", script],
    "/style.css": ["text/css", style],
  };
}

/** Hand a request on to the API, with the token that the page sent. */
async function forward(request, api) {
  const { method, headers, url } = request;
  const names = ["authorization", "content-type"].filter((name) => headers[name]);
  const body = ["GET", "HEAD"].includes(method) ? undefined : Buffer.concat(await Array.fromAsync(request));
  const sent = Object.fromEntries(names.map((name) => [name, headers[name]]));
  const answer = await fetch(api.replace(/\/+$/, "") + url.slice("/api".length), { method, headers: sent, body });
  return [answer.status, answer.headers.get("content-type") ?? "application/json", Buffer.from(await answer.arrayBuffer())];
}

/** Serve the example; returns the server, which listens. *socket*: where the API's WebSocket is, `ws://host`. */
export async function serve({ api, socket, port = 0 }) {
  const files = await buildFiles();
  const policy =
    `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ${socket}; base-uri 'none'; ` +
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
  const answer = async (request) => {
    if (request.url.startsWith("/api/")) return forward(request, api);
    const [type, text] = files[request.url.split("?")[0]] ?? [];
    return text === undefined ? [404, "text/plain", "no such page"] : [200, `${type}; charset=utf-8`, text];
  };
  const server = createServer(async (request, response) => {
    const failed = [502, "application/json", '{"code": "unreachable", "detail": "the API does not answer"}'];
    const [status, type, body] = await answer(request).catch(() => failed);
    const headers = { "content-type": type, "content-security-policy": policy, "x-content-type-options": "nosniff" };
    response.writeHead(status, headers).end(status === 204 ? undefined : body);
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return server;
}

async function main() {
  const place = path("../../.bokit/local.json");
  if (!existsSync(place)) throw new Error("no local stack: run `make demo`");
  const { api_url: api, ws_url: ws, token } = JSON.parse(readFileSync(place, "utf8"));
  const socket = ws ? new URL(ws).origin : "";
  const server = await serve({ api, socket, port: Number(process.argv[2] ?? 8787) });
  console.log(`http://127.0.0.1:${server.address().port}/#token=${token}`);
}

if (process.argv[1] === path("serve.mjs"))
  main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
