/** Days as numbers: today is the reader's, wherever that is. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { dateOf, formatDays, today } from "../src/days.ts";

const zone = process.env["TZ"];
after(() => {
  zone === undefined ? delete process.env["TZ"] : (process.env["TZ"] = zone);
});

test("today is the day of the reader's time zone, on the days of its clock changes too", () => {
  const hours = Array.from({ length: 49 }, (_, hour) => hour * 3_600_000 - 1);
  const starts = ["1999-12-31", "2026-03-28", "2026-10-24", "2026-11-30"].map((date) => Date.parse(date));
  for (const name of ["UTC", "Europe/Rome", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu"]) {
    process.env["TZ"] = name;
    const written = new Intl.DateTimeFormat("sv-SE", { timeZone: name });
    for (const moment of starts.flatMap((start) => hours.map((hour) => new Date(start + hour))))
      assert.equal(dateOf(today(moment)), written.format(moment), `${name} at ${moment.toISOString()}`);
  }
});

test("a language writes days in its own way, whatever was written before", () => {
  const day = Date.UTC(2026, 6, 10) / 86_400_000;
  const write = (language: string) => formatDays(language, { day: "numeric", month: "long" })(day);
  assert.deepEqual(["en", "de", "en"].map(write), ["July 10", "10. Juli", "July 10"]);
  assert.equal(formatDays("en", { month: "short" })(day), "Jul");
});
