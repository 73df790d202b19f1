/** Prints how the chart draws each night of each booking in a file, unit by unit: tests hold the command line against it. */

import { readFileSync } from "node:fs";
import type { Booking } from "bokit-client";
import { layOut } from "../src/bars.ts";
import { dateOf } from "../src/days.ts";

const units = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as Booking[][];
const nightsOf = (bookings: Booking[]) =>
  layOut(bookings).bars.flatMap(({ booking, from, until, look }) =>
    Array.from({ length: until - from }, (_, n) => [booking.id, dateOf(from + n), look]),
  );
console.log(JSON.stringify(units.map(nightsOf)));
