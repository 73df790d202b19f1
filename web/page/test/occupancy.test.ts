import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { BROWSER } from "../../client/test/browser.ts";
import { until, type World } from "../../client/test/world.ts";
import { soon, Tester } from "./tester.ts";

const HOSTILE = '<img src=x onerror="alert(1)">';
const YEAR = new Date().getFullYear();

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
  [flat, loft] = [await add("Garden flat"), await add(HOSTILE)];
  await book(flat, `${YEAR + 1}-03-30`, `${YEAR + 1}-04-03`);
  await book(flat, `${YEAR + 1}-03-10`, `${YEAR + 1}-03-15`, { kind: "block" });
  await book(loft, `${YEAR + 1}-03-01`, `${YEAR + 1}-03-11`);
});
after(() => tester?.stop());

const book = (unit_id: string, check_in: string, check_out: string, more: object = {}): Promise<any> =>
  world.ask("POST", "/bookings", { unit_id, check_in, check_out, ...more });

/** Return the cells of a month, as they are read. */
const cells = async (page: Page, month: string) => {
  const row = page.locator("table.occupancy tr", { has: page.getByRole("rowheader", { name: month, exact: true }) });
  return row.locator("td").allInnerTexts();
};

const showNextYear = async (page: Page) => {
  await page.getByRole("button", { name: `Show ${YEAR + 1}` }).click();
  await until(async () => (await cells(page, "March"))[1]?.includes("12 sold") ?? false);
};

test("a year's months say how many nights are sold, blocked and free, and a unit's alone", BROWSER, () =>
  tester.show("#/occupancy", async (page) => {
    await showNextYear(page);
    const [full, nights, stays, stay] = await cells(page, "March");
    assert.deepEqual([full, nights?.trim(), stays, stay], ["21%", "12 sold · 5 blocked · 45 free", "2", "7"]);
    assert.match(String((await cells(page, "Whole year"))[1]), /^\s*14 sold · 5 blocked · 711 free$/);
    assert.equal(await page.locator("main img").count(), 0);

    await page.getByLabel("Unit").selectOption({ label: "Garden flat · Villa Rosa" });
    await until(async () => (await cells(page, "March"))[1]?.includes("2 sold · 5 blocked · 24 free") ?? false);
    assert.deepEqual((await cells(page, "April")).slice(2, 4), ["0", "–"]);
    await page.getByRole("rowheader", { name: "By hand" }).waitFor();
  }),
);

test("months before Bokit was there are not shown as free", BROWSER, () =>
  tester.show("#/occupancy", async (page) => {
    await page.getByRole("button", { name: `Show ${YEAR - 1}` }).click();
    await until(async () => (await cells(page, "March"))[1]?.includes("62 not known") ?? false);
    assert.deepEqual((await cells(page, "March")).slice(0, 1), ["–"]);
    await page.getByText("are not known: they may have been sold").waitFor();
    await page.getByText("No guest in this year.").waitFor();
  }),
);

test("it follows a booking", BROWSER, () =>
  tester.show("#/occupancy", async (page) => {
    await page.getByText("Whole year").waitFor();
    const soldOf = async () => Number(/(\d+) sold/.exec((await cells(page, "Whole year"))[1] ?? "")?.[1] ?? 0);
    const before = await soldOf();
    const inYear = soon(1) < `${YEAR + 1}` ? soon(0) : soon(-2);
    await book(flat, inYear, new Date(Date.parse(inYear) + 86_400_000).toISOString().slice(0, 10));
    await until(async () => (await soldOf()) === before + 1);
  }),
);
