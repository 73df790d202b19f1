import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { BROWSER, findViolations } from "../../client/test/browser.ts";
import { until, type World } from "../../client/test/world.ts";
import { LOOKS, soon, Tester } from "./tester.ts";

const AIRBNB = "https://8.8.8.8/calendar/ical/1.ics?s=x";
const HOSTILE = '"><img src=x onerror=alert(1)>';

let tester: Tester;
let world: World;

before(async () => {
  if (BROWSER.skip) return;
  tester = await Tester.start();
  world = tester.world;
  await feed(AIRBNB, [
    [1, soon(2), soon(5)],
    [2, soon(9), soon(12)],
  ]);
});
after(() => tester?.stop());

const feed = (url: string, events: unknown) => world.ask("POST", "/_test/feeds", { url, events });
const say = (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor();
/** What has the focus: its field's name, or its text. */
const focused = (page: Page) =>
  page.evaluate(() => (document.activeElement as HTMLInputElement)?.name || document.activeElement?.textContent || "");
const untilFocused = (page: Page, name: string) => until(async () => (await focused(page)) === name, `focus on ${name}`);

async function tabTo(page: Page, name: string | RegExp): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    const now = await focused(page);
    if (typeof name === "string" ? now === name : name.test(now)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`Tab does not reach ${name}`);
}

test("from an empty tenant to bookings on the chart, with the keyboard alone", BROWSER, () =>
  tester.show("#/runs", async (page) => {
    await until(() => page.url().endsWith("#/setup"));
    await tabTo(page, "name");
    await page.keyboard.type("Villa Rosa");
    await page.keyboard.press("Enter");

    await untilFocused(page, "property_id");
    await tabTo(page, "name");
    await page.keyboard.type("Garden flat");
    await page.keyboard.press("Enter");

    await untilFocused(page, "unit_id");
    await say(page, "Copy Airbnb's link");
    await tabTo(page, "url");
    await page.keyboard.type(AIRBNB);
    await page.keyboard.press("Enter");
    await say(page, "Airbnb: this calendar can be read.");
    await say(page, "2 bookings.");
    await say(page, /\d{4} – .*\d{4}: Reservation/);
    assert.equal((await world.ask("GET", "/sources")).items.length, 0);

    await page.keyboard.press("Enter");
    await say(page, "Reading Airbnb for the first time");
    await world.ask("POST", "/_test/sync", {});
    await say(page, "Airbnb is live: 2 entries are on the chart.");

    const address = page.getByLabel("Airbnb", { exact: true }).and(page.locator("input"));
    assert.match(await address.inputValue(), /\/feeds\/[\w-]{43}\.ics$/);
    await say(page, "Paste the address as the other website's link");
    assert.equal(await page.getByText("gets no calendar").count(), 0);

    await page.getByRole("status").getByRole("link", { name: "Calendar", exact: true }).focus();
    await page.keyboard.press("Enter");
    await page
      .getByRole("button", { name: /Reserved/ })
      .first()
      .waitFor();
    assert.match(page.url(), /#\/chart$/);
    const [property] = (await world.ask("GET", "/properties")).items;
    assert.equal(property.timezone, await page.evaluate(() => Intl.DateTimeFormat().resolvedOptions().timeZone));
  }),
);

const openForm = async (page: Page, title: RegExp) => {
  const step = page.locator("details").filter({ has: page.locator("summary", { hasText: title }) });
  await step.locator("summary").click();
  return step;
};

test("a wrong address is one clear error, and nothing that was typed is lost", BROWSER, async () => {
  await world.ask("POST", "/_test/feeds", { url: "https://8.8.8.8/rooms/1", body: "<!doctype html><title>Flat</title>" });
  await world.ask("POST", "/_test/feeds", { url: "https://8.8.8.8/old.ics", error: { code: "http-404", message: "HTTP 404" } });
  await world.ask("POST", "/_test/feeds", { url: "https://8.8.8.8/off", body: "Error: room synchroniser not enabled" });
  await tester.show("#/setup", async (page) => {
    const step = await openForm(page, /Add a channel/);
    await step.getByLabel("Name").fill("My channel");
    await step.getByLabel("Where it is from").selectOption("vrbo");
    for (const [url, reason] of [
      ["flat 7", /not a whole address/],
      ["http://192.168.1.7/x.ics", /not on the public internet/],
      ["https://nowhere.example/x.ics", /host is not found/],
      ["https://8.8.8.8/rooms/1", /a web page, not a calendar/],
      ["https://8.8.8.8/old.ics", /does not lead to a calendar any more/],
      ["https://8.8.8.8/off", /export is switched off/],
      [AIRBNB, /one with this name or address already/],
    ] as const) {
      await step.getByLabel("Calendar address").fill(url);
      await step.getByRole("button", { name: "Check the address" }).click();
      await step.getByRole("alert").filter({ hasText: reason }).waitFor();
      assert.equal(await step.getByLabel("Calendar address").inputValue(), url);
      assert.equal(await step.getByLabel("Name").inputValue(), "My channel");
      assert.equal(await step.getByLabel("Where it is from").inputValue(), "vrbo");
    }
    assert.equal((await world.ask("GET", "/sources")).items.length, 1);
  });
});

test("what was checked and then changed is checked again", BROWSER, async () => {
  await feed("https://8.8.8.8/2.ics", [[3, soon(20), soon(22)]]);
  await feed("https://8.8.8.8/3.ics", []);
  await tester.show("#/setup", async (page) => {
    const step = await openForm(page, /Add a channel/);
    await step.getByLabel("Name").fill("Second");
    await step.getByLabel("Calendar address").fill("https://8.8.8.8/2.ics");
    await step.getByRole("button", { name: "Check the address" }).click();
    await step.getByRole("button", { name: "Add this calendar" }).waitFor();
    await step.getByLabel("Calendar address").fill("https://8.8.8.8/3.ics");
    await step.getByRole("button", { name: "Check the address" }).click();
    await say(page, "Airbnb: this calendar is empty.");
    assert.equal(await page.getByText("Saved").count(), 0);

    // what is left in the form afterwards is what the next one begins with
    await step.getByLabel("Name").fill("");
    await step.getByLabel("Where it is from").selectOption("vrbo");
    await step.getByRole("button", { name: "Check the address" }).click();
    await step.getByRole("button", { name: "Add this calendar" }).click();
    await until(async () => (await world.ask("GET", "/sources")).items.some(({ name }: any) => name === "Vrbo"));
    await say(page, "Copy Airbnb's link");
    assert.equal(await step.getByLabel("Where it is from").inputValue(), "airbnb");
  });
});

test("more units, other names and time zones", BROWSER, () =>
  tester.show("#/setup", async (page) => {
    const add = await openForm(page, /Add a unit/);
    await add.getByLabel("Name").fill(HOSTILE);
    await add.getByRole("button", { name: "Add" }).click();
    await until(async () => (await world.ask("GET", "/units")).items.some((unit: any) => unit.name === HOSTILE));

    const rename = await openForm(page, /Rename/);
    await until(async () => (await rename.locator("option").count()) >= 3);
    await rename.getByLabel("House or unit").selectOption({ label: `Villa Rosa · ${HOSTILE}` });
    await rename.getByLabel("Time zone").fill("Mars/Base");
    await rename.getByRole("button", { name: "Save" }).click();
    await say(page, "This time zone is not known.");
    assert.equal(await rename.getByLabel("Time zone").inputValue(), "Mars/Base");
    await rename.getByLabel("Time zone").fill("Asia/Bangkok");
    await rename.getByRole("button", { name: "Save" }).click();
    const { items } = await until(async () => {
      const found = await world.ask("GET", "/units");
      return found.items.some((unit: any) => unit.timezone) && found;
    });
    assert.deepEqual(items.map((unit: any) => [unit.name, unit.timezone]).sort(), [
      [HOSTILE, "Asia/Bangkok"],
      ["Garden flat", null],
    ]);
    assert.equal(await page.locator("main img").count(), 0);
  }),
);

test("times are shown as they are, changed, and given back to the house", BROWSER, () =>
  tester.show("#/setup", async (page) => {
    const form = await openForm(page, /Check-in, check-out/);
    const unit = (await world.ask("GET", "/units")).items.find(({ name }: any) => name === "Garden flat");
    const stored = async () => {
      const { check_in_time, check_out_time, cleaning_minutes } = await world.ask("GET", `/units/${unit.id}`);
      return [check_in_time, check_out_time, cleaning_minutes];
    };
    await until(async () => (await form.locator("option").count()) >= 3);
    await form.getByLabel("House or unit").selectOption({ label: "Villa Rosa · Garden flat" });
    await form.getByLabel("Guests come from").fill("16:30");
    await form.getByLabel("Cleaning takes").fill("an hour");
    await form.getByRole("button", { name: "Save" }).click();
    await say(page, "Write whole minutes");
    assert.deepEqual(await stored(), [null, null, null]);
    await form.getByLabel("Cleaning takes").fill("90");
    await form.getByRole("button", { name: "Save" }).click();
    await until(async () => (await form.getByLabel("Guests come from").inputValue()) === "16:30");
    await until(async () => JSON.stringify(await stored()) === '["16:30",null,90]');

    await form.getByLabel("House or unit").selectOption({ label: "Villa Rosa" });
    assert.equal(await form.getByLabel("Guests come from").inputValue(), "");
    await form.getByLabel("House or unit").selectOption({ label: "Villa Rosa · Garden flat" });
    assert.equal(await form.getByLabel("Cleaning takes").inputValue(), "90");
    await form.getByLabel("Cleaning takes").fill("");
    await form.getByRole("button", { name: "Save" }).click();
    await until(async () => JSON.stringify(await stored()) === '["16:30",null,null]');
  }),
);

test("another tenant, empty, sees the same first steps", BROWSER, () =>
  tester.show("#/sources", (page) => page.locator("details[open] input[name=name]").waitFor(), {}, "other"),
);

for (const { name, ...look } of LOOKS)
  test(`axe finds nothing: ${name}`, BROWSER, () =>
    tester.show(
      "#/setup",
      async (page) => {
        await until(async () => (await page.locator("details.card").count()) === 5);
        await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
        for (const dir of ["ltr", "rtl"]) {
          await page.evaluate((dir) => void (document.documentElement.dir = dir), dir);
          assert.deepEqual(await findViolations(page), []);
        }
        const [width, room] = await page.evaluate(() => [document.querySelector("main")!.scrollWidth, innerWidth]);
        assert.ok(width! <= room!, `${width} > ${room}`);
      },
      look,
    ),
  );
