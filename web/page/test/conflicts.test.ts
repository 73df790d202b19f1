import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { BROWSER, findViolations } from "../../client/test/browser.ts";
import { until } from "../../client/test/world.ts";
import { book, type Flat, furnish, HOSTILE, tabTo } from "./bookings.ts";
import { LOOKS, soon, Tester } from "./tester.ts";

let tester: Tester;
let flat: Flat;

before(async () => {
  if (BROWSER.skip) return;
  tester = await Tester.start();
  flat = await furnish(tester, [1, 10, 14], [2, 20, 24]);
});
after(() => tester?.stop());

const conflicts = async (query = ""): Promise<any[]> => (await tester.world.ask("GET", `/conflicts${query}`)).items;

test("a double booking shows above every view at once, and goes with it", BROWSER, () =>
  tester.show("#/chart", async (page) => {
    const banner = page.locator(".alarm");
    await page
      .getByRole("button", { name: /Airbnb/ })
      .first()
      .waitFor();
    assert.equal(await banner.count(), 0);
    const made = await book(tester, flat.unit, 12, 15, { guest_name: "Grace" });
    await banner.getByText("1 double booking").waitFor();
    await banner.getByText("Garden flat · Villa Rosa").waitFor();
    const second = await book(tester, flat.unit, 23, 25);
    await banner.getByText("2 double bookings").waitFor();
    await page.evaluate(() => void (location.hash = "#/runs"));
    await banner.getByText("2 double bookings").waitFor();
    for (const { id } of [made, second]) await tester.world.ask("PATCH", `/bookings/${id}`, { status: "cancelled" });
    await until(async () => (await banner.count()) === 0);
  }),
);

test("with the keyboard alone: find a double booking, see both sides, acknowledge it", BROWSER, async () => {
  const made = await book(tester, flat.unit, 12, 15, { guest_name: "Grace" });
  await tester.show("#/chart", async (page) => {
    await page.locator(".alarm").waitFor();
    await tabTo(page, /double booking/);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Double bookings" }).waitFor();
    await tabTo(page, /^Garden flat · Villa Rosa: /);
    await page.keyboard.press("Enter");
    const panel = page.locator("aside");
    await panel.getByRole("heading", { name: "Double booking" }).waitFor();
    await panel.getByRole("link", { name: "HMABCDEF11 · Airbnb" }).waitFor();
    await panel.getByRole("link", { name: "Grace · By hand" }).waitFor();
    await panel.getByText("Was there first").waitFor();
    await panel.getByText("Bokit cancels nothing").waitFor();
    await tabTo(page, "I know of it");
    await page.keyboard.press("Enter");
    await panel.getByText(/^Muted: /).waitFor();
    await until(async () => (await page.locator(".alarm").count()) === 0);
    await page.keyboard.press("Escape");
    await until(async () => (await panel.count()) === 0);
    await page.locator("li.acknowledged").waitFor();
  });
  assert.equal((await conflicts())[0].status, "acknowledged");
  await tester.world.ask("PATCH", `/bookings/${made.id}`, { status: "cancelled" });
});

test("former ones show when asked for, and an open panel says that its conflict is over", BROWSER, async () => {
  const made = await book(tester, flat.unit, 22, 23);
  const { id } = made.conflicts[0];
  await tester.show(`#/conflict/${id}`, async (page) => {
    await page
      .locator("aside")
      .getByText(/^Open since/)
      .waitFor();
    await tester.world.ask("PATCH", `/bookings/${made.id}`, { check_in: soon(24), check_out: soon(26) });
    await page
      .locator("aside")
      .getByText(/^Over since .*no longer share a night/)
      .waitFor();
    await page.evaluate(() => void (location.hash = "#/conflicts"));
    await page.getByText("No double bookings").waitFor();
    await page.getByRole("button", { name: "Show former ones" }).click();
    await page.locator("li.closed").first().waitFor();
    await page.getByText("These are all.").waitFor();
  });
});

test("one that is not there says so", BROWSER, () =>
  tester.show("#/conflict/x.y", (page) => page.locator("aside").getByText("This no longer exists.").waitFor()),
);

test("hostile texts are texts", BROWSER, async () => {
  const made = await Promise.all(HOSTILE.map((guest_name, at) => book(tester, flat.other, 40 + at, 42 + at, { guest_name })));
  const [found] = await conflicts(`?unit_id=${flat.other}`);
  await tester.show(`#/conflict/${found.id}`, async (page) => {
    page.on("dialog", () => assert.fail("a dialog"));
    for (const hostile of HOSTILE) await page.locator("aside").getByText(hostile).first().waitFor();
    assert.equal(await page.evaluate(() => document.querySelectorAll("aside :is(img, script, svg)").length), 0);
  });
  for (const { id } of made) await tester.world.ask("PATCH", `/bookings/${id}`, { status: "cancelled" });
});

for (const { name, ...look } of LOOKS)
  test(`axe finds nothing: ${name}`, BROWSER, async () => {
    const [one] = (await conflicts()).concat((await book(tester, flat.unit, 12, 15)).conflicts ?? []);
    await tester.show(
      "#/conflicts",
      async (page) => {
        await page.locator("main li.open").first().waitFor();
        assert.deepEqual(await findViolations(page), []);
        await page.evaluate((id) => void (location.hash = `#/conflict/${id}`), one.id);
        await page.locator(".sides a").first().waitFor();
        await page.evaluate(() => void (document.documentElement.dir = "rtl"));
        assert.deepEqual(await findViolations(page), []);
      },
      look,
    );
  });
