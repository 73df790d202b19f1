import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { BROWSER, findViolations } from "../../client/test/browser.ts";
import { until, type World } from "../../client/test/world.ts";
import { LOOKS, soon, Tester } from "./tester.ts";

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
let tester: Tester;
let world: World;
let flat: string;
let loft: string;

before(async () => {
  if (BROWSER.skip) return;
  tester = await Tester.start();
  world = tester.world;
  const property = await world.ask("POST", "/properties", { name: "Villa Rosa" });
  const add = async (name: string) => (await world.ask("POST", "/units", { name, property_id: property.id })).id;
  [flat, loft] = [await add("Garden flat"), await add("Loft")];
  await book(flat, -3, 0, "Ada");
  await book(flat, 0, 4, "Grace", { guests: 3, status: "tentative" });
  await book(loft, -1, 2, "Mary");
});
after(() => tester?.stop());

const book = (unit_id: string, from: number, to: number, guest_name: string, more: object = {}): Promise<any> =>
  world.ask("POST", "/bookings", { unit_id, check_in: soon(from), check_out: soon(to), guest_name, ...more });

const show: Tester["show"] = (...given) => tester.show(...given);
const hash = (page: Page) => decodeURIComponent(new URL(page.url()).hash);

/** Return what each section says. */
const sections = (page: Page) =>
  page.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll("[aria-live] section")].map((section) => [
        section.querySelector("h3")?.textContent,
        [...section.querySelectorAll("li")].map((line) => line.textContent),
      ]),
    ),
  );

test("the day says who leaves, who arrives and who stays, and which unit changes guests", BROWSER, () =>
  show("#/today", async (page) => {
    await page.getByText("1 guest leaves").waitFor();
    await page.locator("[aria-live] section", { hasText: "Garden flat" }).first().waitFor();
    const found = await sections(page);
    assert.deepEqual(Object.keys(found), ["1 guest leaves", "1 guest arrives", "1 guest stays"]);
    assert.match(
      String(found["1 guest leaves"]),
      /Garden flat Villa Rosa AdaBy hand · by 11:00 · since .*⇄ The next guest arrives the same day · 11:00–15:00$/,
    );
    assert.match(
      String(found["1 guest arrives"]),
      /Garden flat .* GraceBy hand · from 15:00 · 3 people · until .* · not confirmed yet⇄/,
    );
    assert.match(String(found["1 guest stays"]), /Loft .*Mary/);
    assert.doesNotMatch(String(found["1 guest stays"]), /⇄/);
  }),
);

test("times of a unit and of its property show at once, and that they are too short for cleaning", BROWSER, () =>
  show("#/today", async (page) => {
    const { property_id } = await world.ask("GET", `/units/${flat}`);
    await page.getByText("11:00–15:00").first().waitFor();
    await world.ask("PATCH", `/properties/${property_id}`, { check_in_time: "16:00", cleaning_minutes: 301 });
    await page.getByText("from 16:00").waitFor();
    await page.getByText("11:00–16:00 · ⚠ Cleaning takes 301 minutes: too little time").first().waitFor();
    await world.ask("PATCH", `/units/${flat}`, { cleaning_minutes: 300 });
    await until(async () => (await page.getByText("too little time").count()) === 0);
    await world.ask("PATCH", `/properties/${property_id}`, { check_in_time: null, cleaning_minutes: null });
    await page.getByText("from 15:00").waitFor();
  }),
);

test("changes show at once, edits as edits, and a double booking as something to do", BROWSER, () =>
  show("#/today", async (page) => {
    await page.getByText("1 guest arrives").waitFor();
    const { id } = await book(loft, 0, 1, "Eve");
    await page.getByText("2 guests arrive").waitFor();
    await page.getByText("Needs you now").waitFor();
    await page.getByRole("link", { name: /Double booking Loft/ }).click();
    await until(() => hash(page).startsWith("#/conflict/"));
    await page.evaluate(() => void (location.hash = "#/today"));
    await world.ask("PATCH", `/bookings/${id}`, { status: "cancelled" });
    await page.getByText("1 guest arrives").waitFor();
    await until(async () => (await page.getByText("Needs you now").count()) === 0);
  }),
);

test("the keyboard alone goes to the next day, to a quiet one, and opens a booking", BROWSER, () =>
  show("#/today", async (page) => {
    await page.getByText("1 guest leaves").waitFor();
    await page.getByRole("link", { name: "Next day" }).focus();
    await page.keyboard.press("Enter");
    await until(() => hash(page) === `#/today/${soon(1)}`);
    await page.getByText("2 guests stay").waitFor();
    await page.getByText("Nobody arrives or leaves on this day.").waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    for (let presses = 0; presses < 12; presses++) {
      if (await page.evaluate(() => document.activeElement?.matches(".agenda li a"))) break;
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await until(() => hash(page).startsWith("#/booking/"));
    await page.evaluate((date) => void (location.hash = `#/today/${date}`), soon(60));
    await page.getByText("Nobody arrives or leaves on this day.").waitFor();
    assert.deepEqual(await sections(page), {});
  }),
);

test("a phone shows the day first, a finger opens a booking", BROWSER, () =>
  tester.open(
    `/#token=${world.tokens.admin}`,
    async (page) => {
      await page.getByText("Grace").tap();
      await until(() => hash(page).startsWith("#/booking/"));
    },
    PHONE,
  ),
);

test("on paper the day is a list without what is pressed, and none of it is cut", BROWSER, () =>
  show("#/today", async (page) => {
    await page.getByText("Grace").first().waitFor();
    await page.setViewportSize({ width: 794, height: 300 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollHeight <= 300), "the view scrolls within itself");
    await page.emulateMedia({ media: "print" });
    const height = await page.evaluate(() => document.querySelector("main")?.scrollHeight ?? 0);
    assert.ok(height > 300);
    assert.ok(await page.evaluate((height) => document.documentElement.scrollHeight >= height, height), "the page is as long");
    assert.equal(await page.getByText("Grace").first().isVisible(), true);
    for (const role of ["navigation", "button"] as const)
      for (const pressed of await page.getByRole(role).all()) assert.equal(await pressed.isVisible(), false);
  }),
);

test("a wide screen shows the chart first", BROWSER, () =>
  tester.open(`/#token=${world.tokens.admin}`, (page) => page.locator(".chart").waitFor()),
);

for (const { name, ...look } of LOOKS)
  test(`axe finds nothing: ${name}`, BROWSER, () =>
    show(
      "#/today",
      async (page) => {
        await page.getByText("Grace").waitFor();
        for (const dir of ["ltr", "rtl"]) {
          await page.evaluate((given) => void (document.documentElement.dir = given), dir);
          assert.deepEqual(await findViolations(page), []);
        }
      },
      look,
    ),
  );
