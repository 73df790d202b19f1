/**
 * Saves of records, merged for a moment, and kept until the server has them: offline, and over a reload.
 *
 *     queue ─► merged with what waits for the same record ─► after 300 ms ─► PUT with `_base` ─► done
 *                                                            no answer ─► pending, again later
 *                                                            refused   ─► failed, until somebody retries or discards it
 *
 * Each tab of a browser has its own. What a tab that was closed has left is sent by the next one that is opened.
 */

import type { ApiError, Request } from "./http.ts";
import { isSame, parseJson, writeJson } from "./json.ts";
import { type Item, recordsPath } from "./tables.ts";
import { backoff, type Timing } from "./timing.ts";

export interface SaveOptions {
  /** Fields that keep the value they have; dots lead into objects. */
  readonly preserveFields?: readonly string[] | undefined;
  /** The record as the data's author read it: only what differs is changed. Left out: the version that `data._meta` names. */
  readonly base?: Item | undefined;
  /** Whether `bokit:change` is dispatched for this save; true if left out. */
  readonly notifyFrontend?: boolean | undefined;
}

export interface SaveError {
  readonly code: string;
  readonly message: string;
  /** What is wrong with which field. */
  readonly errors?: readonly { readonly field: string; readonly message: string }[];
}

export interface Save {
  readonly collection: string;
  readonly id: string;
  readonly data: Item;
  readonly base?: Item | undefined;
  readonly preserve: readonly string[];
  readonly notify: boolean;
  /** Why the server refused it; null: it waits, or is on its way. */
  readonly error: SaveError | null;
}

export interface SaveResult {
  readonly changed: boolean;
  readonly record: Item;
  readonly preserved: readonly string[];
}

/** Where saves wait, by name: the browser's localStorage, or any object. */
export interface Storage {
  [key: string]: string;
}

const isObject = (value: unknown): value is Item => value instanceof Object && !Array.isArray(value);

const pick = (item: Item, isPicked: (name: string) => boolean): Item =>
  Object.fromEntries(Object.entries(item).filter(([name]) => isPicked(name)));

/** Return *later* over *earlier*, objects in depth. */
export function merge(earlier: Item, later: Item): Item {
  const merged: Record<string, unknown> = { ...earlier };
  for (const [name, value] of Object.entries(later)) {
    const before = earlier[name];
    merged[name] = isObject(before) && isObject(value) ? merge(before, value) : value;
  }
  return merged;
}

/** Return the part of *base* that *data* speaks of: what a form leaves out stays, and is not removed. */
function prune(base: Item, data: Item): Item {
  const known = Object.entries(pick(base, (name) => name in data));
  return Object.fromEntries(
    known.map(([name, value]) => [name, isObject(value) && isObject(data[name]) ? prune(value, data[name]) : value]),
  );
}

/** Names that are Bokit's. */
const RESERVED = /^(_.*|createdAt|updatedAt|updatedBy)$/;

/** Return a save of what differs between *data* and *base*. */
export function makeSave(collection: string, id: string, data: Item, base: Item | undefined, options: SaveOptions): Save {
  const changed = pick(data, (name) => !RESERVED.test(name) && !(base && isSame(data[name], base[name])));
  const { preserveFields: preserve = [], notifyFrontend: notify = true } = options;
  return { collection, id, data: changed, base: base && prune(base, changed), preserve, notify, error: null };
}

/** Which record. */
export interface RecordName {
  readonly collection: string;
  readonly id: string;
}

const pathOf = ({ collection, id }: RecordName) => `${recordsPath(collection)}/${encodeURIComponent(id)}`;

/** Send one save. */
export function sendSave(request: Request, save: Save): Promise<SaveResult> {
  const { data, base, preserve } = save;
  const query = preserve[0] ? `?preserve=${encodeURIComponent(preserve.join())}` : "";
  return request("PUT", pathOf(save) + query, { ...data, _base: base });
}

export interface QueueListener {
  /** The server has it; null: the record was deleted. */
  onSaved(save: RecordName & { readonly notify?: boolean }, record: Item | null): void;
  /** What waits, or failed, is different now. */
  onChange(): void;
}

type Saves = { readonly [key: string]: Save };

export interface SaveQueue {
  /** Return what waits, is on its way, or failed. */
  list(): Save[];
  add(save: Save): void;
  /** Delete a record, after what is on its way, and forget what waits for it. */
  remove(collection: string, id: string): Promise<void>;
  /** Send what failed again. */
  retry(): void;
  /** Forget a save. */
  discard(save: Save): void;
  /** Send what waits, after a moment. */
  schedule(): void;
  close(): void;
}

/**
 * Return a queue of the saves in *storage*.
 *
 * *name*: how the names begin under which they are stored. Those of another server or token are never sent.
 */
export function makeQueue(
  name: string,
  storage: Storage,
  request: Request,
  timing: Timing,
  { onSaved, onChange }: QueueListener,
): SaveQueue {
  /** Tabs do not see each other's writes at once: each has a key of its own, and takes over those of tabs that are gone. */
  const own = name + Math.random();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let working = Promise.resolve();
  let failures = 0;
  let isClosed = false;
  let release: (() => void) | undefined;

  /** Send what waits after a moment, in which more is merged. */
  function schedule(delayMs = 300): void {
    clearTimeout(timer);
    if (isClosed) return;
    timer = setTimeout(() => {
      working = working.then(flush);
    }, delayMs);
  }

  async function flush(): Promise<void> {
    let delayMs = 0;
    for (const save of list()) {
      if (isClosed) return;
      if (save.error) continue;
      try {
        const { record } = await sendSave(request, save);
        failures = 0;
        onSaved(save, record);
        forget(save);
      } catch (error) {
        const { isTemporary = true, code, message, problem } = error as ApiError;
        // the others need not wait for one that the server cannot take now
        if (isTemporary) delayMs = backoff(timing, ++failures);
        else write(save, { ...(find(save) ?? save), error: { code, message, errors: problem["errors"] } });
      }
    }
    if (delayMs) schedule(delayMs);
  }

  /** Forget what was sent; what was added to it meanwhile goes next. */
  function forget(sent: Save): void {
    const later = find(sent) ?? sent;
    const data = pick(later.data, (name) => !isSame(later.data[name], sent.data[name]));
    write(sent, Object.keys(data).length ? { ...later, data } : undefined);
    schedule();
  }

  const list = () => Object.values(read(own));
  const find = (record: RecordName) => read(own)[keyOf(record)];

  function read(key: string): Saves {
    return parseJson(storage[key] ?? "{}");
  }

  /** Keep *save* in place of the one for the same record as *old*; undefined: keep none. */
  function write(old: Save, save?: Save): void {
    storage[own] = writeJson({ ...read(own), [keyOf(old)]: save });
    onChange();
  }

  function add(save: Save): void {
    const earlier = find(save);
    if (earlier || Object.keys(save.data).length) write(save, earlier ? mergeSaves(earlier, save) : save);
    schedule();
  }

  async function remove(collection: string, id: string): Promise<void> {
    const record = { collection, id };
    const waiting = find(record);
    const removal = working.then(() => request("DELETE", pathOf(record)));
    working = removal.catch(() => {});
    await removal;
    if (waiting) forget(waiting);
    onSaved(record, null);
  }

  void lock(own, () => new Promise<void>((resolve) => (release = resolve)));
  for (const key of Object.keys(storage)) {
    if (!key.startsWith(name)) continue;
    // of a tab that is gone
    void lock(key, () => {
      if (isClosed) return;
      Object.values(read(key)).forEach(add);
      delete storage[key];
    });
  }
  return {
    list,
    add,
    remove,
    retry: () => {
      list().forEach((save) => write(save, { ...save, error: null }));
      schedule();
    },
    discard: write,
    schedule,
    close: () => {
      isClosed = true;
      clearTimeout(timer);
      release?.();
    },
  };
}

/** Run *work* while nobody else in this browser has the lock of this name. */
async function lock(name: string, work: () => Promise<void> | void): Promise<void> {
  await null;
  await (globalThis.navigator?.locks?.request(name, work) ?? work());
}

export const keyOf = ({ collection, id }: RecordName) => `${collection}/${id}`;

/** Return both saves as one. */
function mergeSaves(earlier: Save, later: Save): Save {
  const base = { ...earlier.base, ...later.base };
  const preserve = [...new Set([...earlier.preserve, ...later.preserve])];
  return { ...later, data: merge(earlier.data, later.data), base, preserve };
}
