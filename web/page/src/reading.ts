/** What reads calendars: the names of sources, moments, and how the whole stands as the API last said. */

import { computed, signal } from "@preact/signals";
import type { Status } from "bokit-client";
import { lists, store } from "./session.ts";
import { language, type Name, text } from "./texts.ts";

/** The time by which what is shown gets older by itself; ticks while the page is open. */
export const now = signal(Date.now());

interface Standing {
  readonly doc: Status;
  /** When the page heard it. */
  readonly at: number;
}

/** What the API last said of the schedule; the state of each source is in `lists.status`. */
export const standing = signal<Standing | undefined>(undefined);

/** Ask how it stands. Without an answer, what was known gets older. */
export async function loadStanding(): Promise<void> {
  try {
    standing.value = { doc: await store.request("GET", "/sync/status?limit=1"), at: (now.value = Date.now()) };
  } catch {}
}

/** Return whether no calendar is read by itself. */
export const isOff = (): boolean => {
  const doc = standing.value?.doc;
  return !!doc && !(doc.enabled && doc.install_complete);
};

/** The full names of units, as the API and the command line have them: after the property's, where two have the same name. */
const units = computed(() => {
  const all = [...(lists.units.value?.values() ?? [])];
  const alike = Map.groupBy(all, ({ name }) => name.toLowerCase());
  const houseOf = (id: string) => lists.properties.value?.get(id)?.name;
  const isAlone = (name: string) => alike.get(name.toLowerCase())?.length === 1;
  return new Map(all.map(({ id, name, property_id }) => [id, isAlone(name) ? [name] : [houseOf(property_id), name]]));
});

interface Named {
  readonly name: string;
  readonly unit_id: string | null;
}

/** Return the full name of a source: "Garden flat / Airbnb"; of one without a unit its own. */
export const nameOf = ({ name, unit_id }: Named): string =>
  [...(units.value.get(unit_id ?? "") ?? []), name].filter(Boolean).join(" / ");

/** Return a moment in the reader's time zone, without the date where that is today's; a dash for none. */
export function momentOf(at: string | number | null): string {
  if (!at) return "–";
  const date = new Date(at);
  const isToday = date.toDateString() === new Date(now.value).toDateString();
  const day = isToday ? {} : ({ dateStyle: "medium" } as const);
  return new Intl.DateTimeFormat(language.value, { ...day, timeStyle: "short", calendar: "gregory" }).format(date);
}

/** Return a text whose name is made of what the API answers; *or* is shown where there is none. */
export function textOr(name: string, or: string): string {
  const found = text(name as Name);
  return found === name ? or : found;
}
