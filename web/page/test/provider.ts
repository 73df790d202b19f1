/** A small identity provider on loopback: it holds the page to what OpenID Connect and PKCE ask of a public client. */

import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { World } from "../../client/test/world.ts";

export const CLIENT = "bokit page";

/** What is not as it should be; none: all is well. */
export interface Faults {
  /** What the provider's page sends back instead. */
  answer?: Record<string, string>;
  /** What the ID token says instead. */
  claims?: Record<string, unknown>;
  /** What the discovery document says instead. */
  document?: Record<string, unknown>;
  /** What the token endpoint answers instead. */
  refusal?: { status: number; text: string };
  isDown?: boolean;
  /** The API does not take the token. */
  isUnfit?: boolean;
}

const encode = (document: unknown) => Buffer.from(JSON.stringify(document)).toString("base64url");
const sign = (claims: unknown) => `${encode({ alg: "none" })}.${encode(claims)}.`;

export class Provider {
  faults: Faults = {};
  lifeS = 3600;
  givesRefresh = true;
  /** Whether its page waits for a click. */
  asks = false;
  /** Each exchange that it agreed to: the kind, and the token. */
  readonly grants: string[] = [];
  /** What the page did wrong. */
  readonly complaints: string[] = [];
  readonly world: World;
  private readonly server: Server;
  private readonly codes = new Map<string, URLSearchParams>();
  private readonly refreshes = new Set<string>();

  private constructor(world: World) {
    this.world = world;
    this.server = createServer(
      (request, response) =>
        void this.answer(request, response).catch((error) => {
          this.complaints.push(String(error));
          response.writeHead(400).end(String(error));
        }),
    );
  }

  static async start(world: World): Promise<Provider> {
    const provider = new Provider(world);
    provider.server.listen(0, "127.0.0.1");
    await once(provider.server, "listening");
    return provider;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get issuer(): string {
    return `${this.origin}/realm`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  reset(): void {
    Object.assign(this, { faults: {}, lifeS: 3600, givesRefresh: true, asks: false });
    this.grants.length = 0;
  }

  /** The gateway takes no token any more that was given until now. */
  endTokens(): void {
    for (const token of this.world.passes.keys()) this.world.passes.set(token, "");
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "", this.origin);
    const headers = { "access-control-allow-origin": new URL(this.world.url).origin, "content-type": "application/json" };
    if (this.faults.isDown) return void request.socket.destroy();
    if (url.pathname === "/realm/.well-known/openid-configuration") {
      const document = {
        issuer: this.issuer,
        authorization_endpoint: `${this.origin}/authorize?theme=plain`,
        token_endpoint: `${this.origin}/token`,
        scopes_supported: ["openid", "offline_access"],
        ...this.faults.document,
      };
      return void response.writeHead(200, headers).end(JSON.stringify(document));
    }
    if (url.pathname === "/authorize") return this.authorize(url.searchParams, response);
    if (url.pathname === "/token") {
      let body = "";
      for await (const part of request.setEncoding("utf8")) body += part;
      assert.match(request.headers["content-type"] ?? "", /^application\/x-www-form-urlencoded/);
      assert.equal(request.headers.authorization, undefined);
      const { status, text } = this.faults.refusal ?? this.exchange(new URLSearchParams(body));
      return void response.writeHead(status, headers).end(text);
    }
    response.writeHead(404).end();
  }

  private authorize(asked: URLSearchParams, response: ServerResponse): void {
    assert.equal(asked.get("theme"), "plain");
    assert.equal(asked.get("response_type"), "code");
    assert.equal(asked.get("client_id"), CLIENT);
    assert.equal(asked.get("redirect_uri"), `${this.world.url}/`);
    assert.equal(asked.get("scope"), "openid offline_access");
    assert.equal(asked.get("code_challenge_method"), "S256");
    assert.match(asked.get("code_challenge") ?? "", /^[\w-]{43}$/);
    for (const name of ["state", "nonce"]) assert.match(asked.get(name) ?? "", /^[\w-]{43}$/);
    const code = randomUUID();
    this.codes.set(code, asked);
    const back = new URL(asked.get("redirect_uri") ?? "");
    const answer = { code, state: asked.get("state") ?? "", iss: this.issuer, ...this.faults.answer };
    for (const [name, value] of Object.entries(answer)) back.searchParams.set(name, value);
    if (!this.asks) return void response.writeHead(302, { location: back.href }).end();
    response.writeHead(200, { "content-type": "text/html" }).end(`<a href="${back.href.replaceAll("&", "&amp;")}">It is me</a>`);
  }

  private exchange(given: URLSearchParams): { status: number; text: string } {
    const refuse = { status: 400, text: '{"error": "invalid_grant", "error_description": "no"}' };
    assert.equal(given.get("client_id"), CLIENT);
    const kind = given.get("grant_type") ?? "";
    let nonce: string | null = null;
    if (kind === "authorization_code") {
      const code = given.get("code") ?? "";
      const asked = this.codes.get(code);
      this.codes.delete(code);
      if (!asked) return refuse;
      const challenge = createHash("sha256")
        .update(given.get("code_verifier") ?? "")
        .digest("base64url");
      assert.equal(challenge, asked.get("code_challenge"));
      assert.equal(given.get("redirect_uri"), asked.get("redirect_uri"));
      nonce = asked.get("nonce");
    } else {
      assert.equal(kind, "refresh_token");
      // each works once
      if (!this.refreshes.delete(given.get("refresh_token") ?? "")) return refuse;
    }
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: this.issuer,
      aud: CLIENT,
      sub: "rosa/1",
      nonce,
      iat: now,
      exp: now + this.lifeS,
      ...this.faults.claims,
    };
    const access = sign({ sub: "rosa/1", jti: randomUUID() });
    const refresh = this.givesRefresh ? randomUUID() : undefined;
    if (refresh) this.refreshes.add(refresh);
    if (!this.faults.isUnfit) this.world.passes.set(access, this.world.tokens.operator);
    this.grants.push(`${kind} ${access}`);
    return {
      status: 200,
      text: JSON.stringify({
        access_token: access,
        token_type: "Bearer",
        expires_in: this.lifeS,
        refresh_token: refresh,
        id_token: kind === "authorization_code" ? sign(claims) : undefined,
      }),
    };
  }
}
