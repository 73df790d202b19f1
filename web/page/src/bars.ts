/** What the tape chart draws of a unit: bars in lanes, and where it is booked twice. Pure; what a booking is, the API says. */

import type { Booking, Conflict } from "bokit-client";
import { dayOf } from "./days.ts";

/** The first night, and the day of departure. */
type Span = readonly [from: number, until: number];

export interface Bar {
  readonly key: string;
  readonly booking: Booking;
  readonly from: number;
  readonly until: number;
  /** From the top; -1 stands for the strip below all. */
  readonly lane: number;
  readonly look: Look;
  /** Those that repeat it and are not drawn themselves. */
  readonly echoes: readonly Booking[];
  readonly conflict: Conflict | undefined;
  /** Whether another guest leaves on the day of its arrival. */
  readonly isTurnover: boolean;
}

/** `held` are nights that stay closed although the booking's dates do not say so; `window` is closed by the channel's own rules. */
export type Look = "reservation" | "block" | "window" | "held" | "fading" | "echo";

/** Nights of a conflict that follow each other. */
export interface Mark {
  readonly key: string;
  readonly conflict: Conflict;
  readonly from: number;
  readonly until: number;
}

export interface Row {
  /** In order of their first night. */
  readonly bars: readonly Bar[];
  readonly marks: readonly Mark[];
  /** How many bars stand above each other at most; at least one. */
  readonly lanes: number;
}

/**
 * Return the bars of one unit's bookings. An echo is drawn with the bookings that it repeats; what holds no night is left out.
 * Bars that are as they were before are the same objects, so that they are not drawn again.
 */
export function layOut(bookings: readonly Booking[], conflicts: readonly Conflict[] = [], before?: Row): Row {
  const byId = new Map(bookings.map((booking) => [booking.id, booking]));
  const parts = new Map(bookings.map((booking) => [booking.id, partsOf(booking)]));
  const echoes = new Map<string, Booking[]>();
  for (const booking of bookings.filter(({ state }) => state === "echo")) {
    const originals = booking.echo_of.filter((id) => byId.has(id));
    for (const id of originals) echoes.set(id, [...(echoes.get(id) ?? []), booking]);
    const covering = originals.flatMap((id) => parts.get(id) ?? []);
    if (parts.get(booking.id)?.every((part) => isCovered(part, covering))) parts.delete(booking.id);
  }
  const spans = [...parts].flatMap(([id, found]) =>
    found.map((part, at) => ({ key: `${id}.${at}`, booking: byId.get(id) as Booking, ...part })),
  );
  spans.sort((one, other) => one.from - other.from || one.until - other.until || (one.booking.id < other.booking.id ? -1 : 1));
  const departures = new Set(spans.filter(({ look }) => look === "reservation").map(({ until }) => until));
  const known = new Map(before?.bars.map((bar) => [bar.key, bar]));
  const ends: number[] = [];
  const bars = spans.map((span): Bar => {
    const { key, booking, from, until, look } = span;
    const bar = {
      ...span,
      lane: look === "window" ? -1 : placeIn(ends, from, until),
      echoes: echoes.get(booking.id) ?? NONE,
      conflict: conflicts.find((conflict) => conflict.bookings.includes(booking.id)),
      isTurnover: look === "reservation" && departures.has(from),
    };
    const old = known.get(key);
    return old && isSame(old, bar) ? old : bar;
  });
  return { bars, marks: conflicts.flatMap(marksOf), lanes: Math.max(1, ends.length) };
}

const NONE: readonly Booking[] = [];

/** Return whether two of one kind hold the same. */
export const isSame = <T extends object>(one: T, other: T): boolean =>
  (Object.keys(one) as (keyof T)[]).every((name) => one[name] === other[name]);

export const EMPTY: Row = layOut([]);

interface Part {
  readonly from: number;
  readonly until: number;
  readonly look: Look;
}

/** Return the nights that a booking holds, in parts of one look. */
function partsOf({ kind, state, blocks_nights, check_in, check_out, held_nights, provisional_nights, fading_nights }: Booking) {
  const parts: Part[] = [];
  if (!blocks_nights && !fading_nights?.length) return parts;
  const dates: Span[] = check_in && check_out && check_in < check_out ? [[dayOf(check_in), dayOf(check_out)]] : [];
  const isWindow = kind === "window";
  const look: Look = isWindow ? "held" : fading_nights?.length ? "fading" : state === "echo" ? "echo" : kind;
  // nearly all
  if (!held_nights && !isWindow) return dates.map(([from, until]) => ({ from, until, look }));
  const inner = isWindow ? (provisional_nights ?? []).map(spanOf) : dates;
  for (const [first, end] of held_nights?.map(spanOf) ?? dates) {
    let from = first;
    const add = (until: number, part: Look) => {
      if (from < until) parts.push({ from, until, look: part });
      from = Math.max(from, until);
    };
    for (const [start, stop] of inner) {
      add(Math.min(start, end), isWindow ? "window" : "held");
      add(Math.min(stop, end), look);
    }
    add(end, isWindow ? "window" : "held");
  }
  return parts;
}

const spanOf = ([from = "", until = ""]: readonly string[]): Span => [dayOf(from), dayOf(until)];

function isCovered({ from, until }: Part, parts: readonly Part[]): boolean {
  for (let night = from; night < until; night++) if (!parts.some((part) => holds(part, night))) return false;
  return true;
}

const holds = ({ from, until }: { from: number; until: number }, night: number) => from <= night && night < until;

/** Return the first lane that is free from then on, and take it. */
function placeIn(ends: number[], from: number, until: number): number {
  const free = ends.findIndex((end) => end <= from);
  const lane = free < 0 ? ends.length : free;
  ends[lane] = until;
  return lane;
}

function marksOf(conflict: Conflict): Mark[] {
  const marks: { key: string; conflict: Conflict; from: number; until: number }[] = [];
  for (const night of conflict.nights.map(dayOf)) {
    const last = marks.at(-1);
    if (last?.until === night) last.until++;
    else marks.push({ key: `${conflict.id}.${night}`, conflict, from: night, until: night + 1 });
  }
  return marks;
}

/** Return the bars or marks that have a day of `[first, last)`. */
export function within<T extends { from: number; until: number }>(all: readonly T[], first: number, last: number): T[] {
  return all.filter(({ from, until }) => from < last && until >= first);
}

/** A place that the keyboard reaches: a bar, a mark, or a free night. */
export interface Stop {
  readonly key: string;
  readonly from: number;
}

const nightStop = (from: number): Stop => ({ key: `${from}`, from });

/** Return what has a key: a bar, a mark, or else the free night. */
export const stopOf = ({ bars, marks }: Row, key: string): Bar | Mark | Stop =>
  bars.find((bar) => bar.key === key) ?? marks.find((mark) => mark.key === key) ?? nightStop(Number(key));

/** Return what is at a night of a row. */
export const stopAt = ({ bars, marks }: Row, night: number): Stop =>
  bars.find((bar) => holds(bar, night)) ?? marks.find(({ from }) => from === night) ?? nightStop(night);

/** Return the stop before (-1) or after (1) another one: a bar or a mark, or a free night where that is nearer. */
export function stopBeside({ bars, marks }: Row, { key, from }: Stop, step: number): Stop {
  const all = [...marks, ...bars].sort((one, other) => one.from - other.from);
  const at = all.findIndex((stop) => stop.key === key);
  const free = all.findIndex((stop) => stop.from > from);
  const next = all[at < 0 ? (free < 0 ? all.length : free) - (step < 0 ? 1 : 0) : at + step];
  let night = from + step;
  while (bars.some((bar) => holds(bar, night)) || marks.some((mark) => mark.from === night)) night += step;
  return next && (next.from - night) * step < 0 ? next : nightStop(night);
}
