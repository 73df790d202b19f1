/**
 * A list of the API, kept as a load from scratch would be. Events say what is out of date; that part is read again.
 *
 *     event ─► part: one record, one unit's bookings, or everything ─► read ─► items
 *
 * Reads are consistent: what is read after an event shows at least that event's change. A table reads one thing after the
 * other, so an answer never meets an older one; only what a save answered is compared by its version.
 */

import type { Booking, Conflict, Property, Source, SourceStatus, Unit } from "./api.ts";
import type { AnyEvent } from "./events.ts";
import type { ApiError, Request } from "./http.ts";
import { isSame } from "./json.ts";

/** An item of any table: a booking, a unit, a record … */
export type Item = { readonly [name: string]: any };
export type Items = ReadonlyMap<string, Item>;

/** Lists by name, and their items by id. */
export interface Lists {
  readonly bookings?: ReadonlyMap<string, Booking>;
  readonly conflicts?: ReadonlyMap<string, Conflict>;
  readonly properties?: ReadonlyMap<string, Property>;
  readonly units?: ReadonlyMap<string, Unit>;
  readonly sources?: ReadonlyMap<string, Source>;
  readonly status?: ReadonlyMap<string, SourceStatus>;
}

export type Change = readonly [id: string, after: Item | null];

/** All of a table; other parts are named by a unit's or a record's id. */
const ALL = "";
/** With more parts than this out of date, the whole list is read instead. */
const MAX_PARTS = 20;

export interface Kind {
  /** Return the part of the table that *event* makes out of date; undefined where it is about something else. */
  partOf(event: AnyEvent): string | undefined;
  /** Return where a part is read, and whether an item belongs to it; left out where all is read at once. */
  pathOf(part: string): string;
  isIn?(item: Item, part: string): boolean;
}

/** What an event is about: `booking.changed`, `catalog.changed unit`, `collection.changed clients` … */
const topicOf = ({ type, data }: AnyEvent): string => [type, data["kind"] ?? data["collection"]].join(" ");

function listKind(path: string, topics: RegExp): Kind {
  return {
    partOf: (event) => (topics.test(topicOf(event)) ? ALL : undefined),
    pathOf: () => `${path}?limit=200`,
  };
}

/** A booking's state depends on the unit's other bookings: a unit is read as a whole. */
function bookingsKind(query: string): Kind {
  const path = `/bookings?order=unit&limit=200&${query}`;
  return {
    partOf: (event) => {
      const topic = topicOf(event);
      if (/^(booking|conflict)/.test(topic)) return event.data["unit_id"] as string;
      return / bookings| unit|source.[hr]/.test(topic) ? ALL : undefined;
    },
    pathOf: (unit) => path + (unit && `&unit_id=${encodeURIComponent(unit)}`),
    isIn: (item, unit) => item["unit_id"] === unit,
  };
}

/** Return the path of a collection's records. */
export const recordsPath = (collection: string) => `/collections/${encodeURIComponent(collection)}/records`;

function recordsKind(name: string): Kind {
  const path = recordsPath(name);
  return {
    partOf: (event) => {
      const topic = topicOf(event);
      if (topic === `record.changed ${name}`) return event.data["id"] as string;
      return topic === `collection.changed ${name}` || (/ collection$/.test(topic) && event.data["id"] === name)
        ? ALL
        : undefined;
    },
    pathOf: (id) => path + (id ? `/${encodeURIComponent(id)}` : "?limit=200"),
    isIn: (item, id) => item["_meta"].record_id === id,
  };
}

/** What makes a list out of date; a list that is read once too often stays right. */
const TOPICS: { readonly [list: string]: RegExp } = {
  conflicts: /conflict/,
  properties: / property/,
  units: / unit| property/,
  // full names hold the unit's name, and where needed the property's
  sources: / source| unit| property/,
  // a source's first sync is a change of its collection
  status: /source|sync.finished|collection\.| unit| property/,
};

/** All lists but the collections. */
export const LISTS = ["bookings", ...Object.keys(TOPICS)] as (keyof Lists)[];

/** The name of a collection's table, and the collection of a table's name. */
export const nameOf = (collection: string) => `collections/${collection}`;
export const collectionOf = (name: string) => name.split("collections/")[1] ?? "";

/** Return the kind of the table of this name: one of the API's lists, or `collections/<name>`. */
export function kindOf(name: string, query = ""): Kind {
  if (name === "bookings") return bookingsKind(query);
  const topics = TOPICS[name];
  return topics ? listKind(name === "status" ? "/sync/status" : `/${name}`, topics) : recordsKind(collectionOf(name));
}

export const versionOf = (item: Item | undefined): number => item?.["_meta"]?.version ?? item?.["version"] ?? 0;
const idOf = (item: Item): string => item["id"] ?? item["source_id"];

export interface Watcher {
  /** Items of the table *name* changed; null stands for one that was removed. */
  onItems(name: string, items: Items, changes: readonly Change[], isFirst: boolean): void;
  /** It was read; or it could not be. */
  onRead(name: string, error: ApiError | null): void;
}

export interface Table {
  /** Everything may have changed. */
  reset(): void;
  take(event: AnyEvent): void;
  /** Read what is out of date. After a failure it stays so: call again. */
  read(): void;
  /** Take an item that a save answered; null: it was removed. */
  put(id: string, item: Item | null): void;
}

/** Return a table of this kind, empty until it is reset or read. */
export function makeTable(name: string, kind: Kind, request: Request, watcher: Watcher): Table {
  let items: Items = new Map();
  let isLoaded = false;
  let isReading = false;
  const outdated = new Set([ALL]);
  /** What saves answered since the reading began: versions below these are older. */
  const saved = new Map<string, number>();

  function take(event: AnyEvent): void {
    const part = kind.partOf(event);
    if (part !== undefined && !isKnown(event)) markOutdated(part);
  }

  function markOutdated(part: string): void {
    outdated.add(part);
    void read();
  }

  async function read(): Promise<void> {
    if (isReading) return;
    isReading = true;
    let parts: string[] = [];
    let failure: ApiError | null = null;
    try {
      while (outdated.size) {
        parts = outdated.has(ALL) || outdated.size > MAX_PARTS ? [ALL] : [...outdated];
        outdated.clear();
        saved.clear();
        await Promise.all(parts.map(async (part) => replace(part, await readPart(kind.pathOf(part)))));
      }
    } catch (error) {
      for (const part of parts) outdated.add(part);
      failure = error as ApiError;
    }
    isReading = false;
    watcher.onRead(name, failure);
  }

  async function readPart(path: string): Promise<Item[]> {
    const found: Item[] = [];
    try {
      for (let cursor = ""; ; ) {
        const page = await request("GET", cursor ? `${path}&cursor=${encodeURIComponent(cursor)}` : path);
        found.push(...(page.items ?? page.sources ?? [page]));
        // a deleted record can still be read by its id
        if (!(cursor = page.cursor)) return found.filter((item) => item["_meta"]?.presence !== "gone");
      }
    } catch (error) {
      // a record or a collection that does not exist, or was removed
      if ((error as ApiError).status !== 404) throw error;
      return [];
    }
  }

  /** Whether a record's change is here already, for instance since we made it. */
  function isKnown({ data }: AnyEvent): boolean {
    return [...items.values()].some(
      ({ _meta }) => _meta?.version >= (data["version"] as number) && _meta.record_id === data["id"],
    );
  }

  function replace(part: string, found: readonly Item[]): void {
    const ids = new Set(found.map(idOf));
    const isGone = ([id, item]: [string, Item]) => !ids.has(id) && !saved.has(id) && (part === ALL || kind.isIn?.(item, part));
    const gone = [...items].filter(isGone).map(([id]) => id);
    const isFirst = !isLoaded;
    isLoaded = true;
    change(found, gone, isFirst);
  }

  function change(found: readonly Item[], gone: readonly string[], isFirst = false): void {
    const changes: Change[] = [
      ...found.filter(isNews).map((item) => [idOf(item), item] as const),
      ...gone.map((id) => [id, null] as const),
    ];
    if (!changes.length && !isFirst) return;
    const after = new Map(items);
    for (const [id, item] of changes) item ? after.set(id, item) : after.delete(id);
    items = after;
    watcher.onItems(name, items, changes, isFirst);
  }

  /** What is equal keeps its identity: nobody draws it again. */
  function isNews(item: Item): boolean {
    const known = items.get(idOf(item));
    const isOlder = versionOf(item) < (saved.get(idOf(item)) ?? 0);
    return !isOlder && !isSame(item, known);
  }

  return {
    reset: () => markOutdated(ALL),
    take,
    read,
    put: (id, item) => {
      saved.set(id, item ? Math.max(versionOf(item), versionOf(items.get(id))) : Infinity);
      change(item ? [item] : [], item ? [] : [id]);
    },
  };
}
