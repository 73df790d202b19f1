/**
 * Signing in with an identity provider: OpenID Connect's authorization code with PKCE (S256), as a public client.
 *
 *     begin ─► the provider's own page ─► back here with `code` and `state` ─► finish: code for token ─► renew, before it ends
 *
 * The page's policy lets it ask the issuer's origin alone. The ID token comes straight from there by TLS, so its signature need not be
 * checked (OpenID Connect Core, 3.1.3.7); the gateway checks the access token's at each request.
 */

import { signal } from "@preact/signals";
import { ApiError, connect } from "bokit-client";
import { type Grant, keepAttempt, keepGrant, keepToken, ROOT, readGrant, readToken, takeAttempt } from "./device.ts";
import { followGrant, hasEnded, useToken } from "./session.ts";
import { loadSettings, settings } from "./settings.ts";
import type { Name } from "./texts.ts";

const TIMEOUT_MS = 10_000;
/** How long before its end a token is renewed; half its life, if that is less. */
const EARLY_MS = 60_000;

/** How long a tab that has renewed the token lets the others wait. */
const SETTLE_MS = 500;

interface Attempt {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly stays: boolean;
  readonly hash: string;
}

/** Why somebody was not signed in, as a text. */
export class SignInError extends Error {
  readonly text: Name;
  readonly values: { readonly [name: string]: string };

  constructor(text: Name, values: { readonly [name: string]: string } = {}) {
    super(text);
    this.text = text;
    this.values = values;
  }
}

/** Why the last attempt failed. */
export const failure = signal<SignInError | undefined>(undefined);

const issuer = () => settings.value.issuer ?? "";
const clientId = () => settings.value.client_id ?? "";
/** The provider's name, as a reader knows it. */
export const provider = (): string => parse(issuer())?.host ?? issuer();

/** Return an address in parts; undefined where it is none. */
function parse(url: string): URL | undefined {
  try {
    return new URL(url);
  } catch {
    return undefined;
  }
}

const withoutSlash = (url: unknown) => String(url).replace(/\/$/, "");
const isIssuer = (url: unknown) => withoutSlash(url) === withoutSlash(issuer());

function noAnswer(): never {
  throw new SignInError("signin.noAnswer", { provider: provider() });
}

interface Answer {
  readonly ok: boolean;
  readonly status: number;
  readonly found: { readonly [name: string]: any };
}

/** Ask the provider. Throws SignInError where it answers nothing of use, or is too busy. */
async function ask(url: string, body: URLSearchParams | null): Promise<Answer> {
  const options = { method: body ? "POST" : "GET", body, signal: AbortSignal.timeout(TIMEOUT_MS) };
  const response = await fetch(url, { ...options, credentials: "omit", redirect: "error" }).catch(noAnswer);
  const found = await response.json().catch(noAnswer);
  return found && typeof found === "object" && response.status < 500 && response.status !== 429
    ? { ok: response.ok, status: response.status, found }
    : noAnswer();
}

/** Return what the provider says of itself. */
async function discover(): Promise<Answer["found"]> {
  const { ok, found } = await ask(`${withoutSlash(issuer())}/.well-known/openid-configuration`, null);
  if (!ok || !isIssuer(found["issuer"])) noAnswer();
  const own = parse(issuer());
  const place = parse(found["token_endpoint"]);
  if (place?.origin !== own?.origin)
    throw new SignInError("signin.elsewhere", { provider: provider(), place: place?.host ?? "?" });
  // an address that is opened, so that no other kind of one can do anything
  if (parse(found["authorization_endpoint"])?.protocol !== own?.protocol) noAnswer();
  return found;
}

/** Return *bytes* as base64url, without padding. */
const encode = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes)).replace(/[+/=]/g, (letter) => ({ "+": "-", "/": "_" })[letter] ?? "");
const random = () => encode(crypto.getRandomValues(new Uint8Array(32)));

/** Return what a JWT says; nothing where it is none. */
function readClaims(token: unknown): { readonly [name: string]: any } {
  try {
    const [, part = ""] = String(token).split(".");
    return JSON.parse(atob(part.replace(/[-_]/g, (letter) => (letter === "-" ? "+" : "/")))) ?? {};
  } catch {
    return {};
  }
}

/** Leave for the provider's page. Throws SignInError. */
export async function begin(stays: boolean): Promise<void> {
  const { authorization_endpoint, scopes_supported } = await discover();
  const attempt: Attempt = { state: random(), nonce: random(), verifier: random(), stays, hash: location.hash };
  keepAttempt(JSON.stringify(attempt));
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(attempt.verifier));
  const url = new URL(authorization_endpoint);
  const fields = {
    response_type: "code",
    client_id: clientId(),
    redirect_uri: ROOT,
    // who does not know the scope of a refresh token may refuse it
    scope: [scopes_supported].flat().includes("offline_access") ? "openid offline_access" : "openid",
    state: attempt.state,
    nonce: attempt.nonce,
    code_challenge: encode(new Uint8Array(hash)),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(fields)) url.searchParams.set(name, value);
  location.assign(url);
}

/** Return the token that the provider's answer is worth; what was kept before, or none, where it is worth nothing. */
export async function finish(answer: URLSearchParams, kept: string | null): Promise<string | null> {
  try {
    return await exchange(answer, JSON.parse(takeAttempt() ?? "null"));
  } catch (error) {
    failure.value = error instanceof SignInError ? error : new SignInError("signin.wrong");
    // who is signed in stays so, whatever link was opened
    return failure.value.text === "signin.wrong" ? kept : null;
  }
}

async function exchange(answer: URLSearchParams, attempt: Attempt | null): Promise<string> {
  if (!attempt || answer.get("state") !== attempt.state || !isIssuer(answer.get("iss") ?? issuer()))
    throw new SignInError("signin.wrong");
  history.replaceState(null, "", ROOT + attempt.hash);
  const refused = answer.get("error");
  if (refused) throw refused === "access_denied" ? new SignInError("signin.denied") : refuse(refused);
  const found = await askToken({
    grant_type: "authorization_code",
    code: answer.get("code") ?? "",
    redirect_uri: ROOT,
    code_verifier: attempt.verifier,
  });
  const { iss, aud, nonce, sub } = readClaims(found["id_token"]);
  if (!isIssuer(iss) || ![aud].flat().includes(clientId()) || nonce !== attempt.nonce || !sub)
    throw new SignInError("signin.wrong");
  const token: string = found["access_token"];
  await tryToken(token);
  keepToken(token, attempt.stays);
  keepGrant(token, readGrantOf(found, { account: encodeURIComponent(sub) }));
  return token;
}

/** Ask the API whether it takes the token: its audience, tenant and role are the provider's to set. */
async function tryToken(token: string): Promise<void> {
  const { request, close } = connect({ url: ROOT, token, lists: [] });
  try {
    await request("GET", "/tokens/current");
  } catch (error) {
    if (error instanceof ApiError && [401, 403].includes(error.status))
      throw new SignInError("signin.unfit", { provider: provider() });
  } finally {
    close();
  }
}

const refuse = (why: unknown) => new SignInError("signin.refused", { provider: provider(), why: String(why).slice(0, 80) });

/** Ask for tokens. Throws SignInError. */
async function askToken(fields: { readonly [name: string]: string }): Promise<Answer["found"]> {
  const { token_endpoint } = await discover();
  const { ok, status, found } = await ask(token_endpoint, new URLSearchParams({ client_id: clientId(), ...fields }));
  if (ok && typeof found["access_token"] === "string") return found;
  throw found["error"] === "invalid_grant" ? new SignInError("signin.expired") : refuse(found["error"] ?? status);
}

function readGrantOf(found: Answer["found"], { account, refresh }: { account: string; refresh?: string | undefined }): Grant {
  const { exp, iat } = readClaims(found["access_token"]);
  const life = 1000 * (Number(found["expires_in"]) || exp - iat || 3600);
  const ends = Date.now() + life;
  const next: string | undefined = found["refresh_token"] ?? refresh;
  return { account, ends, due: next ? ends - Math.min(EARLY_MS, life / 2) : ends, refresh: next };
}

/** What one tab keeps, another may see a moment later: browsers promise no more. */
const settle = () => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));

/** Return a new token; none where the provider gives no more. Throws SignInError where it gave no answer. */
async function askAgain(token: string, grant: Grant): Promise<string | undefined> {
  if (!settings.value.issuer) await loadSettings();
  if (!settings.value.issuer) noAnswer();
  try {
    const found = await askToken({ grant_type: "refresh_token", refresh_token: grant.refresh ?? "" });
    // another tab may have signed out meanwhile: then nothing is kept
    if (readToken() === token) keepGrant(found["access_token"], readGrantOf(found, grant));
    return found["access_token"];
  } catch (error) {
    if ((error as SignInError).text === "signin.noAnswer") throw error;
    return undefined;
  }
}

/**
 * Renew the token, or take the one that another tab has renewed: a refresh token may work but once. Throws SignInError where the
 * provider gave no answer: it is worth another try.
 */
export function renew(token: string): Promise<void> {
  return navigator.locks.request(`${ROOT} renew`, async () => {
    const [grant, kept] = [readGrant(), readToken()];
    if (!grant?.refresh || !kept) {
      hasEnded.value = true;
      return;
    }
    const isMine = kept === token;
    const next = isMine ? await askAgain(kept, grant) : kept;
    if (next) useToken(next);
    hasEnded.value = !next;
    followGrant();
    if (isMine) await settle();
  });
}
