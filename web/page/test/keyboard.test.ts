/** What a host with a double booking does, with the keyboard alone. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { BROWSER } from "../../client/test/browser.ts";
import { until } from "../../client/test/world.ts";
import { Tester } from "./tester.ts";
import { furnish } from "./views.ts";

/** More presses of Tab than any view has stops. */
const MAX_STOPS = 120;

let tester: Tester;

before(async () => {
  if (BROWSER.skip) return;
  tester = await Tester.start();
  await furnish(tester.world);
});
after(() => tester?.stop());

const focused = (page: Page) =>
  page.evaluate(() => {
    const element = document.activeElement as HTMLElement | null;
    return element?.ariaLabel || element?.textContent || "";
  });

/** Press Tab until something of this name has the focus, and that shows. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  for (let stop = 0; stop < MAX_STOPS; stop++) {
    await page.keyboard.press("Tab");
    if (!name.test(await focused(page))) continue;
    const isVisible = await page.evaluate(() => {
      const { outlineStyle, boxShadow } = getComputedStyle(document.activeElement as Element);
      return outlineStyle !== "none" || boxShadow !== "none";
    });
    assert.ok(isVisible, `nothing shows that ${name} has the focus`);
    return;
  }
  assert.fail(`Tab does not reach ${name}`);
}

const press = async (page: Page, name: RegExp) => {
  await tabTo(page, name);
  await page.keyboard.press("Enter");
};

const panel = (page: Page) => page.locator("aside");

test("from the banner to the double booking, its night, and what holds it", BROWSER, () =>
  tester.show("#/chart", async (page) => {
    await page.locator(".chart").waitFor();
    await press(page, /1 double booking/i);
    await page.getByRole("heading", { level: 1, name: "Double bookings" }).waitFor();
    await press(page, /Garden flat.*Dec|Garden flat.*\d{4}/s);
    await panel(page).getByText("The same nights are sold twice.").waitFor();
    await press(page, /Garden flat · Villa Rosa:/);
    await panel(page).getByText("This night is taken.").waitFor();
    await panel(page).getByText("Ada Lovelace").first().waitFor();
    await panel(page).getByText("Reserved").first().waitFor();
    await press(page, /Next night/);
    await panel(page).getByText("This night is taken.").waitFor();
    await page.keyboard.press("Escape");
    await until(async () => (await panel(page).count()) === 0);
  }),
);

test("a free night says why it is free", BROWSER, () =>
  tester.show("#/chart", async (page) => {
    await page.locator(".chart").waitFor();
    await tabTo(page, /^Bookings$/);
    for (const key of ["ArrowDown", "ArrowDown", "ArrowDown"]) await page.keyboard.press(key);
    await until(async () => /^Free night/.test(await focused(page)));
    await page.keyboard.press("Enter");
    await panel(page).getByText("This night is free").waitFor();
  }),
);

test("a hold is settled: what it keeps is named before", BROWSER, () =>
  tester.show("#/chart", async (page) => {
    await page.locator(".chart").waitFor();
    await press(page, /waits for you/);
    await panel(page).getByText("If you apply it, these 4 are cancelled").waitFor();
    await press(page, /^Discard it/);
    await until(async () => /^(Discard it|Cancel)/.test(await focused(page)) || (await page.locator(".hold").count()) === 0);
    if (await page.locator(".hold").count()) await page.keyboard.press("Enter");
    await until(async () => (await page.locator(".hold").count()) === 0);
    const { items } = await tester.world.ask("GET", "/bookings?kind=reservation");
    assert.equal(items.filter(({ status }: { status: string }) => status === "cancelled").length, 0);
  }),
);
