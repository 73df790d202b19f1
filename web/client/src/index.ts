/** Bokit's data in a page, kept up to date: `connect({ url, token })`. */

import { type AnyEvent, type Connection, readEvents } from "./events.ts";
import { ApiError, makeRequest, type Request } from "./http.ts";
import {
  keyOf,
  makeQueue,
  makeSave,
  merge,
  type RecordName,
  type Save,
  type SaveError,
  type SaveOptions,
  type SaveResult,
  type Storage,
  sendSave,
} from "./saves.ts";
import {
  type Change,
  collectionOf,
  type Item,
  type Items,
  kindOf,
  LISTS,
  type Lists,
  makeTable,
  nameOf,
  type Table,
  versionOf,
} from "./tables.ts";
import { backoff, TIMING, type Timing } from "./timing.ts";

export type * from "./api.ts";
export type { AnyEvent, Change, Connection, Item, Items, Lists, Save, SaveError, SaveOptions, SaveResult, Timing };
export { ApiError };

export interface State {
  readonly connection: Connection;
  /** Why it is offline. */
  readonly error: ApiError | null;
  /** Why a list could not be read; it is tried again. null: it was read since. */
  readonly failures: { readonly [list: string]: ApiError | null };
  /** The lists that are loaded. */
  readonly lists: Lists;
  /** The records of the collections that are loaded, with what waits to be saved. */
  readonly collections: { readonly [name: string]: Items };
  /** The last `sync.started` or `sync.progress` of each run that goes on. */
  readonly runs: ReadonlyMap<string, AnyEvent>;
  /** Saves that wait or failed. */
  readonly saves: readonly Save[];
  /** When the last save succeeded. */
  readonly lastSaveTime: Date | null;
}

export interface Options {
  /** Where the API is; relative to the page, or whole. */
  readonly url: string;
  readonly token: string;
  /** Which lists to load at once; all if left out. Others, and collections, are loaded when somebody watches them. */
  readonly lists?: readonly (keyof Lists)[];
  /** The query of `GET /bookings`: `from=2026-11-01`. */
  readonly bookings?: string;
  /** Whose saves these are: those of another account, or server, are never sent. The token's end if left out. */
  readonly account?: string;
  /** Where saves wait; the browser's localStorage if left out. */
  readonly storage?: Storage;
  readonly timing?: Partial<Timing>;
}

/** The detail of the DOM event `bokit:change`. */
export interface ChangeDetail {
  /** A list's name, or `collections/<name>`. */
  readonly list: string;
  /** The collection, where the item is a record; else empty. */
  readonly collection: string;
  readonly id: string;
  /** The item; null: it was removed. */
  readonly record: Item | null;
}

/** Sources that find nothing new are read without an event. */
const STATUS_MS = 60_000;
/** How many former versions of a record are kept, for forms that were filled with one. */
const MAX_VERSIONS = 20;

export interface Store {
  readonly state: State;
  /** Call *listener* after each change of `state`; returns what ends that. */
  readonly subscribe: (listener: () => void) => () => void;
  /** Load lists, and keep them up to date; `collections/clients` is the collection of that name. */
  readonly watch: (...lists: readonly string[]) => void;
  /** Ask the API: `request("POST", "/sync/trigger", {})`. Throws ApiError. */
  readonly request: Request;
  /** Merge *data* into a record now. Throws ApiError. */
  readonly save: (collection: string, id: string, data: Item, options?: SaveOptions) => Promise<SaveResult>;
  /** Merge *data* into a record soon: with other saves of it, and even if the page is closed or offline now. */
  readonly queueSave: (collection: string, id: string, data: Item, options?: SaveOptions) => void;
  /** Delete a record that was pushed, with what waits to be saved of it. Throws ApiError. */
  readonly remove: (collection: string, id: string) => Promise<void>;
  /** Send refused saves again; forget one. */
  readonly retrySaves: () => void;
  readonly discardSave: (save: Save) => void;
  readonly close: () => void;
}

/** Return a store of the data at *url*: it loads, follows the event log, and ends with `close`. */
export function connect({
  url,
  token,
  lists = LISTS,
  bookings,
  // the end of a secret names it, and gives away nothing of use
  account = token.slice(-8),
  storage = browserStorage(),
  timing: given,
}: Options): Store {
  const timing = { ...TIMING, ...given };
  const request = makeRequest(url, token);
  const tables = new Map<string, Table>();
  const versions = new Map<string, Item[]>();
  const listeners = new Set<() => void>();
  const closing = new AbortController();
  const { signal } = closing;
  /** Records as the server has them. */
  let records: State["collections"] = {};
  /** Whether nobody hears of the next changes: a save asked for that. */
  let isSilent = false;
  let isStarted = false;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;

  function publish(change: Partial<State>): void {
    if (signal.aborted) return;
    state = { ...state, ...change };
    listeners.forEach((listener) => listener());
  }

  // ── tables ──

  function addTable(name: string): void {
    if (tables.has(name)) return;
    tables.set(name, makeTable(name, kindOf(name, bookings), request, { onItems, onRead }));
  }

  function onItems(name: string, items: Items, changes: readonly Change[], isFirst: boolean): void {
    const collection = collectionOf(name);
    if (!collection) publish({ lists: { ...state.lists, [name]: items } });
    else {
      for (const [id, record] of changes) remember(keyOf({ collection, id }), record);
      records = { ...records, [collection]: items };
      showRecords();
    }
    if (isFirst || isSilent) return;
    for (const [id, record] of changes)
      globalThis.document?.dispatchEvent(
        new CustomEvent("bokit:change", { detail: { list: name, collection, id, record } satisfies ChangeDetail, bubbles: true }),
      );
  }

  /** Show records as they will be once what waits is saved: who spreads one into the next save keeps the last one's change. */
  function showRecords(): void {
    const saves = queue.list();
    const collections = { ...records };
    for (const { collection, id, data, error } of saves) {
      const items = collections[collection];
      if (items && !error) collections[collection] = new Map(items).set(id, merge(items.get(id) ?? { id }, data));
    }
    publish({ saves, collections });
  }

  function onRead(name: string, error: ApiError | null): void {
    if (error) {
      clearTimeout(retryTimer);
      retryTimer = setTimeout(readTables, backoff(timing, 3));
    }
    if (error || state.failures[name]) publish({ failures: { ...state.failures, [name]: error } });
  }

  function readTables(): void {
    if (!signal.aborted) tables.forEach((table) => table.read());
  }

  // ── the event log ──

  function onReset(): void {
    isStarted = true;
    tables.forEach((table) => table.reset());
  }

  function onEvent(event: AnyEvent): void {
    tables.forEach((table) => table.take(event));
    if (!event.type.startsWith("sync.")) return;
    const runs = new Map(state.runs);
    const id = event.data["run_id"] as string;
    event.type === "sync.finished" ? runs.delete(id) : runs.set(id, event);
    publish({ runs });
  }

  function onConnection(connection: Connection, error: ApiError | null): void {
    const before = state;
    if (connection === before.connection && error?.code === before.error?.code) return;
    publish({ connection, error });
    if (before.connection !== "offline") return;
    readTables();
    queue.schedule();
  }

  // ── saves ──

  function prepare(collection: string, id: string, data: Item, options: SaveOptions = {}): Save {
    return makeSave(collection, id, data, options.base ?? baseOf(keyOf({ collection, id }), data), options);
  }

  const versionsOf = (key: string): Item[] => versions.get(key) ?? [];

  /** Return the record as the author of *data* read it: the version that it names, else the newest that we have. */
  function baseOf(key: string, data: Item): Item | undefined {
    const known = versionsOf(key);
    return known.findLast((record) => versionOf(record) === versionOf(data)) ?? (data["_meta"] ? undefined : known.at(-1));
  }

  function remember(key: string, record: Item | null): void {
    versions.set(key, record ? [...versionsOf(key), record].slice(-MAX_VERSIONS) : []);
  }

  /** What was saved is what its author knows: to set a field back to what it was before is a change. */
  function learn(save: Save): Save {
    const key = keyOf(save);
    versions.set(
      key,
      versionsOf(key).map((version) => merge(version, save.data)),
    );
    return save;
  }

  function onSaved({ collection, id, notify }: RecordName & { readonly notify?: boolean }, record: Item | null): void {
    publish({ lastSaveTime: new Date() });
    isSilent = notify === false;
    tables.get(nameOf(collection))?.put(record?.["id"] ?? id, record);
    isSilent = false;
  }

  const queue = makeQueue(`bokit:saves:${url} ${account}:`, storage, request, timing, { onSaved, onChange: showRecords });
  let state: State = {
    connection: "connecting",
    error: null,
    failures: {},
    lists: {},
    collections: {},
    runs: new Map(),
    saves: [],
    lastSaveTime: null,
  };
  const reader = readEvents(request, { onReset, onEvent, onConnection }, timing);
  lists.forEach(addTable);
  const statusTimer = setInterval(() => tables.get("status")?.reset(), STATUS_MS);
  globalThis.addEventListener?.("online", reader.hurry, { signal });
  globalThis.document?.addEventListener("visibilitychange", reader.hurry, { signal });

  return {
    get state() {
      return state;
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    watch: (...names) => {
      names.forEach(addTable);
      if (isStarted) readTables();
    },
    request,
    save: async (...given) => {
      const save = prepare(...given);
      const result = await sendSave(request, save);
      onSaved(learn(save), result.record);
      return result;
    },
    queueSave: (...given) => queue.add(learn(prepare(...given))),
    remove: queue.remove,
    retrySaves: queue.retry,
    discardSave: queue.discard,
    close: () => {
      closing.abort();
      clearInterval(statusTimer);
      reader.close();
      queue.close();
    },
  };
}

function browserStorage(): Storage {
  try {
    // reading it throws where the browser forbids it
    return (globalThis.document && localStorage) ?? {};
  } catch {
    return {};
  }
}
