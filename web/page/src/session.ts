/** What every view uses: the store, its state as signals, and requests. Set by `start`. */

import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { type ApiError, type CurrentToken, connect, type Lists, type State, type Store } from "bokit-client";
import { useEffect, useMemo } from "preact/hooks";
import { dateOf, today } from "./days.ts";
import { forget, keepSnapshot, ROOT, readGrant, readSnapshot } from "./device.ts";
import { loadMore } from "./later.tsx";
import { Model } from "./model.ts";

/** How far back bookings are loaded. */
export const DAYS_BACK = 30;

/** How long changes are gathered before the lists are kept, to be shown while offline. */
const KEEP_MS = 3000;

export let store: Store;
export const model = new Model();
const state = signal<State>({} as State);

export type Role = CurrentToken["role"];
const ROLES: readonly Role[] = ["viewer", "operator", "admin"];

/** The token that this is: its name, role and tenant; undefined until the API has said so. */
export const me = signal<CurrentToken | undefined>(undefined);

/** Return whether the reader has this role: nobody is shown a button that the API would refuse. */
export const may = (needs: Role): boolean => needs === "viewer" || ROLES.indexOf(me.value?.role as Role) >= ROLES.indexOf(needs);

/** The store of who is signed in; another one for each token. */
export const signedIn = signal<Store | undefined>(undefined);
/** When the API was last heard of. */
export const asOf = signal(0);

/** Whether the identity provider gives no more tokens. */
export const hasEnded = signal(false);

/** How long until an identity provider that gave no answer is asked again; how long the page waits for it; the longest that a browser does. */
const [AGAIN_MS, LATE_MS, MAX_WAIT_MS] = [10_000, 3000, 2 ** 31 - 1];

let token: string;
let renewTimer: ReturnType<typeof setTimeout>;

/** Have the token renewed in time, where an identity provider gave it. */
export function followGrant(): void {
  clearTimeout(renewTimer);
  const grant = hasEnded.value ? undefined : readGrant();
  if (grant) renewTimer = setTimeout(() => void renewNow(), Math.min(Math.max(grant.due - Date.now(), 0), MAX_WAIT_MS));
}

/** Renew the token; later, where nothing answers. */
async function renewNow(): Promise<void> {
  await loadMore()
    .then(({ renew }) => renew(token))
    .catch(() => (renewTimer = setTimeout(() => void renewNow(), AGAIN_MS)));
}

/** Begin to follow the API; until it answers, what this device kept is shown. */
export async function start(given: string): Promise<void> {
  const kept = readSnapshot();
  if (kept) [asOf.value, me.value] = [kept.at, kept.me];
  state.value = { ...state.value, lists: kept?.lists ?? {} };
  token = given;
  // it may have ended while no page was open
  if ((readGrant()?.due ?? Infinity) < Date.now())
    await Promise.race([renewNow(), new Promise((resolve) => setTimeout(resolve, LATE_MS))]);
  else followGrant();
  if (!signedIn.value) useToken(given);
}

/** Follow the API with this token from now on; until it answers, what was shown stays. */
export function useToken(given: string): void {
  const former = state.value.lists;
  signedIn.value?.close();
  token = given;
  isAsked = false;
  store = connect({
    url: ROOT,
    token,
    // what waits to be saved is this account's, whatever its token
    account: readGrant()?.account ?? token.slice(-8),
    bookings: `kind=reservation,block,window&from=${dateOf(today() - DAYS_BACK)}`,
  });
  const show = () => {
    const now = store.state;
    if (isConnected(now)) {
      asOf.value = Date.now();
      void keepSoon();
      void askWho();
    }
    state.value = { ...now, lists: { ...former, ...now.lists } };
    model.show(state.value.lists);
  };
  store.subscribe(show);
  show();
  signedIn.value = store;
}

let [isAsked, isKeeping] = [false, false];

/** Ask the API who this is, once. */
async function askWho(): Promise<void> {
  if (isAsked) return;
  isAsked = true;
  await store.request("GET", "/tokens/current").then(
    (found) => (me.value = found),
    () => (isAsked = false),
  );
}

/** Keep the lists, once all are loaded, to be shown while offline. */
async function keepSoon(): Promise<void> {
  if (isKeeping) return;
  isKeeping = true;
  await new Promise((resolve) => setTimeout(resolve, KEEP_MS));
  const found = store.state.lists;
  if (Object.keys(found).length === Object.keys(lists).length) keepSnapshot({ at: asOf.value, me: me.value, lists: found });
  isKeeping = false;
}

const isConnected = ({ connection }: State): boolean => connection === "live" || connection === "polling";

/** Forget who was signed in, and all that was shown. */
export function signOut(): void {
  store.close();
  forget();
  location.hash = "";
  location.reload();
}

/** Return what *pick* takes of the store's state, as a signal that changes when that does. */
export const pick = <T>(take: (state: State) => T): ReadonlySignal<T> => computed(() => take(state.value));

/** The lists that the store keeps up to date; undefined until they are loaded. */
export const lists = {
  bookings: pick((now) => now.lists.bookings),
  conflicts: pick((now) => now.lists.conflicts),
  properties: pick((now) => now.lists.properties),
  units: pick((now) => now.lists.units),
  sources: pick((now) => now.lists.sources),
  status: pick((now) => now.lists.status),
} satisfies { [name in keyof Lists]-?: ReadonlySignal<Lists[name]> };
/** The syncs that go on; changes with each that begins or ends. */
export const runs = pick((now) => now.runs);
/** Why it is offline; undefined: it is not, or not known yet. */
export const offline = pick(({ connection, error }) => (connection === "offline" ? error : null) ?? undefined);
/** Return whether the API refuses the token: it was revoked, has expired, or never was one. */
export function isRefused(): boolean {
  const status = offline.value?.status;
  // an identity provider's token that has ended is renewed by now
  return hasEnded.value || status === 403 || (status === 401 && !readGrant()?.refresh);
}

export interface Loaded<T> {
  readonly data: T | undefined;
  readonly error: ApiError | undefined;
}

/**
 * Load `GET path`, and load it again when the signal *changes* has another value; what was there stays until then.
 * `reload` does so at once.
 */
export function useLoaded<T>(path: string, changes?: ReadonlySignal<unknown>): Signal<Loaded<T>> & { reload: () => void } {
  const loaded = useMemo(() => {
    const made = signal<Loaded<T>>({ data: undefined, error: undefined });
    let turn = 0;
    const reload = async () => {
      const mine = ++turn;
      const show = (found: Partial<Loaded<T>>) => mine === turn && (made.value = { ...made.value, error: undefined, ...found });
      await store.request("GET", path).then(
        (data) => show({ data }),
        (error) => show({ error }),
      );
    };
    return Object.assign(made, { reload });
  }, [path]);
  const trigger = changes?.value;
  useEffect(() => void loaded.reload(), [loaded, trigger]);
  return loaded;
}
