/** Words for units and nights. */

import { dayOf } from "./days.ts";
import { model } from "./session.ts";
import { language, text } from "./texts.ts";

/** Return the text of a name that is made of what the API says; the name itself where there is none. */
export const say = text as (name: string, values?: Parameters<typeof text>[1]) => string;

/** Return a unit's name, with its property's. */
export function unitName(id: string): string {
  const unit = model.units.value.find((one) => one.id === id);
  return unit ? `${unit.name} · ${unit.property}` : id;
}

const DAYS = { day: "numeric", month: "short", year: "numeric", timeZone: "UTC", calendar: "gregory" } as const;
/** Return the days from *first* to *last*, as people write them: `10–14 Jul 2026`. */
export const rangeText = (first: string, last = first): string =>
  new Intl.DateTimeFormat(language.value, DAYS).formatRange(Date.parse(first), Date.parse(last));

/** Return nights, those after each other as one span. */
export function nightsText(nights: readonly string[]): string {
  const spans: string[][] = [];
  for (const night of nights) {
    const last = spans.at(-1);
    if (last && dayOf(last.at(-1) as string) + 1 === dayOf(night)) last.push(night);
    else spans.push([night]);
  }
  return new Intl.ListFormat(language.value).format(spans.map((span) => rangeText(span[0] as string, span.at(-1))));
}
