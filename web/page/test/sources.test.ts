import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { BROWSER, findViolations } from "../../client/test/browser.ts";
import { until, type World } from "../../client/test/world.ts";
import { LOOKS, soon, Tester } from "./tester.ts";

/** Each test has a world of its own: what one holds or breaks is not the next one's trouble. */
let tester: Tester;
let world: World;
let unit: string;
let number = 0;

before(async () => {
  if (BROWSER.skip) return;
  tester = await Tester.start();
  world = tester.world;
  const property = await world.ask("POST", "/properties", { name: "Villa Rosa" });
  unit = (await world.ask("POST", "/units", { name: "Garden flat", property_id: property.id })).id;
});
after(() => tester?.stop());

interface Feed {
  readonly id: string;
  readonly url: string;
  readonly name: string;
}

/** Three stays of the next months, or none. */
const stays = (n: number) => [0, 1, 2].map((at) => [100 * number + at, soon(20 + 10 * at), soon(24 + 10 * at)]).slice(0, n);
const show = (url: string, n: number) => world.ask("POST", "/_test/feeds", { url, events: stays(n) });

/** Let hours pass, with the schedule and requests that hurry it, until each calendar has one of these states. */
async function pass(hours: number, ...states: readonly string[]): Promise<void> {
  await world.ask("POST", "/_test/sync", { hours });
  for (let tries = 0; tries < 20; tries++) {
    const { sources } = await world.ask("GET", "/sync/status");
    if (sources.every(({ state }: { state: string }) => states.includes(state))) return;
    await world.ask("POST", "/_test/sync", { hours: 0.02 });
  }
  assert.fail(`not ${states}`);
}

/** Add a calendar of three stays; it is not read yet. */
async function add(name: string): Promise<Feed> {
  const url = `https://8.8.8.8/${++number}.ics`;
  await show(url, 3);
  const { id } = await world.ask("POST", "/sources", { name, unit_id: unit, url });
  return { id, url, name };
}

/** Add a calendar, use it, and forget it with its nights. */
async function withFeed(name: string, use: (feed: Feed) => Promise<void>): Promise<void> {
  const feed = await add(name);
  try {
    await use(feed);
  } finally {
    await world.ask("DELETE", `/sources/${feed.id}?release=true`);
  }
}

/** Open the page with a clock that the test moves: what is read without an event shows within a minute. */
const openLive = (run: (page: Page) => Promise<void>, role: "admin" | "viewer" = "admin") =>
  tester.open("/", async (page) => {
    await page.goto("about:blank");
    await page.clock.install();
    await page.goto(`${world.url}/#token=${world.tokens[role]}`);
    await run(page);
  });

const line = (page: Page) => page.locator(".freshness");
const says = (page: Page, text: RegExp | string) => line(page).getByText(text).first().waitFor();
const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const view = (hash: string, run: (page: Page) => Promise<void>, options = {}, role = "admin") =>
  tester.show(hash, run, options, role);

test("without a calendar it says how to add one", BROWSER, () =>
  view("#/sources", async (page) => {
    await says(page, "No calendar is read yet. Add the first one.");
    assert.equal(await line(page).getByRole("link").getAttribute("href"), "#/setup");
  }),
);

test("a calendar is new until it was read, then within the hour, and its failure shows with what it means", BROWSER, () =>
  withFeed("Airbnb", ({ url }) =>
    openLive(async (page) => {
      await says(page, "Garden flat / Airbnb has not been read yet: its bookings are not known.");
      const house = await world.ask("POST", "/properties", { name: "Casa Luna" });
      const other = await world.ask("POST", "/units", { name: "garden flat", property_id: house.id });
      await says(page, "Villa Rosa / Garden flat / Airbnb has not been read yet: its bookings are not known.");
      await world.ask("DELETE", `/units/${other.id}`);
      await says(page, /^Garden flat \/ Airbnb has not been read yet/);
      await pass(0, "ok");
      await says(page, "The calendar was read within the hour.");
      await world.ask("POST", "/_test/feeds", { url, error: { code: "http-404", message: "HTTP 404: no calendar at this URL" } });
      await pass(2, "failing");
      await page.clock.fastForward("01:01");
      await says(
        page,
        /^Garden flat \/ Airbnb has not been read since .*: its known nights stay closed, new bookings are not seen\.$/,
      );
      await line(page).getByRole("link").click();
      await page.getByText("HTTP 404: no calendar at this URL").waitFor();
      await page.getByText(/may have given this calendar a new address/).waitFor();
    }),
  ),
);

test("of several troubles the worst comes first, with a count", BROWSER, () =>
  withFeed("Airbnb", (failing) =>
    withFeed("VRBO", (paused) =>
      openLive(async (page) => {
        await pass(0, "ok");
        await says(page, "All 2 calendars read within the hour.");
        await world.ask("POST", `/sources/${paused.id}/pause`);
        await says(page, /Garden flat \/ VRBO is paused/);
        await world.ask("POST", "/_test/feeds", { url: failing.url, error: { code: "timeout", message: "no answer" } });
        await pass(2, "failing", "paused");
        await page.clock.fastForward("01:01");
        await says(page, /Garden flat \/ Airbnb has not been read since/);
        await line(page).getByRole("link", { name: "1 more needs a look." }).click();
        await page.getByRole("link", { name: "Garden flat / VRBO" }).waitFor();
      }),
    ),
  ),
);

/** Have the status say of the first source what *change* does, beside it. */
const patchStatus = (page: Page, change: (source: any) => readonly any[]) =>
  page.route(/\/sync\/status/, async (route) => {
    try {
      const answer = await route.fetch();
      const doc = await answer.json();
      await route.fulfill({ response: answer, json: { ...doc, sources: doc.sources.flatMap(change) } });
    } catch {} // the page was closed meanwhile
  });

test("a source of other records is said after all calendars, and nothing of nights", BROWSER, () =>
  withFeed("Airbnb", async (calendar) => {
    await pass(0, "ok");
    await openLive(async (page) => {
      const data = { source_id: "src_crm", name: "CRM", full_name: "CRM", kind: "json", collection: "clients", unit_id: null };
      await patchStatus(page, (one) => [one, { ...one, ...data, state: "failing", last_success_at: null }]);
      await page.reload();
      await says(page, "CRM needs a look: its records stay as they were.");
      await page.evaluate(() => void (location.hash = "#/today"));
      await page.getByText("CRM: cannot be read", { exact: true }).waitFor();
      await world.ask("POST", `/sources/${calendar.id}/pause`);
      await says(page, /^Garden flat \/ Airbnb is paused/);
      await says(page, "1 more needs a look.");
    });
  }),
);

test("the day says of a calendar that it is late, or that it is old", BROWSER, () =>
  withFeed("Airbnb", async () => {
    await pass(0, "ok");
    for (const [made, word] of [
      [null, "late"],
      ["2026-06-01T09:00:00Z", "shows an old calendar"],
    ] as const)
      await openLive(async (page) => {
        await patchStatus(page, (one) => [{ ...one, state: "stale", content_made_at: made }]);
        await page.reload();
        await page.evaluate(() => void (location.hash = "#/today"));
        await page.getByText(`Airbnb Garden flat: ${word}`, { exact: true }).waitFor();
      });
  }),
);

test("what has not come yet is not said to be empty", BROWSER, () =>
  tester.open("/", async (page) => {
    await page.route(/\/(units|bookings|conflicts)\b/, () => {}); // no answer comes
    await page.goto("about:blank");
    await page.goto(`${world.url}/#token=${world.tokens.admin}`);
    for (const [name, empty] of [
      ["chart", "No units yet"],
      ["today", "Nobody arrives or leaves"],
      ["conflicts", "No double bookings"],
    ] as const) {
      await page.evaluate((hash) => void (location.hash = hash), `#/${name}`);
      await page.locator("main").getByText("Loading…").first().waitFor();
      assert.equal(await page.getByText(empty).count(), 0, name);
    }
  }),
);

test("an open page gets old by itself, and says when it is cut off", BROWSER, () =>
  withFeed("Airbnb", async () => {
    await pass(0, "ok");
    await openLive(async (page) => {
      await says(page, "The calendar was read within the hour.");
      world.isUp = false;
      world.cutSockets();
      await page.clock.fastForward("10:00");
      await says(page, /^No answer from Bokit: this page shows what was known at/);
      assert.equal(await line(page).getByText("within the hour").count(), 0);
      world.isUp = true;
      await page.clock.fastForward("10:00");
      await says(page, "The calendar was read within the hour.");
      // the scheduler is dead: nothing is read, and the API says so
      await world.ask("POST", "/_test/move", { hours: 2 });
      await page.clock.fastForward("02:00");
      await says(page, "The calendar was read within the last 2 hours.");
      await world.ask("POST", "/_test/move", { hours: 3 });
      await page.clock.fastForward("02:00");
      await says(page, /has not been read since/);
    }, "viewer");
  }),
);

test("a schedule that is off cannot be overlooked, and is turned on again", BROWSER, () =>
  withFeed("Airbnb", () =>
    view("#/sources", async (page) => {
      await pass(0, "ok");
      await world.ask("PUT", "/options/sync.enabled", { value: false });
      await page.reload();
      await says(page, "Automatic syncing is off: calendars are read only when somebody asks.");
      await page.getByText("not read by itself").waitFor();
      await button(page, "Turn it on").click();
      await says(page, "The calendar was read within the hour.");
      await page.getByLabel("Minutes between two readings").fill("2");
      await button(page, "Read more often from now on").click();
      await page.getByText(/has all calendars read every 2 minutes/).waitFor();
      await button(page, "Back to the usual schedule").click();
      await page.getByText(/Calendars are read every 60 minutes/).waitFor();
    }),
  ),
);

test("a hold is settled with the keyboard alone, and the page follows", BROWSER, () =>
  withFeed("Airbnb", async (feed) => {
    await pass(0, "ok");
    await view("#/chart", async (page) => {
      await says(page, "The calendar was read within the hour.");
      await show(feed.url, 0);
      await pass(2, "held");
      await says(page, "Garden flat / Airbnb waits for you: what it no longer shows stays closed until you decide.");
      await press(page, () => page.evaluate(() => !!document.activeElement?.matches(".freshness a")));
      await page.keyboard.press("Enter");
      await page.getByText("Held since").waitFor();
      await page.getByText("If you apply it, these 3 are cancelled and their nights open:").waitFor();
      assert.equal(await page.locator(".hold li").count(), 3);
      await page.getByText(/a part of it opens by itself on .* if the calendar stays empty/).waitFor();
      await press(page, () => button(page, "Apply it").evaluate((found) => found === document.activeElement));
      await page.keyboard.press("Enter");
      await page.getByText("3 bookings are cancelled, and their nights can be sold again at once.").waitFor();
      assert.equal((await blocking()).length, 3);
      await page.keyboard.press("Enter");
      await page.getByText("3 cancelled").waitFor();
      assert.ok(await page.evaluate(() => document.activeElement?.matches(".outcome")));
      await until(async () => (await page.locator(".hold").count()) === 0);
      assert.equal((await blocking()).length, 0);
      await says(page, "The calendar was read within the hour.");
      await page.keyboard.press("Escape");
      await until(async () => (await page.locator("aside").count()) === 0);
    });
  }),
);

/** Press Tab until *isThere*. */
async function press(page: Page, isThere: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 60; tries++) {
    if (await isThere()) return;
    await page.keyboard.press("Tab");
  }
  assert.fail("the Tab key does not reach it");
}

const blocking = async (): Promise<any[]> =>
  (await world.ask("GET", `/bookings?unit_id=${unit}&limit=200`)).items.filter((booking: any) => booking.blocks_nights);

test("a discarded hold cancels nothing", BROWSER, () =>
  withFeed("Airbnb", async (feed) => {
    await pass(0, "ok");
    await show(feed.url, 0);
    await pass(2, "held");
    await view(`#/source/${feed.id}`, async (page) => {
      await button(page, "Discard it: all stays closed").click();
      await page.locator(".outcome", { hasText: "Done." }).waitFor();
      await until(async () => (await page.locator(".hold").count()) === 0);
      assert.equal((await blocking()).length, 3);
    });
  }),
);

test("a calendar is renamed, tested, paused, read now, removed, and its nights are opened", BROWSER, () =>
  withFeed("Airbnb", async (feed) => {
    await pass(0, "ok");
    await view(`#/source/${feed.id}`, async (page) => {
      await page.getByText("Its nights are closed everywhere else.").waitFor();
      await page.getByText("https://8.8.8.8/…").waitFor();
      await button(page, "Test").click();
      await page.getByText("It can be read: 3 entries.").waitFor();
      await page.getByText("Change settings").click();
      await page.getByLabel("Name", { exact: true }).fill("Airbnb Rosa");
      await page.getByLabel("Minutes between two readings").fill("30");
      await button(page, "Save").click();
      await page.getByRole("heading", { name: "Garden flat / Airbnb Rosa" }).waitFor();
      const { interval, name } = await world.ask("GET", `/sources/${feed.id}`);
      assert.deepEqual([interval, name], [1800, "Airbnb Rosa"]);

      await button(page, "Pause").click();
      await page.getByText(/they can be sold twice/).waitFor();
      await button(page, "Pause").click();
      await page
        .locator("aside")
        .getByText(/is paused: its known nights stay closed/)
        .waitFor();
      await button(page, "Resume").click();
      await page.locator("aside").getByText("Its nights are closed everywhere else.").waitFor();

      await show(feed.url, 2);
      await button(page, "Read now").click();
      await page.locator("aside").getByRole("link", { name: "Reading now: 0 of 1" }).waitFor();
      await world.ask("POST", "/_test/work");
      await until(async () => (await page.getByText("Reading now").count()) === 0);

      await button(page, "Remove").click();
      await page.getByText("Its coming nights stay closed until you open them.").waitFor();
      await button(page, "Remove").click();
      await page.getByText("Removed. 3 bookings still keep their nights closed.").waitFor();
      assert.equal((await blocking()).length, 3);
      await button(page, "Open its nights").click();
      await button(page, "Open its nights").click();
      await page.getByText("The nights of 3 bookings are open.").waitFor();
      assert.equal((await blocking()).length, 0);
    });
  }),
);

test("syncs show as they go on, and one of them as steps", BROWSER, () =>
  withFeed("Airbnb", async (feed) => {
    await view("#/sources", async (page) => {
      await button(page, "Read all now").click();
      await page.getByRole("link", { name: "Reading now: 0 of 1" }).click();
      await page.locator("aside").getByText("waiting").waitFor();
      await world.ask("POST", "/_test/work");
      for (const step of [/^Started .*, asked for$/, "1 calendar fetched", "3 entries read", "Applied: 3 new", /^Ended /])
        await page.locator("aside").getByText(step).waitFor();
      await page.getByText("3 changes shown in your published calendars from their next reading on").waitFor();
      await page.goto(`${world.url}/#/runs`);
      await page.locator("main tr", { hasText: "asked for" }).filter({ hasText: "1 calendar: 3 new" }).first().waitFor();
      await show(feed.url, 0);
      await pass(2, "held");
      await page.locator("main tr", { hasText: "done in part" }).first().getByRole("link").click();
      await page.getByText("1 calendar held back: nothing of it is cancelled until you decide").waitFor();
    });
  }),
);

test("a viewer sees all of it, and no button that he may not press", BROWSER, () =>
  withFeed("Airbnb", async (feed) => {
    await pass(0, "ok");
    await show(feed.url, 0);
    await pass(2, "held");
    await view(
      `#/source/${feed.id}`,
      async (page) => {
        await page.getByText("Held since").waitFor();
        assert.deepEqual(await page.locator("aside button").allTextContents(), ["Close"]);
        assert.equal(await page.getByText("Change settings").count(), 0);
      },
      {},
      "viewer",
    );
  }),
);

test("names of other people are texts", BROWSER, () =>
  withFeed('<img src=x onerror="alert(1)">', async (feed) => {
    await pass(0, "ok");
    for (const hash of ["#/sources", "#/runs", `#/source/${feed.id}`])
      await view(hash, async (page) => {
        page.on("dialog", () => assert.fail("a dialog"));
        await page.locator(".badge, aside .notice").first().waitFor();
        assert.equal(await page.locator("img").count(), 0);
      });
  }),
);

for (const { name, ...look } of LOOKS)
  test(`axe finds nothing: ${name}`, BROWSER, () =>
    withFeed("Airbnb", async (feed) => {
      await pass(0, "ok");
      await show(feed.url, 0);
      await pass(2, "held");
      const run = (await world.ask("GET", "/sync/history")).items[0].run_id;
      await view(
        "#/runs",
        async (page) => {
          for (const hash of ["#/runs", "#/sources", `#/source/${feed.id}`, "#/runs", `#/run/${run}`]) {
            await page.evaluate((to) => void (location.hash = to), hash);
            await page
              .locator(hash.startsWith("#/source/") ? ".hold" : hash.startsWith("#/run/") ? "aside ol" : "main .list")
              .waitFor();
            assert.equal(await page.getByText(/\b(source|run|freshness)\.\w/).count(), 0);
            assert.deepEqual(await findViolations(page), []);
            await page.evaluate(() => void (document.documentElement.dir = "rtl"));
            assert.deepEqual(await findViolations(page), []);
            await page.evaluate(() => void (document.documentElement.dir = "ltr"));
          }
        },
        look,
      );
    }),
  );
