import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { BROWSER, findViolations } from "../../client/test/browser.ts";
import { until, type World } from "../../client/test/world.ts";
import { LOOKS, soon, Tester } from "./tester.ts";

const HOSTILE = '<img src=x onerror="alert(1)">';

let tester: Tester;
let world: World;
let unit: string;
/** Sources by name. */
const sources: { [name: string]: string } = {};

before(async () => {
  if (BROWSER.skip) return;
  tester = await Tester.start();
  world = tester.world;
  const property = await world.ask("POST", "/properties", { name: "Villa Rosa" });
  unit = (await world.ask("POST", "/units", { name: "Garden flat", property_id: property.id })).id;
  for (const [name, platform] of [
    ["Airbnb", "airbnb"],
    ["Booking.com", "booking_com"],
    [HOSTILE, "vrbo"],
    ["My own", "google"],
  ]) {
    const url = `https://8.8.8.8/${platform}.ics`;
    await world.ask("POST", "/_test/feeds", { url, events: [[1, soon(1), soon(3)]] });
    sources[name!] = (await world.ask("POST", "/sources", { unit_id: unit, name, url, platform })).id;
  }
  await world.ask("POST", `/units/${unit}/calendars`, { for: "booking_com" });
  await world.ask("POST", `/units/${unit}/calendars`, { for: sources["Airbnb"], variant: "bookings" });
});
after(() => tester?.stop());

const listed = async () => (await world.ask("GET", `/units/${unit}/calendars`)).items;

test("a channel that gets no calendar is warned of, until it has one", BROWSER, () =>
  tester.show("#/calendars", async (page) => {
    const warnings = page.locator("main .notice");
    await warnings.first().waitFor();
    // Airbnb's calendar lists bookings alone: what is closed elsewhere stays open there
    assert.deepEqual(
      (await warnings.allTextContents()).map((text) => text.split(" gets no")[0]),
      ["Airbnb", HOSTILE].sort(),
    );
    await page.getByRole("button", { name: "Make a calendar for Airbnb" }).click();
    await until(async () => (await warnings.count()) === 1);
    assert.ok((await listed()).some((one: any) => one.for === sources["Airbnb"] && one.variant === "occupied"));
    assert.equal(await page.locator("main img").count(), 0);
  }),
);

test("its address is copied; where the browser forbids that, it is selected", BROWSER, async () => {
  const [{ url }] = (await listed()).filter((one: any) => one.for === "booking_com");
  const card = "article:has(h3:text-is('Booking.com'))";
  await tester.show(
    "#/calendars",
    async (page) => {
      await page.locator(card).getByRole("button", { name: "Copy" }).click();
      await page.locator(card).getByText("Copied").waitFor();
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), url);
    },
    { permissions: ["clipboard-read", "clipboard-write"] },
  );
  await tester.show("#/calendars", async (page) => {
    await page.locator(card).getByRole("button", { name: "Copy" }).waitFor();
    await page.evaluate(() => (navigator.clipboard.writeText = () => Promise.reject(new Error("forbidden"))));
    await page.locator(card).getByRole("button", { name: "Copy" }).click();
    await page.locator(card).getByText("The address is selected").waitFor();
    const selected = await page.evaluate(() => {
      const { value, selectionStart, selectionEnd } = document.querySelector<HTMLInputElement>(".copy input:focus")!;
      return value.slice(selectionStart!, selectionEnd!);
    });
    assert.equal(selected, url);
  });
});

test("a viewer sees that there are calendars, and neither addresses nor buttons", BROWSER, () =>
  tester.show(
    "#/calendars",
    async (page) => {
      await page.getByText("Its address is shown to operators only.").first().waitFor();
      assert.equal(await page.locator(".copy").count(), 0);
      assert.equal(await page.locator("main article button").count(), 0);
      assert.equal((await page.content()).includes("/feeds/"), false);
    },
    {},
    "viewer",
  ),
);

test("a guide for each platform, and when it was last read", BROWSER, async () => {
  const [{ url }] = (await listed()).filter((one: any) => one.for === "booking_com");
  await tester.show("#/calendars", async (page) => {
    const card = page.locator("article:has(h3:text-is('Booking.com'))");
    await card.getByText("Nobody has read it yet.").waitFor();
    await card.getByText("Where to paste it").click();
    await card.getByText("Add calendar connection").waitFor();
    await card.getByText("What Booking.com itself has booked is left out.").waitFor();
  });
  await world.send("GET", new URL(url).pathname);
  await tester.show("#/calendars", async (page) => {
    await page
      .locator("article:has(h3:text-is('Booking.com'))")
      .getByText(/Last read: .*2026/)
      .waitFor();
  });
});

test("who reads a calendar, how often, and who has stopped", BROWSER, async () => {
  const path = new URL((await listed()).find((one: any) => one.for === "booking_com").url).pathname;
  const read = () => fetch(`http://127.0.0.1:${world.apiPort}${path}`, { headers: { "user-agent": "Booking.com" } });
  for (let n = 0; n < 4; n++) {
    await world.ask("POST", "/_test/sync", { hours: 2 });
    assert.equal((await read()).status, 200);
  }
  const line = (page: any, said: RegExp) => page.locator("article:has(h3:text-is('Booking.com'))").getByText(said).waitFor();
  await tester.show("#/calendars", (page) => line(page, /Booking\.com: .*2026.*, usually every 2 hours\./));
  await world.ask("POST", "/_test/sync", { hours: 7 });
  await tester.show("#/calendars", async (page) => {
    await line(page, /Booking\.com has not read it since .*2026.*, and usually does every 2 hours\./);
    const folder = process.env["BOKIT_SHOTS"];
    if (folder) await page.locator("article:has(h3:text-is('Booking.com'))").screenshot({ path: `${folder}/readers.png` });
  });
});

test("a new address, and the end of a calendar: both ask before", BROWSER, () =>
  tester.show("#/calendars", async (page) => {
    const card = page.locator("article:has(h3:text-is('Booking.com'))");
    const address = card.locator(".copy input");
    const former = await address.inputValue();
    await card.getByRole("button", { name: "New address" }).click();
    await card.getByText("The former one works for 2 more days.").waitFor();
    await card.getByRole("button", { name: "Cancel" }).click();
    assert.equal(await address.inputValue(), former);
    await card.getByRole("button", { name: "New address" }).click();
    await card.locator(".ask").getByRole("button", { name: "New address" }).click();
    await until(async () => (await address.inputValue()) !== former);
    await world.send("GET", new URL(former).pathname);

    await card.getByRole("button", { name: "Delete" }).click();
    await card.getByText("Its address stops working at once").waitFor();
    await card.locator(".ask").getByRole("button", { name: "Delete" }).click();
    await until(async () => (await card.count()) === 0);
    await page.getByText("Booking.com gets no calendar").waitFor();
  }),
);

test("another calendar: for a cleaner, with arrivals alone", BROWSER, () =>
  tester.show("#/calendars", async (page) => {
    await page.getByText("Make another calendar").click();
    await page.getByLabel("Who reads it").selectOption("");
    await page.getByLabel("What it says").selectOption("arrivals");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByRole("heading", { name: "Anybody" }).waitFor();
    assert.ok((await listed()).some((one: any) => one.for === null && one.variant === "arrivals"));
  }),
);

for (const { name, ...look } of LOOKS)
  test(`axe finds nothing: ${name}`, BROWSER, () =>
    tester.show(
      "#/calendars",
      async (page) => {
        await page.locator("article").first().waitFor();
        await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
        for (const dir of ["ltr", "rtl"]) {
          await page.evaluate((dir) => void (document.documentElement.dir = dir), dir);
          assert.deepEqual(await findViolations(page), []);
        }
      },
      look,
    ),
  );
