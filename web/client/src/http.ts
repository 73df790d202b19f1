/** Requests to the API: JSON in and out, and one kind of error. */

import { parseJson, writeJson } from "./json.ts";

/** A request that failed: the API's problem document, or no answer at all (status 0, code "network"). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  /** The problem document (RFC 9457), where the API sent one. */
  readonly problem: { readonly [name: string]: any };

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
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(base + path, { method, headers, signal, body: writeJson(body) ?? null }).catch(fail);
    const document = readDocument(await response.text().catch(fail));
    if (response.ok) return document;
    throw new ApiError(response.status, document);
  };
}

function fail(error: unknown): never {
  throw new ApiError(0, { code: "network", detail: String(error) });
}

/** Return the document; undefined where there is none (an empty answer, a proxy's error page). */
function readDocument(text: string): any {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
