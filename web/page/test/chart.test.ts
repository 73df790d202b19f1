import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { BROWSER, findViolations } from "../../client/test/browser.ts";
import { until, type World } from "../../client/test/world.ts";
import { LOOKS, soon, Tester } from "./tester.ts";

const URLS = { airbnb: "https://8.8.8.8/1.ics", booking: "https://8.8.8.8/2.ics" };
const CHART = "#/chart";
let tester: Tester;
let world: World;
let unit: string;
let loft: string;
let conflict: string;

before(async () => {
  if (BROWSER.skip) return;
  tester = await Tester.start();
  world = tester.world;
  const property = await world.ask("POST", "/properties", { name: "Villa Rosa" });
  const add = async (name: string) => (await world.ask("POST", "/units", { name, property_id: property.id })).id;
  [unit, loft] = [await add("Garden flat"), await add("Loft")];
  await book(unit, 0, 3, "Ada");
  await book(unit, 3, 6, "Grace");
  await book(unit, 5, 8, "Mallory", { kind: "block" });
  await feed("airbnb", [1, 10, 14], [2, 15, 17], [3, 20, 25]);
  await world.ask("POST", "/sources", { name: "Airbnb", unit_id: loft, url: URLS.airbnb });
  await world.ask("POST", "/_test/sync", { hours: 1 });
  conflict = (await world.ask("GET", "/conflicts")).items[0].id;
});
after(() => tester?.stop());

const book = (unit_id: string, from: number, to: number, guest_name: string, more: object = {}): Promise<any> =>
  world.ask("POST", "/bookings", { unit_id, check_in: soon(from), check_out: soon(to), guest_name, ...more });

const feed = (name: keyof typeof URLS, ...events: [number: number, from: number, to: number][]) =>
  world.ask("POST", "/_test/feeds", {
    url: URLS[name],
    events: events.map(([number, from, to]) => [number, soon(from), soon(to), `HMABCDEF${number}0`]),
  });

const bar = (page: Page, name: string | RegExp) => page.getByRole("button", { name });
const hash = (page: Page) => decodeURIComponent(new URL(page.url()).hash);
/** Wait for the address, and for the panel to be there, or gone: it is drawn after the address has changed. */
const arrives = (page: Page, route: string) =>
  until(
    async () => hash(page) === route && (await page.locator("aside").count()) === Number(route !== CHART),
    `${route} instead of ${hash(page)}`,
  );
const focused = (page: Page) => page.evaluate(() => document.activeElement?.ariaLabel ?? "");
const show: Tester["show"] = (...given) => tester.show(...given);

/** Return the middle of a night in a unit's row. */
async function nightIn(page: Page, name: string, days: number): Promise<{ x: number; y: number }> {
  const row = await page.getByRole("group", { name }).boundingBox();
  const day = await page.locator(".day.today").boundingBox();
  if (!row || !day) throw new Error("no such row");
  return { x: day.x + (days + 0.75) * day.width, y: row.y + row.height - 4 };
}

test("the mouse opens a booking, a double booking, and a free night", BROWSER, () =>
  show(CHART, async (page) => {
    const ada = (await world.ask("GET", `/bookings?unit_id=${unit}`)).items[0].id;
    await bar(page, /Ada/).click();
    await arrives(page, `#/booking/${ada}`);
    await page.getByRole("button", { name: /^Double booking/ }).click();
    await arrives(page, `#/conflict/${conflict}`);
    const { x, y } = await nightIn(page, "Loft", 4);
    await page.mouse.click(x, y);
    await arrives(page, `#/night/${loft}/${soon(4)}`);
  }),
);

test("the keyboard alone reaches a booking, a double booking and a free night, and comes back to it", BROWSER, () =>
  show(CHART, async (page) => {
    await bar(page, /Ada/).waitFor();
    await page.locator(".chart").focus();
    await page.keyboard.press("ArrowDown");
    await until(async () => /Ada/.test(await focused(page)));
    await page.keyboard.press("ArrowLeft");
    await until(async () => /^Free night/.test(await focused(page)));
    await page.keyboard.press("Enter");
    await arrives(page, `#/night/${unit}/${soon(-1)}`);
    await page.keyboard.press("Escape");
    await arrives(page, CHART);
    await until(async () => /^Free night/.test(await focused(page)));
    for (const name of [/Ada/, /Grace/, /^Double booking/]) {
      await page.keyboard.press("ArrowRight");
      await until(async () => name.test(await focused(page)), String(name));
    }
    await page.keyboard.press("Enter");
    await arrives(page, `#/conflict/${conflict}`);
    await page.keyboard.press("Escape");
    await arrives(page, CHART);
    await until(async () => /^Double booking/.test(await focused(page)));
    await page.keyboard.press("ArrowDown");
    await until(async () => /^Free night/.test(await focused(page)));
    await page.keyboard.press("Enter");
    await arrives(page, `#/night/${loft}/${soon(5)}`);
  }),
);

test("held arrows go to the end of the chart, and what has the focus is in view", BROWSER, () =>
  show(CHART, async (page) => {
    await bar(page, /Ada/).waitFor();
    await page.locator(".chart").focus();
    for (let press = 0; press < 60; press++) await page.keyboard.press("ArrowRight");
    await until(async () => /^Free night/.test(await focused(page)));
    const box = await page.evaluate(() => {
      const [chart, stop] = [document.querySelector(".chart"), document.activeElement].map((element) =>
        element?.getBoundingClientRect(),
      );
      return { from: stop!.left - chart!.left, until: chart!.right - stop!.right };
    });
    assert.ok(box.from >= 168 && box.until >= 0, JSON.stringify(box));
  }),
);

test("right to left, the left arrow leads on", BROWSER, () =>
  show(CHART, async (page) => {
    await page.evaluate(() => void (document.documentElement.dir = "rtl"));
    await bar(page, /Ada/).focus();
    await page.keyboard.press("ArrowLeft");
    await until(async () => /Grace/.test(await focused(page)));
    const day = await page.locator(".day.today").boundingBox();
    const row = await page.getByRole("group", { name: "Loft" }).boundingBox();
    await page.mouse.click(day!.x - 4.5 * day!.width, row!.y + row!.height - 4);
    await arrives(page, `#/night/${loft}/${soon(5)}`);
  }),
);

test("fingers move the chart and open a booking and a night", BROWSER, () =>
  show(
    CHART,
    async (page) => {
      await bar(page, /Ada/).waitFor();
      const { x, y } = await nightIn(page, "Loft", 3);
      await page.touchscreen.tap(x, y);
      await arrives(page, `#/night/${loft}/${soon(3)}`);
      await page.evaluate((route) => void (location.hash = route), CHART);
      await bar(page, /Ada/).tap();
      await until(() => hash(page).startsWith("#/booking/"));
      await page.evaluate((route) => void (location.hash = route), CHART);
      const client = await page.context().newCDPSession(page);
      const touch = (type: "touchStart" | "touchMove" | "touchEnd", ...touchPoints: { x: number; y: number }[]) =>
        client.send("Input.dispatchTouchEvent", { type, touchPoints });
      const before = await page.evaluate(() => document.querySelector(".chart")?.scrollLeft ?? 0);
      for (let swipe = 0; swipe < 3; swipe++) {
        await touch("touchStart", { x: 370, y });
        for (let at = 340; at > 120; at -= 20) await touch("touchMove", { x: at, y });
        await touch("touchEnd");
      }
      await until(() => page.evaluate((left) => (document.querySelector(".chart")?.scrollLeft ?? 0) > left + 500, before));
      await until(async () => (await bar(page, /Ada/).count()) === 0);
    },
    { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
  ),
);

test("where one was is kept while another view is shown", BROWSER, () =>
  show(CHART, async (page) => {
    await page.getByLabel("Go to date").fill("2027-05-01");
    await bar(page, "Wider").click();
    await until(async () => (await page.getByLabel("Go to date").inputValue()) === "2027-05-01");
    await page.evaluate(() => void (location.hash = "#/today"));
    await page.locator(".agenda").waitFor();
    await page.evaluate(() => void (location.hash = "#/chart"));
    await page.getByText("May 2027").first().waitFor();
    assert.equal(await page.getByLabel("Go to date").inputValue(), "2027-05-01");
    assert.ok(await bar(page, "Wider").isDisabled());
    await bar(page, "Later").click();
    await until(async () => (await page.getByLabel("Go to date").inputValue()) === "2027-05-29");
  }),
);

test("an acknowledged double booking is muted, at once", BROWSER, () =>
  show(CHART, async (page) => {
    const made = [await book(loft, 30, 33, "Eve"), await book(loft, 32, 35, "Oscar")];
    await page.getByLabel("Go to date").fill(soon(29));
    const mark = page.locator(`[data-unit="${loft}"] .mark`);
    await mark.waitFor();
    await until(async () => /double/.test((await bar(page, /Eve/).getAttribute("class")) ?? ""));
    const { items } = await world.ask("GET", `/conflicts?unit_id=${loft}`);
    await world.ask("POST", `/conflicts/${items[0].id}/acknowledge`);
    await page
      .getByRole("button", { name: /acknowledged/ })
      .first()
      .waitFor();
    assert.doesNotMatch((await bar(page, /Eve/).getAttribute("class")) ?? "", /double/);
    for (const { id } of made) await world.ask("PATCH", `/bookings/${id}`, { status: "cancelled" });
    await until(async () => (await mark.count()) === 0);
  }),
);

test("edits show, and the nights that a shorter booking still holds", BROWSER, () =>
  show(CHART, async (page) => {
    const { items } = await world.ask("GET", `/bookings?unit_id=${loft}`);
    const { id } = items.find((booking: any) => booking.check_in === soon(20));
    await bar(page, /Airbnb/)
      .first()
      .waitFor();
    await world.ask("PATCH", `/bookings/${id}`, { check_out: soon(22), guest_name: "Katherine" });
    await bar(page, /Airbnb · Katherine.*edited/).waitFor();
    await bar(page, /Kept closed · Katherine/).waitFor();
    await world.ask("POST", `/bookings/${id}/accept-remote`);
    await until(async () => (await bar(page, /Katherine/).count()) === 0);
  }),
);

test("what a guard keeps is named so, with the nights that the other calendar closes", BROWSER, () =>
  show(CHART, async (page) => {
    await bar(page, /Airbnb/)
      .first()
      .waitFor();
    await feed("airbnb", [7, 11, 13], [8, 30, 33], [9, 40, 41]);
    await world.ask("POST", "/_test/sync", { hours: 2 });
    assert.equal((await world.ask("GET", "/sync/status")).sources[0].state, "held");
    await until(async () => (await bar(page, /kept closed until you decide/).count()) === 3);
    await bar(page, /^Airbnb · Kept closed,/)
      .first()
      .waitFor();
    await page.getByLabel("Go to date").fill(soon(29));
    await until(async () => (await bar(page, /^Airbnb · Kept closed,/).count()) >= 2);
    await feed("airbnb", [1, 10, 14], [2, 15, 17], [3, 20, 25]);
    await world.ask("POST", "/sync/trigger", {});
    await world.ask("POST", "/_test/sync", { hours: 1 });
    await until(async () => (await bar(page, /kept closed until you decide/).count()) === 0);
  }),
);

test("what a removed calendar leaves is named and marked", BROWSER, () =>
  show(CHART, async (page) => {
    const [{ property_id }] = (await world.ask("GET", "/units")).items;
    const studio = await world.ask("POST", "/units", { name: "Studio", property_id });
    await feed("booking", [6, 2, 5]);
    const source = await world.ask("POST", "/sources", { name: "VRBO", unit_id: studio.id, url: URLS.booking });
    await world.ask("POST", "/_test/sync", { hours: 1 });
    await bar(page, /^VRBO/).waitFor();
    await world.ask("DELETE", `/sources/${source.id}`);
    const left = bar(page, /^Removed calendar/);
    await left.waitFor();
    assert.match((await left.getAttribute("class")) ?? "", /kept/);
  }),
);

for (const { name, ...look } of LOOKS)
  test(`axe finds nothing with a double booking, the legend and a night: ${name}`, BROWSER, () =>
    show(
      CHART,
      async (page) => {
        await bar(page, /Ada/).focus();
        await page.keyboard.press("ArrowLeft");
        await page.locator(".legend summary").click();
        await page.locator(".legend .block").waitFor();
        assert.deepEqual(await findViolations(page), []);
      },
      look,
    ),
  );
