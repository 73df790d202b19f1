/** Requests to the API: JSON in and out, and one kind of error. */

import { parseJson, writeJson } from "./json.ts";

/** A request that failed: the API's problem document, or no answer at all (status 0, code "network"). */
export class ApiError extends Error {
  declare readonly status: number;
  declare readonly code: string;
  /** The problem document (RFC 9457), where the API sent one. */
  declare readonly problem: { readonly [name: string]: any };

  constructor(status: number, problem: { readonly [name: string]: any } = {}) {
    super(problem["detail"] ?? problem["message"] ?? `HTTP ${status}`);
    this.status = status;
    this.code = problem["code"] ?? `http-${status}`;
    this.problem = problem;
  }

  /** Whether the same request may succeed later: no answer, a busy server, or a token that another one replaces. */
  get isTemporary(): boolean {
    return this.status >= 500 || [0, 401, 429].includes(this.status) || this.code === "http-403";
  }
}

export type Request = (method: string, path: string, body?: unknown) => Promise<any>;

const TIMEOUT_MS = 30_000;

/** Return a function that asks the API at *url* with *token*; it throws ApiError. */
export function makeRequest(url: string, token: string): Request {
  const base = url.replace(/\/+$/, "");
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  return async (method, path, body) => {
    const sent = { method, headers, signal: AbortSignal.timeout(TIMEOUT_MS), body: writeJson(body) ?? null };
    const response = await fetch(base + path, sent).catch(fail);
    const text = await response.text().catch(fail);
    let document: any;
    try {
      document = parseJson(text);
    } catch {
      // there is none: an empty answer, a proxy's error page
    }
    if (response.ok) return document;
    throw new ApiError(response.status, document);
  };
}

function fail(error: unknown): never {
  throw new ApiError(0, { code: "network", detail: String(error) });
}
