/** The tape chart with made-up bookings: `draw(units, days, bookings)`, then `move()`; both answer when it is painted, in milliseconds. */

import { signal } from "@preact/signals";
import type { Booking, Item, Lists } from "bokit-client";
import { render } from "preact";
import { dateOf, dayOf } from "../../src/days.ts";
import { Model } from "../../src/model.ts";
import { TapeChart } from "../../src/views/chart.tsx";
import "./texts.ts";
import { makeBookings, makeUnits, painted } from "./made.ts";

const model = new Model();
let lists: Lists = {};
const FIRST = dayOf("2026-07-01");
const view = signal({ first: FIRST, days: 90, scale: 32, day: signal(FIRST), top: signal(0) });
/** What the chart reads of an item is enough. */
const byId = (items: readonly Item[]): ReadonlyMap<string, any> => new Map(items.map((item) => [item["id"], item]));

function draw(units: number, days: number, bookings: number, name?: string): Promise<number> {
  const made = makeBookings(units, days, bookings).map(({ id, unit, from, until, guest }, at) => ({
    id,
    unit_id: unit,
    kind: "reservation",
    blocks_nights: true,
    check_in: dateOf(view.value.first + from),
    check_out: dateOf(view.value.first + until),
    guest_name: name ?? guest,
    source_id: `src_${at % 3}`,
    edits: at % 7 ? {} : { notes: {} },
    echo_of: [],
    state: "own",
    status: "confirmed",
    sources: [{ source_id: `src_${at % 3}` }],
  }));
  lists = {
    units: byId(makeUnits(units).map(({ id, name }) => ({ id, name, property_id: "p" }))),
    properties: byId([{ id: "p", name: "Villa" }]),
    sources: byId(["Airbnb", "Booking.com", "VRBO"].map((channel, at) => ({ id: `src_${at}`, name: channel }))),
    bookings: byId(made),
  };
  view.value = { ...view.value, days };
  return painted(() => {
    model.show(lists);
    render(
      <TapeChart model={model} view={view} onOpen={(...route) => Object.assign(globalThis, { opened: route.join("/") })} />,
      document.querySelector("main")!,
    );
  });
}

/** Move one booking by a day, as an event does. */
function move(id = "b0"): Promise<number> {
  const before = lists.bookings?.get(id) as Booking;
  const later = (date: string | null) => dateOf(dayOf(date ?? "") + 1);
  const after = { ...before, check_in: later(before.check_in), check_out: later(before.check_out) };
  return painted(() => {
    lists = { ...lists, bookings: new Map(lists.bookings).set(id, after) };
    model.show(lists);
  });
}

/** Show a double booking of two bookings of the first unit. */
function clash(bookings: string[], nights: string[], status = "open"): Promise<number> {
  const conflict = { id: "con_1", unit_id: "u0", unit_ids: ["u0"], nights, bookings, status };
  return painted(() => {
    lists = { ...lists, conflicts: byId([conflict]) };
    model.show(lists);
  });
}

Object.assign(globalThis, { draw, move, clash });
