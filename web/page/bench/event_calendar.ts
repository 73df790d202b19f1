/** @event-calendar with the same bookings: the best of the calendar libraries that were tried. */

import { createCalendar, ResourceTimeline } from "@event-calendar/core";
// @ts-expect-error TypeScript knows no style sheets
import "@event-calendar/core/index.css";
import { dateOf, dayOf } from "../src/days.ts";
import { makeBookings, makeUnits, painted } from "../test/pages/made.ts";

const FIRST = dayOf("2026-07-01");
let calendar: any;

const eventOf = ({ id, unit, from, until, guest }: ReturnType<typeof makeBookings>[number], moved = 0) => ({
  id,
  resourceId: unit,
  start: dateOf(FIRST + from + moved),
  end: dateOf(FIRST + until + moved),
  allDay: true,
  title: guest,
});

function draw(units: number, days: number, bookings: number): Promise<number> {
  const options = {
    view: "resourceTimelineDay",
    date: dateOf(FIRST),
    duration: { days },
    slotDuration: { days: 1 },
    height: "600px",
    resources: makeUnits(units).map(({ id, name }) => ({ id, title: name })),
    events: makeBookings(units, days, bookings).map((made) => eventOf(made)),
  };
  return painted(() => {
    calendar = createCalendar(document.querySelector("main")!, [ResourceTimeline], options as any);
  });
}

function move(at: number, units: number, days: number, bookings: number): Promise<number> {
  const made = makeBookings(units, days, bookings)[at]!;
  return painted(() => calendar.updateEvent(eventOf(made, 1)));
}

Object.assign(globalThis, { draw, move });
