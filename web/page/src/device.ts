/**
 * What this device keeps: the token, the chosen language, and the last lists, to show while offline.
 *
 *     token, grant, lists   sessionStorage: until the tab is closed; localStorage where the reader wants to stay signed in
 *     attempt               sessionStorage, while the identity provider asks who it is
 *     language              localStorage
 *
 * Names begin with where the page lies: one origin may have several stacks, each under a path of its own.
 */

import type { CurrentToken, Lists } from "bokit-client";

/** Where the page and the API lie, with a slash at the end. */
export const ROOT = new URL("..", import.meta.url).href;

const name = (what: string) => `bokit:${what}:${ROOT}`;
const [TOKEN, LANGUAGE, LISTS, GRANT, ATTEMPT] = ["token", "language", "lists", "grant", "attempt"].map(name) as [
  string,
  string,
  string,
  string,
  string,
];
/** More text than this is not kept: browsers have room for about twice as much. */
const MAX_LISTS = 2_500_000;

/** What there was when the API was last heard of. */
export interface Snapshot {
  readonly at: number;
  readonly me: CurrentToken | undefined;
  readonly lists: Lists;
}

/** What an identity provider granted with the token. */
export interface Grant {
  /** The token's subject. */
  readonly account: string;
  /** When the token ends, and when it is renewed before that; milliseconds since 1970. */
  readonly ends: number;
  readonly due: number;
  /** The refresh token, where the provider gives one. */
  readonly refresh: string | undefined;
}

/** Call *use*; a browser that keeps nothing (it throws) is one where nothing was kept. */
function attempt<T>(use: () => T): T | undefined {
  try {
    return use();
  } catch {
    return undefined;
  }
}

/** The token of this tab is stronger than the one of the device. */
const place = () => (sessionStorage.getItem(TOKEN) ? sessionStorage : localStorage);

/** Whether the reader stays signed in on this device. */
export const isKept = (): boolean => !!attempt(() => place() === localStorage && localStorage.getItem(TOKEN));

/** Return the token in a text: itself, or a link that ends with it. */
export const tokenIn = (text: string): string => (/token=([^&\s]+)/.exec(text)?.[1] ?? text).replace(/^bearer\s/i, "").trim();

/** Return the token: of the address, where it would be shown and shared, or the one that is kept. */
export function readToken(): string | null {
  const kept = attempt(() => place().getItem(TOKEN)) ?? null;
  if (!location.hash.includes("token=")) return kept;
  const given = tokenIn(location.hash);
  history.replaceState(null, "", location.pathname + location.search);
  if (given !== kept) keepToken(given, false);
  return given;
}

/** Keep a token until the tab is closed, or on this device; with the lists that belong to it. */
export function keepToken(token: string, stays: boolean): void {
  attempt(() => {
    const kept = [LISTS, GRANT].map((key) => [key, place().getItem(TOKEN) === token && place().getItem(key)] as const);
    // a link for one tab leaves the device's own token alone
    if (stays || localStorage.getItem(TOKEN) === token) forget();
    for (const [key] of kept) sessionStorage.removeItem(key);
    const storage = stays ? localStorage : sessionStorage;
    storage.setItem(TOKEN, token);
    for (const [key, text] of kept) if (text) storage.setItem(key, text);
  });
}

/** Keep what was granted with a token, where the last one is kept; with the lists, which stay the same account's. */
export function keepGrant(token: string, grant: Grant): void {
  attempt(() => {
    const storage = place();
    storage.setItem(TOKEN, token);
    storage.setItem(GRANT, JSON.stringify(grant));
  });
}

export const readGrant = (): Grant | undefined => attempt(() => JSON.parse(place().getItem(GRANT) ?? "null") ?? undefined);

/** Keep a text until the identity provider sends the reader back to this tab. */
export const keepAttempt = (text: string): void => void attempt(() => sessionStorage.setItem(ATTEMPT, text));

/** Return that text; once. */
export function takeAttempt(): string | undefined {
  return attempt(() => {
    const kept = sessionStorage.getItem(ATTEMPT) ?? undefined;
    sessionStorage.removeItem(ATTEMPT);
    return kept;
  });
}

/** Return what an identity provider answered in the address, which forgets it at once. */
export function takeAnswer(): URLSearchParams | undefined {
  const found = new URLSearchParams(location.search);
  if (!found.has("state") || !(found.has("code") || found.has("error"))) return undefined;
  history.replaceState(null, "", ROOT);
  return found;
}

/** Forget the token, and all that it showed. */
export function forget(): void {
  for (const storage of [() => sessionStorage, () => localStorage])
    attempt(() => [TOKEN, LISTS, GRANT, ATTEMPT].forEach((key) => storage().removeItem(key)));
}

/** Keep lists; none where they are too large or cannot be written. */
export function keepSnapshot({ lists, ...rest }: Snapshot): void {
  attempt(() => {
    place().removeItem(LISTS);
    const text = JSON.stringify({ ...rest, lists: Object.entries(lists).map(([name, items]) => [name, [...items]]) });
    if (text.length <= MAX_LISTS) place().setItem(LISTS, text);
  });
}

export function readSnapshot(): Snapshot | undefined {
  return attempt(() => {
    const kept = JSON.parse(place().getItem(LISTS) ?? "");
    return { ...kept, lists: Object.fromEntries(kept.lists.map(([name, items]: [string, []]) => [name, new Map(items)])) };
  });
}

/** Return the languages that the reader wants: the chosen one, then the browser's. */
export const wantedLanguages = (): readonly string[] =>
  [attempt(() => localStorage.getItem(LANGUAGE)) ?? "", ...navigator.languages].filter(Boolean);

export const keepLanguage = (tag: string): void => void attempt(() => localStorage.setItem(LANGUAGE, tag));
