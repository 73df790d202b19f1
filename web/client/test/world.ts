/**
 * The real API and its WebSocket on loopback, behind a gateway that loses, doubles, delays and cuts.
 *
 *     client ─► gateway ─► HTTP, and each event of a socket: tests/support/api_server.py
 *            ◄─ what the function posts to a socket
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { request as ask, createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type WebSocket, WebSocketServer } from "ws";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const COMMAND = process.env["BOKIT_API_SERVER"] ?? `${ROOT}.venv/bin/python -m tests.support.api_server`;
const PUSH_MS = 5;
/** Where the API believes that its WebSocket is. */
const SOCKET = "wss://live.example/live";

/** Timing in which a test need not wait. */
export const FAST = { pollMs: 40, pingMs: 60, pongMs: 500, gapMs: 30, retryMs: 20, maxRetryMs: 200 };

export type Role = "admin" | "operator" | "viewer" | "other";

/** What happens to messages of the socket; each a chance of 0 to 1. */
export interface Faults {
  drop: number;
  double: number;
  /** Late by up to `lateMs`, and so out of order. */
  late: number;
  lateMs: number;
  /** The socket is cut instead. */
  cut: number;
  /** A request gets no answer, before or after the API has worked on it. */
  fail: number;
}

export const NO_FAULTS: Faults = { drop: 0, double: 0, late: 0, lateMs: 0, cut: 0, fail: 0 };

export class World {
  readonly tokens: Record<Role, string>;
  faults: Faults = NO_FAULTS;
  /** Whether the stack has a WebSocket; whether anything answers at all. */
  hasSockets = true;
  isUp = true;
  /** How many tickets were made, and messages sent. */
  readonly counts = { tickets: 0, sent: 0, requests: 0 };
  /** Pages and scripts that the gateway serves itself. */
  readonly files = new Map<string, { type: string; text: string | Buffer; headers?: Record<string, string> }>();
  random = Math.random;
  /** How a path ends that the API cannot answer now. */
  broken = "";
  /** A type of message that is never sent. */
  unsent = "";
  /** How much later requests are answered, and what was asked. */
  delayMs = 0;
  readonly paths: string[] = [];
  /** Tokens of an identity provider, and the API's own that each stands for; none: it has ended. */
  readonly passes = new Map<string, string>();
  private readonly api: ChildProcess;
  /** Where the API itself listens, with the headers that it sends. */
  readonly apiPort: number;
  private readonly server: Server;
  private readonly sockets = new WebSocketServer({ noServer: true });
  private readonly opened = new Map<string, Connection>();
  private isStopped = false;

  private constructor(api: ChildProcess, { url, tokens }: { url: string; tokens: Record<Role, string> }) {
    this.api = api;
    this.apiPort = Number(new URL(url).port);
    this.tokens = tokens;
    this.server = createServer((request, response) => void this.answer(request, response).catch(() => request.socket.destroy()));
    this.server.on("upgrade", (request, socket, head) => {
      const ticket = new URL(request.url ?? "", "http://x").searchParams.get("ticket");
      const open = async () => {
        const { id } = this.isUp ? await this.ask("POST", "/_test/connect", { ticket }) : { id: null };
        if (!id) return void socket.destroy();
        this.sockets.handleUpgrade(request, socket, head, (opened) => this.opened.set(id, new Connection(this, opened, id)));
      };
      void open().catch(() => socket.destroy());
    });
  }

  static async start(): Promise<World> {
    const [command = "", ...args] = COMMAND.split(" ");
    const api = spawn(command, args, { cwd: ROOT, stdio: ["pipe", "pipe", process.env["BOKIT_API_LOG"] ? "inherit" : "ignore"] });
    const lines = createInterface({ input: api.stdout as NodeJS.ReadableStream });
    const [line] = (await Promise.race([once(lines, "line"), once(api, "exit").then(() => ["null"])])) as [string];
    if (line === "null") throw new Error(`the API did not start: ${COMMAND}`);
    const world = new World(api, JSON.parse(line));
    world.server.listen(0, "127.0.0.1");
    await once(world.server, "listening");
    void world.push();
    return world;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.cutSockets();
    this.server.closeAllConnections();
    this.server.close();
    this.api.stdin?.end();
    this.api.kill();
    await once(this.api, "exit");
  }

  /** Ask the API itself, around the gateway. */
  async ask(method: string, path: string, body?: unknown, token = this.tokens.admin): Promise<any> {
    const text = await this.send(method, path, body === undefined ? "" : JSON.stringify(body), token);
    return text ? JSON.parse(text) : null;
  }

  /** Ask with JSON as text, and return it as text. */
  async send(method: string, path: string, body = "", token = this.tokens.admin): Promise<string> {
    const { status, text } = await this.forward(method, path, { authorization: `Bearer ${token}` }, body);
    if (status >= 400) throw Object.assign(new Error(`${method} ${path}: ${status} ${text}`), { status });
    return text;
  }

  cutSockets(): void {
    for (const connection of this.opened.values()) connection.cut();
  }

  /** A socket is closed: the function hears of it. */
  forget(id: string): void {
    if (this.opened.delete(id)) void this.ask("POST", "/_test/disconnect", { id }).catch(() => {});
  }

  private forward(
    method: string,
    path: string,
    headers: Record<string, string>,
    body: string,
  ): Promise<{ status: number; text: string; type: string }> {
    return new Promise((resolve, reject) => {
      const sent = { ...headers, "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) };
      const request = ask({ host: "127.0.0.1", port: this.apiPort, method, path, headers: sent }, (response) => {
        const { statusCode = 0, headers: received } = response;
        readText(response).then((text) => resolve({ status: statusCode, text, type: received["content-type"] ?? "" }), reject);
      });
      request.on("error", reject);
      request.end(body);
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.counts.requests++;
    const isLost = this.random() < this.faults.fail;
    if (!this.isUp || (isLost && this.random() < 0.5)) return void request.socket.destroy();
    // the API of a local cloud lies under a path; so may the page
    const path = (request.url ?? "").replace(/^\/stage(?=\/)/, "");
    const file = this.files.get(path.split("?")[0] ?? "");
    if (file)
      return void response.writeHead(200, { "content-type": `${file.type}; charset=utf-8`, ...file.headers }).end(file.text);
    const body = await readText(request);
    const given = request.headers.authorization ?? "";
    const pass = this.passes.get(given.replace("Bearer ", ""));
    if (pass === "") return void response.writeHead(401).end('{"message": "Unauthorized"}');
    const authorization = pass ? `Bearer ${pass}` : given;
    if (this.broken && path.endsWith(this.broken)) return void response.writeHead(503).end();
    const isTicket = path === "/sync/ticket";
    this.paths.push(path);
    const hasNone = isTicket && !this.hasSockets;
    const answer = hasNone
      ? { status: 404, text: '{"code": "not-found"}', type: "" }
      : await this.forward(request.method ?? "", path, { authorization }, body);
    if (this.delayMs) await new Promise((resolve) => setTimeout(resolve, this.delayMs));
    if (isLost) return void request.socket.destroy();
    if (isTicket && answer.status === 200) this.counts.tickets++;
    const text = answer.text.replace(SOCKET, `${this.url.replace("http", "ws")}/live`);
    response.writeHead(answer.status, { "content-type": answer.type || "application/json" }).end(text);
  }

  /** Carry what the function posts, and close what it closes. */
  private async push(): Promise<void> {
    try {
      const { posted, closed } = await this.ask("POST", "/_test/posted", {});
      for (const [id, messages] of Object.entries<Message[]>(posted))
        for (const message of messages) this.opened.get(id)?.send(message);
      for (const id of closed) this.opened.get(id)?.cut();
    } catch (error) {
      if (!this.isStopped) throw error;
    }
    if (!this.isStopped) setTimeout(() => void this.push(), PUSH_MS);
  }
}

interface Message {
  readonly type: string;
}

class Connection {
  private readonly world: World;
  private readonly socket: WebSocket;
  private readonly id: string;

  constructor(world: World, socket: WebSocket, id: string) {
    this.world = world;
    this.socket = socket;
    this.id = id;
    socket.on("message", (data) => void world.ask("POST", "/_test/message", { id, text: String(data) }).catch(() => this.cut()));
    socket.on("close", () => world.forget(id));
  }

  cut(): void {
    this.world.forget(this.id);
    this.socket.terminate();
  }

  /** Send a message, or what the faults make of it. */
  send(message: Message): void {
    const { faults, random, counts } = this.world;
    counts.sent++;
    if (random() < faults.cut) return this.cut();
    if (random() < faults.drop || message.type === this.world.unsent) return;
    const times = random() < faults.double ? 2 : 1;
    for (let time = 0; time < times; time++) {
      const post = () => this.socket.send(JSON.stringify(message));
      if (random() < faults.late) setTimeout(post, random() * faults.lateMs);
      else post();
    }
  }
}

async function readText(message: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of message.setEncoding("utf8")) text += part;
  return text;
}

/** Return numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Wait until *check* returns something, and return it; a busy machine takes its time. */
export async function until<T>(check: () => T | Promise<T>, what = "it", ms = 90_000): Promise<NonNullable<T>> {
  const end = Date.now() + ms;
  for (;;) {
    const found = await check();
    if (found) return found as NonNullable<T>;
    if (Date.now() > end) throw new Error(`${what} did not come about within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export type Item = { readonly [name: string]: any };

/** Return the items of a list of the API as a load from scratch has them, in order. */
export async function loadAll(world: World, path: string): Promise<Item[]> {
  const found: Item[] = [];
  for (let cursor = ""; ; ) {
    const start = path.includes("?") ? "&" : "?";
    const page = await world.ask("GET", `${path}${start}limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    found.push(...(page.items ?? page.sources));
    if (!(cursor = page.cursor)) return inOrder(found);
  }
}

/** Return *items* in an order that does not depend on how they came. */
export function inOrder(items: Iterable<Item>): Item[] {
  return [...items].sort((one, other) =>
    String(one["id"] ?? one["source_id"]) < String(other["id"] ?? other["source_id"]) ? -1 : 1,
  );
}
