/** What the page shows, as signals: one row for each unit, so that a change draws one unit. */

import { type Signal, signal } from "@preact/signals";
import type { Booking, Conflict, Lists, Store } from "bokit-client";
import { EMPTY, layOut, type Row } from "./bars.ts";

export interface UnitLine {
  readonly id: string;
  readonly name: string;
  readonly property: string;
  /** When guests may come, and when they have left, as in 15:00. */
  readonly checkIn: string;
  readonly checkOut: string;
  /** Minutes that cleaning takes; 0 where nothing says so. */
  readonly cleaning: number;
}

export interface Channel {
  readonly name: string;
  /** Which of the style sheet's colors. */
  readonly color: number;
}

const COLORS = 8;

export class Model {
  readonly units = signal<readonly UnitLine[]>([]);
  /** The channels of sources, by the source's id. */
  readonly channels = signal<ReadonlyMap<string, Channel>>(new Map());
  /** Bookings that only a guard keeps: their calendar no longer shows them. */
  readonly kept = signal<ReadonlySet<string>>(new Set());
  readonly #rows = new Map<string, Signal<Row>>();
  readonly #bookings = new Map<string, readonly Booking[]>();
  readonly #conflicts = new Map<string, readonly Conflict[]>();
  #seen: Lists = {};

  /** Return the row of a unit; it is kept up to date. */
  rowOf(unitId: string): Signal<Row> {
    let row = this.#rows.get(unitId);
    if (!row) this.#rows.set(unitId, (row = signal(this.#layOut(unitId))));
    return row;
  }

  #layOut(unitId: string, before?: Row): Row {
    const bookings = this.#bookings.get(unitId);
    return bookings ? layOut(bookings, this.#conflicts.get(unitId), before) : EMPTY;
  }

  /** Follow a store until the returned function is called. */
  follow(store: Store): () => void {
    const read = () => this.show(store.state.lists);
    read();
    return store.subscribe(read);
  }

  /** Show these lists; what is the same as before is left alone. */
  show(lists: Lists): void {
    const before = this.#seen;
    this.#seen = lists;
    if (lists.units !== before.units || lists.properties !== before.properties) this.#showUnits(lists);
    if (lists.sources !== before.sources) this.#showChannels(lists.sources);
    const changed = new Set<string>();
    if (lists.bookings !== before.bookings) note(this.#bookings, lists.bookings, ({ unit_id }) => [unit_id], changed);
    if (lists.conflicts !== before.conflicts) note(this.#conflicts, lists.conflicts, ({ unit_ids }) => unit_ids, changed);
    for (const unitId of changed) {
      const row = this.#rows.get(unitId);
      if (row) row.value = this.#layOut(unitId, row.peek());
    }
  }

  #showUnits({ units, properties }: Lists): void {
    const lines = [...(units?.values() ?? [])].map((unit) => {
      const house = properties?.get(unit.property_id);
      return {
        id: unit.id,
        name: unit.name,
        property: house?.name ?? "",
        checkIn: unit.check_in_time ?? house?.check_in_time ?? "15:00",
        checkOut: unit.check_out_time ?? house?.check_out_time ?? "11:00",
        cleaning: unit.cleaning_minutes ?? house?.cleaning_minutes ?? 0,
      };
    });
    const sortBy = ["property", "name", "id"] as const;
    this.units.value = lines.sort((one, other) => sortBy.reduce((by, part) => by || one[part].localeCompare(other[part]), 0));
  }

  /** Sources of one name are one channel; each of the first ones has a color of its own. */
  #showChannels(sources: Lists["sources"]): void {
    const all = [...(sources?.values() ?? [])];
    const names = [...new Set(all.map((source) => source.name))].sort();
    this.channels.value = new Map(all.map(({ id, name }) => [id, { name, color: names.indexOf(name) % COLORS }]));
  }
}

/** Keep the items of each unit, and note the units of which one changed. */
function note<T>(
  known: Map<string, readonly T[]>,
  items: ReadonlyMap<string, T> | undefined,
  unitsOf: (item: T) => readonly string[],
  changed: Set<string>,
): void {
  const byUnit = new Map<string, T[]>();
  for (const item of items?.values() ?? [])
    for (const unitId of unitsOf(item)) {
      const found = byUnit.get(unitId);
      found ? found.push(item) : byUnit.set(unitId, [item]);
    }
  for (const unitId of new Set([...known.keys(), ...byUnit.keys()])) {
    const [before = [], after = []] = [known.get(unitId), byUnit.get(unitId)];
    if (before.length === after.length && after.every((item, at) => item === before[at])) continue;
    after.length ? known.set(unitId, after) : known.delete(unitId);
    changed.add(unitId);
  }
}
