/** A property with two units, their platforms' calendars, and what tests of bookings do with the keyboard. */

import type { Page } from "playwright-core";
import { until } from "../../client/test/world.ts";
import { soon, type Tester } from "./tester.ts";

export interface Flat {
  readonly unit: string;
  readonly other: string;
  readonly airbnb: string;
}

/** What Airbnb's calendar shows: reservations by number, from a day to another. */
export const showFeed = (tester: Tester, ...events: readonly [number, number, number][]): Promise<unknown> =>
  tester.world.ask("POST", "/_test/feeds", {
    url: "https://8.8.8.8/1.ics",
    events: events.map(([number, from, until]) => [number, soon(from), soon(until), `HMABCDEF${10 + number}`]),
  });

export async function furnish(tester: Tester, ...events: readonly [number, number, number][]): Promise<Flat> {
  const { world } = tester;
  await showFeed(tester, ...events);
  const property = await world.ask("POST", "/properties", { name: "Villa Rosa" });
  const add = async (name: string) => (await world.ask("POST", "/units", { name, property_id: property.id })).id;
  const flat = { unit: await add("Garden flat"), other: await add("Loft") };
  const { id } = await world.ask("POST", "/sources", { name: "Airbnb", unit_id: flat.unit, url: "https://8.8.8.8/1.ics" });
  await world.ask("POST", "/_test/sync", {});
  return { ...flat, airbnb: id };
}

export const book = (tester: Tester, unit_id: string, from: number, until: number, values: object = {}): Promise<any> =>
  tester.world.ask("POST", "/bookings", { unit_id, check_in: soon(from), check_out: soon(until), ...values });

const focused = (page: Page) =>
  page.evaluate(() => {
    const element = document.activeElement as HTMLInputElement;
    return element.matches("a, button, summary, input, select, textarea") ? (element.labels?.[0] ?? element).textContent : "";
  });

/** Press Tab until what has the focus says this. */
export async function tabTo(page: Page, name: string | RegExp): Promise<void> {
  await until(async () => {
    const text = await focused(page);
    if (typeof name === "string" ? text.startsWith(name) : name.test(text)) return true;
    await page.keyboard.press("Tab");
    return false;
  }, `the focus on ${name}`);
}

export const HOSTILE = [
  '<img src=x onerror="alert(1)">',
  "<script>alert(1)</script>",
  "\u202egnp.exe",
  "'\"><svg/onload=alert(1)>",
  "javascript:alert(1)",
  "{value} {who} {{7*7}} $& $1",
  "ด้้้้้็็็็็้้้้้็็็็็",
] as const;
