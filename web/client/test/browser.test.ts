import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { addPage, BROWSER, findViolations, launch, watchPage } from "./browser.ts";
import { until, World } from "./world.ts";

let world: World;
let browser: Browser;

before(async () => {
  if (BROWSER.skip) return;
  [world, browser] = await Promise.all([World.start(), launch()]);
  await world.ask("POST", "/_test/collections", { name: "settings" });
  await world.ask("POST", "/_test/collections", { name: "team-members", schema: { properties: { age: { type: "integer" } } } });
  await addPage(world, "plain", "pages/plain.ts", "");
  await addPage(world, "office", "pages/back_office.tsx");
});
after(async () => {
  await browser?.close();
  await world?.stop();
});

/** Open a page in a browser of its own; it must not complain of anything. */
async function open(
  name: string,
  run: (page: Page, context: BrowserContext) => Promise<void>,
  token = world.tokens.admin,
): Promise<void> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const complaints = await watchPage(page);
    await page.goto(`${world.url}/${name}#${token}`);
    await run(page, context);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
    world.isUp = true;
  }
}

const settings = async () => {
  const {
    id: _id,
    createdAt,
    updatedAt,
    updatedBy,
    _meta,
    ...fields
  } = await world.ask("GET", "/collections/settings/records/main");
  return fields;
};
const put = (data: object) => world.ask("PUT", "/collections/settings/records/main", data);
const indicator = (page: Page) => page.locator("bokit-sync-indicator");
const says = (page: Page, text: string) => indicator(page).getByText(text, { exact: true }).waitFor({ timeout: 90_000 });

test("the indicator says how things are, under a strict policy, and shows details on click", BROWSER, () =>
  open("plain", async (page) => {
    await says(page, "Up to date");
    const box = (await indicator(page).boundingBox())!;
    const { width, height } = page.viewportSize()!;
    assert.ok(box.x + box.width > width - 40 && box.y + box.height > height - 40, "at the bottom right");
    await world.ask("POST", "/_test/feeds", { url: "https://8.8.8.8/i.ics", events: [[1, "2026-07-10", "2026-07-14"]] });
    const property = await world.ask("POST", "/properties", { name: "Villa" });
    const unit = await world.ask("POST", "/units", { name: "Flat", property_id: property.id });
    await world.ask("POST", "/sources", { name: "Airbnb", unit_id: unit.id, url: "https://8.8.8.8/i.ics" });

    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await indicator(page)
      .getByText(/^Airbnb: /)
      .waitFor();
    assert.deepEqual(await findViolations(page), []);
    await page.keyboard.press("Enter");
    await until(
      async () =>
        !(await indicator(page)
          .getByText(/^Airbnb: /)
          .isVisible()),
    );

    world.isUp = false;
    world.cutSockets();
    await says(page, "Offline");
    world.isUp = true;
    await says(page, "Up to date");
  }),
);

test("the indicator speaks the page's language", BROWSER, async () => {
  await open("plain?lang=fr", (page) => says(page, "À jour"));
  await open("plain?lang=th-TH", (page) => says(page, "เป็นปัจจุบัน"));
  await open("plain?lang=zh", (page) => says(page, "Up to date"));
});

test("a revoked token is said", BROWSER, async () => {
  const token = world.tokens.viewer;
  await open(
    "plain",
    async (page) => {
      await says(page, "Up to date");
      world.tokens.viewer = (await world.ask("POST", "/_test/revoke", { role: "viewer" })).token;
      world.cutSockets();
      await says(page, "Sign in again");
    },
    token,
  );
});

test("a page without React hears of changes, and not of saves that ask for silence", BROWSER, () =>
  open("plain", async (page) => {
    await put({ name: "first" });
    await page.waitForFunction(() => (globalThis as any).store.state.collections.settings?.has("main"));
    await page.evaluate(() => void ((globalThis as any).changes.length = 0));
    await put({ name: "second" });
    await page.waitForFunction(() => (globalThis as any).changes.length === 1);
    await page.evaluate(() => (globalThis as any).store.save("settings", "main", { name: "silent" }, { notifyFrontend: false }));
    await page.evaluate(() => (globalThis as any).store.save("settings", "main", { name: "loud" }));
    await put({ name: "last" });
    await page.waitForFunction(() => (globalThis as any).changes.at(-1).record.name === "last");
    const heard = await page.evaluate(() =>
      (globalThis as any).changes.map((change: any) => [change.list, change.collection, change.id, change.record.name]),
    );
    assert.deepEqual(
      heard,
      ["second", "loud", "last"].map((name) => ["collections/settings", "settings", "main", name]),
    );
  }),
);

test("in React, what one window saves shows in the other one", BROWSER, () =>
  open("office", (one) =>
    open("office", async (other) => {
      await put({ name: "Villa", city: "Rome" });
      for (const page of [one, other])
        await page.waitForFunction(() => document.querySelector<HTMLInputElement>("[name=city]")?.value === "Rome");

      await one.fill("[name=name]", "Casa");
      await other.waitForFunction(() => document.querySelector<HTMLInputElement>("[name=name]")?.value === "Casa");
      await one.click("#save");
      await other.waitForFunction(() => document.querySelector<HTMLInputElement>("[name=name]")?.value === "saved at once");
      await one.waitForFunction(
        () => document.querySelector("#state")?.textContent === "idle" && document.querySelector("#time")?.textContent,
      );
      await one.click("#bad");
      await one.waitForFunction(() => document.querySelector("#error")?.textContent);
      await says(one, "Up to date");
    }),
  ),
);

test("in React, a removed record is gone in every window", BROWSER, () =>
  open("office", async (one) =>
    open("office", async (other) => {
      await world.ask("PUT", "/collections/team-members/records/ada", { name: "Ada" });
      for (const page of [one, other])
        await page.waitForFunction(() => document.querySelector("#team")?.textContent === '["Ada"]');

      await one.click("#remove");

      for (const page of [one, other]) await page.waitForFunction(() => document.querySelector("#team")?.textContent === "[]");
      await one.waitForFunction(
        () => document.querySelector("#state")?.textContent === "idle" && document.querySelector("#time")?.textContent,
      );
    }),
  ),
);

test("in React, a removal that is refused says why", BROWSER, () =>
  open(
    "office",
    async (page) => {
      await page.click("#remove");
      await page.waitForFunction(() => document.querySelector("#error")?.textContent?.includes("operator"));
      assert.equal(await page.textContent("#state"), "idle");
    },
    world.tokens.viewer,
  ),
);

test("in React, an edit made offline survives a reload and is merged with another person's", BROWSER, () =>
  open("office", async (page, context) => {
    await put({ name: "Villa", city: "Rome" });
    await page.waitForFunction(() => document.querySelector<HTMLInputElement>("[name=city]")?.value === "Rome");

    await context.setOffline(true);
    world.cutSockets();
    await says(page, "Offline");
    await page.fill("[name=name]", "Offline");
    await says(page, "Offline: 1 to save");
    await put({ city: "Oslo" });
    await page.evaluate(() => (globalThis as any).store.close());
    await context.setOffline(false);
    await page.reload();
    await page.waitForFunction(() => document.querySelector<HTMLInputElement>("[name=city]")?.value === "Oslo");
    await until(async () => (await settings()).name === "Offline");
    assert.deepEqual(await settings(), { name: "Offline", city: "Oslo" });
    await says(page, "Up to date");
  }),
);

test("two tabs share what waits, and send it once", BROWSER, () =>
  open("office", async (one, context) => {
    await put({ name: "Villa", city: "Rome" });
    const two = await context.newPage();
    await two.goto(one.url());
    for (const page of [one, two])
      await page.waitForFunction(() => document.querySelector<HTMLInputElement>("[name=city]")?.value === "Rome");
    const before = (await world.ask("GET", "/collections/settings/records/main/changes")).items.length;

    await Promise.all([one.fill("[name=name]", "Both"), two.fill("[name=city]", "Bergen")]);
    await until(async () => isDeepStrictEqual(await settings(), { name: "Both", city: "Bergen" }));
    for (const page of [one, two]) await says(page, "Up to date");
    const made = (await world.ask("GET", "/collections/settings/records/main/changes")).items.length - before;
    assert.ok(made <= 2, `${made} changes`);
  }),
);
