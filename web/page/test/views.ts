/** A world in which every view has something to show, and the address of each view and panel. */

import type { World } from "../../client/test/world.ts";
import { soon } from "./tester.ts";

/** Fill the world; return the views' addresses by name. */
export async function furnish(world: World): Promise<{ readonly [name: string]: string }> {
  const url = "https://8.8.8.8/feed.ics";
  await world.ask("POST", "/_test/feeds", {
    url,
    events: [
      [1, soon(1), soon(4)],
      [2, soon(6), soon(9)],
      [3, soon(12), soon(15)],
      [4, soon(20), soon(24)],
    ],
  });
  const property = await world.ask("POST", "/properties", { name: "Villa Rosa" });
  const units: string[] = [];
  for (const name of ["Garden flat", "Loft", "Tower room"])
    units.push((await world.ask("POST", "/units", { name, property_id: property.id })).id);
  const [unit = "", loft = ""] = units;
  const source = await world.ask("POST", "/sources", { name: "Booking.com", unit_id: unit, url });
  await world.ask("POST", "/_test/sync", { hours: 1 });
  await world.ask("POST", "/_test/feeds", { url, events: [] });
  await world.ask("POST", "/_test/sync", { hours: 2 });
  const book = (unit_id: string, from: number, to: number, guest_name: string) =>
    world.ask("POST", "/bookings", { unit_id, check_in: soon(from), check_out: soon(to), guest_name });
  const booking = await book(unit, 2, 5, "Ada Lovelace");
  await book(loft, 0, 3, "Grace Hopper");
  await book(loft, -2, 0, "Eve Example");
  await world.ask("POST", `/units/${unit}/calendars`, { for: "airbnb" });
  await world.ask("POST", "/webhooks", { url: "https://8.8.8.8/hook" });
  await world.ask("POST", "/alerts", { kind: "slack", url: "https://8.8.8.8/alert", name: "Owner" });
  const conflict = (await world.ask("GET", "/conflicts")).items[0];
  const run = (await world.ask("GET", "/sync/history")).items[0];
  return {
    chart: "#/chart",
    today: "#/today",
    conflicts: "#/conflicts",
    sources: "#/sources",
    calendars: "#/calendars",
    occupancy: "#/occupancy",
    runs: "#/runs",
    messages: "#/messages",
    setup: "#/setup",
    booking: `#/booking/${booking.id}`,
    night: `#/night/${unit}/${soon(2)}`,
    conflict: `#/conflict/${conflict.id}`,
    source: `#/source/${source.id}`,
    run: `#/run/${run.run_id}`,
  };
}
