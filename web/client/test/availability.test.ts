/** `<bokit-availability>` on the example website, under its strict policy, against the real API. */

import assert from "node:assert/strict";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { BROWSER, findViolations, launch, watchPage } from "./browser.ts";
import { World } from "./world.ts";

const EXAMPLE = new URL("../../../examples/website/serve.mjs", import.meta.url);
/** The visitor's day; the API's clock stands at another: ages are judged by the API's. */
const TODAY = new Date("2026-06-10T12:00:00Z");
/** Hours: the API's clock stands, and its answers are of today. */
const ANY_AGE = "999999";

let world: World;
let browser: Browser;
let server: Server;
let address: string;

before(async () => {
  if (BROWSER.skip) return;
  [world, browser] = await Promise.all([World.start(), launch()]);
  const { id: property_id } = await world.ask("POST", "/properties", { name: "Rosa", timezone: "Europe/Rome" });
  const { id: unit_id } = await world.ask("POST", "/units", { name: "Garden flat", property_id });
  for (const [check_in, check_out] of [
    ["2026-06-08", "2026-06-12"],
    ["2026-06-20", "2026-06-24"],
    ["2026-06-24", "2026-06-26"],
    ["2026-07-30", "2026-08-02"],
  ])
    await world.ask("POST", "/bookings", { unit_id, kind: "reservation", check_in, check_out, guest_name: "Ann" });
  const calendar = await world.ask("POST", `/units/${unit_id}/calendars`, { details: false });
  address = `http://127.0.0.1:${world.apiPort}${new URL(calendar.availability_url).pathname}`;
  const { serve } = await import(EXAMPLE.href);
  server = await serve({ calendar: address });
});
after(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
  await world?.stop();
});

/** Open the website as a visitor whose language is *locale*; it must not complain of anything. */
async function open(run: (page: Page) => Promise<void>, { lang = "en", maxAge = ANY_AGE } = {}): Promise<void> {
  const context = await browser.newContext({ timezoneId: "Europe/Rome", viewport: { width: 760, height: 520 } });
  try {
    const page = await context.newPage();
    const complaints = await watchPage(page);
    await page.clock.setFixedTime(TODAY);
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.evaluate(
      ([lang = "", maxAge = ""]) => {
        document.documentElement.lang = lang;
        document.querySelector("bokit-availability")?.setAttribute("max-age", maxAge);
      },
      [lang, maxAge],
    );
    await run(page);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

const cell = (page: Page, day: string) => page.locator(`bokit-availability td[data-day='${day}']`);
const states = async (page: Page, ...days: string[]) =>
  Promise.all(days.map(async (day) => (await cell(page, day).getAttribute("class")) ?? ""));
const refresh = (page: Page) => page.evaluate("document.querySelector('bokit-availability').refresh()");
const focused = (page: Page) =>
  page.evaluate("document.querySelector('bokit-availability').shadowRoot.activeElement?.dataset.day") as Promise<string>;

test("nights are free, taken, or half a day, and nobody is named", BROWSER, () =>
  open(async (page) => {
    await cell(page, "2026-06-12").and(page.locator(".out")).waitFor();
    assert.deepEqual(await states(page, "2026-06-09", "2026-06-10", "2026-06-11", "2026-06-12"), [
      "past",
      "taken",
      "taken",
      "out",
    ]);
    const turn = await states(page, "2026-06-19", "2026-06-20", "2026-06-23", "2026-06-24", "2026-06-25", "2026-06-26");
    assert.deepEqual(turn, ["free", "in", "taken", "taken", "taken", "out"]);
    assert.deepEqual(await states(page, "2026-07-30", "2026-07-31"), ["in", "taken"]);
    assert.equal(await cell(page, "2026-06-26").getAttribute("aria-label"), "Friday, June 26, 2026: free to arrive");
    assert.equal(await page.locator("bokit-availability table").count(), 2);
    assert.doesNotMatch((await page.locator("bokit-availability section").textContent()) ?? "", /Ann/);
    assert.deepEqual(await findViolations(page), []);
    if (process.env["BOKIT_SHOTS"]) await page.screenshot({ path: `${process.env["BOKIT_SHOTS"]}/availability.png` });
  }),
);

test("the keyboard moves by days, weeks and months, from one month to the next", BROWSER, () =>
  open(async (page) => {
    await cell(page, "2026-06-12").and(page.locator(".out")).waitFor();
    await page.locator("bokit-availability [tabindex='0']").focus();
    const went = [];
    for (const key of [
      "ArrowRight",
      "ArrowDown",
      "Home",
      "End",
      "PageDown",
      "PageDown",
      "Shift+PageDown",
      "ArrowUp",
      "ArrowLeft",
    ]) {
      await page.keyboard.press(key);
      went.push(`${key} ${await focused(page)}`);
    }
    assert.deepEqual(went, [
      "ArrowRight 2026-06-11",
      "ArrowDown 2026-06-18",
      "Home 2026-06-14",
      "End 2026-06-20",
      "PageDown 2026-07-20",
      "PageDown 2026-08-20",
      "Shift+PageDown 2027-08-20",
      "ArrowUp 2027-08-13",
      "ArrowLeft 2027-08-12",
    ]);
    await page.keyboard.press("Shift+PageUp");
    await page.keyboard.press("Shift+PageUp");
    assert.equal(await focused(page), "2026-06-10", "no day before the first");
    assert.equal(await page.locator("bokit-availability [tabindex='0']").count(), 1);
    await page.getByRole("button", { name: "Later" }).click();
    assert.match((await page.locator("bokit-availability section").textContent()) ?? "", /August 2026/);
  }),
);

test("any language has its names, its first weekday and its direction", BROWSER, async () => {
  const seen: string[] = [];
  for (const lang of ["de", "ar", "pl"])
    await open(
      async (page) => {
        await page.evaluate("document.querySelector('bokit-availability').setAttribute('months', '1')");
        await cell(page, "2026-06-12").and(page.locator(".out")).waitFor();
        const texts = await page.locator("bokit-availability th").allInnerTexts();
        const dir = await page.locator("bokit-availability section").getAttribute("dir");
        seen.push(`${dir} ${texts[0]} ${await cell(page, "2026-06-19").getAttribute("aria-label")}`);
        if (lang !== "ar") return;
        await page.locator("bokit-availability [tabindex='0']").focus();
        await page.keyboard.press("ArrowLeft");
        assert.equal(await focused(page), "2026-06-11", "to the left is later");
        if (process.env["BOKIT_SHOTS"]) await page.screenshot({ path: `${process.env["BOKIT_SHOTS"]}/availability-ar.png` });
      },
      { lang },
    );
  assert.equal(seen[0], "ltr Mo Freitag, 19. Juni 2026: frei");
  assert.match(seen[1] ?? "", /^rtl /);
  assert.match(seen[2] ?? "", /^ltr pon\.? piątek, 19 czerwca 2026.*: free$/);
});

test("what cannot be read, or is old, is never free", BROWSER, () =>
  open(async (page) => {
    const free = page.locator("bokit-availability td.free, bokit-availability td.out, bokit-availability td.in");
    await free.first().waitFor();
    const isNothingFree = async () => {
      await page.locator("bokit-availability [role=status]", { hasText: "not known now" }).waitFor();
      assert.equal(await free.count(), 0);
      assert.deepEqual(await states(page, "2026-06-21", "2026-06-19"), ["taken", "unknown"]);
    };

    await page.route("**/feeds/**", (route) => route.abort());
    await refresh(page);
    await isNothingFree();
    await page.unroute("**/feeds/**");
    await refresh(page);
    await free.first().waitFor();

    await page.evaluate("document.querySelector('bokit-availability').setAttribute('max-age', '1')");
    await isNothingFree();
    await page.evaluate("document.querySelector('bokit-availability').setAttribute('max-age', '999999')");
    await free.first().waitFor();

    // an address of nothing: what was known of another is forgotten
    await page.evaluate(
      (url) => document.querySelector("bokit-availability")?.setAttribute("url", url),
      address.replace(/[^/]{9}\.json/, "x.json"),
    );
    await page.locator("bokit-availability [role=status]", { hasText: "not known now" }).waitFor();
    assert.deepEqual(await states(page, "2026-06-21", "2026-06-19"), ["unknown", "unknown"]);
  }),
);
