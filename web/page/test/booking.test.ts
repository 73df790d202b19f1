import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { BROWSER, findViolations } from "../../client/test/browser.ts";
import { until } from "../../client/test/world.ts";
import { book, type Flat, furnish, HOSTILE, showFeed, tabTo } from "./bookings.ts";
import { LOOKS, soon, Tester } from "./tester.ts";

let tester: Tester;
let flat: Flat;
let read: any;

before(async () => {
  if (BROWSER.skip) return;
  tester = await Tester.start();
  flat = await furnish(tester, [1, 10, 14], [2, 20, 24]);
  [read] = (await tester.world.ask("GET", `/bookings?unit_id=${flat.unit}`)).items;
});
after(() => tester?.stop());

const panel = (page: Page) => page.locator("aside");
const patch = (id: string, values: object) => tester.world.ask("PATCH", `/bookings/${id}`, values);
const find = (id: string) => tester.world.ask("GET", `/bookings/${id}`);

test("a booking shows what each calendar says of it, and its history", BROWSER, () =>
  tester.show(`#/booking/${read.id}`, async (page) => {
    await panel(page).getByText("Garden flat · Villa Rosa").waitFor();
    await panel(page).getByRole("heading", { name: "HMABCDEF11" }).waitFor();
    await panel(page).getByText("(4 nights)").first().waitFor();
    await panel(page).getByText("UID 1418fb94e984-").waitFor();
    await panel(page)
      .getByText(/Calendar last read \w/)
      .waitFor();
    await panel(page)
      .getByText(/created by Airbnb/)
      .waitFor();
  }),
);

test("with the keyboard alone: edit a booking, see it beside the platform's value, take that back", BROWSER, () =>
  tester.show(`#/booking/${read.id}`, async (page) => {
    await panel(page).waitFor();
    await tabTo(page, /^Edit$/);
    await page.keyboard.press("Enter");
    await tabTo(page, "Guest");
    await page.keyboard.type("Ada");
    await page.keyboard.press("Escape");
    await tabTo(page, "Notes");
    await page.keyboard.type("late arrival");
    await tabTo(page, "Save");
    await page.keyboard.press("Enter");
    await panel(page).getByText("Saved.").waitFor();
    assert.deepEqual(Object.keys((await find(read.id)).edits), ["guest_name", "notes"]);
    await panel(page).getByRole("heading", { name: "Ada" }).waitFor();
    await panel(page)
      .getByText(/The platform says: none/)
      .first()
      .waitFor();
    await panel(page)
      .getByText(/edited by you/)
      .first()
      .waitFor();
    await tabTo(page, "Take the platform’s value");
    await page.keyboard.press("Enter");
    await panel(page).getByText("Drop your value and take none?").waitFor();
    await page.keyboard.press("Enter");
    await panel(page).getByRole("heading", { name: "HMABCDEF11" }).waitFor();
    assert.deepEqual(Object.keys((await find(read.id)).edits), ["notes"]);
    await tester.world.ask("POST", `/bookings/${read.id}/accept-remote`, {});
  }),
);

test("an edit from elsewhere shows at once; what is being typed stays, and is saved only when asked again", BROWSER, () =>
  tester.show(`#/booking/${read.id}`, async (page) => {
    await panel(page).getByText("Edit", { exact: true }).click();
    const guest = panel(page).getByLabel("Guest", { exact: true });
    await guest.fill("Grace");
    await patch(read.id, { guest_name: "Ada", guests: 3 });
    await panel(page).getByRole("heading", { name: "Ada" }).waitFor();
    await panel(page).getByText("Changed by somebody else meanwhile: Ada").waitFor();
    assert.equal(await guest.inputValue(), "Grace");
    assert.equal(await panel(page).getByLabel("Guests", { exact: true }).inputValue(), "3");
    await panel(page).getByRole("button", { name: "Save" }).click();
    await panel(page).getByText("Your values replace theirs?").waitFor();
    assert.equal((await find(read.id)).guest_name, "Ada");
    await panel(page).getByRole("button", { name: "Save" }).click();
    await panel(page).getByText("Saved.").waitFor();
    const { guest_name, guests } = await find(read.id);
    assert.deepEqual([guest_name, guests], ["Grace", 3]);
    await tester.world.ask("POST", `/bookings/${read.id}/accept-remote`, {});
  }),
);

test("a change that no event has brought yet is shown before anything is saved", BROWSER, () =>
  tester.show(`#/booking/${read.id}`, async (page) => {
    await panel(page).getByText("Edit", { exact: true }).click();
    await panel(page).getByLabel("Guest", { exact: true }).fill("Grace");
    // a log in which nothing is new
    await page.route("**/events*", (route) =>
      route.fulfill({ json: { items: [], seq: Number(new URL(route.request().url()).searchParams.get("since")) } }),
    );
    tester.world.hasSockets = false;
    tester.world.cutSockets();
    await patch(read.id, { guest_name: "Ada" });
    await panel(page).getByRole("button", { name: "Save" }).click();
    await panel(page).getByText("Changed by somebody else meanwhile: Ada").waitFor();
    assert.equal((await find(read.id)).guest_name, "Ada");
    tester.world.hasSockets = true;
    await tester.world.ask("POST", `/bookings/${read.id}/accept-remote`, {});
  }),
);

test("cancelled here, the nights stay held while the platform shows them, until a person releases them", BROWSER, () =>
  tester.show(`#/booking/${read.id}`, async (page) => {
    await panel(page).getByRole("button", { name: "Cancel this booking here" }).click();
    await panel(page).getByText("the nights stay held as long as its calendar shows them").waitFor();
    await panel(page).getByRole("button", { name: "Cancel this booking here" }).click();
    await panel(page)
      .getByText(/It holds .*\(4 nights\): nights that the platform’s calendar still shows stay held/)
      .waitFor();
    await panel(page).getByText("It holds its nights.").waitFor();
    const { status, blocks_nights } = await find(read.id);
    assert.deepEqual([status, blocks_nights], ["cancelled", true]);
    await panel(page).getByRole("button", { name: "Release these nights" }).click();
    await panel(page).getByText("Is the booking really cancelled there?").waitFor();
    await panel(page).getByRole("button", { name: "Release these nights" }).click();
    await panel(page).getByText("It holds no nights.").waitFor();
    await panel(page).getByRole("button", { name: "Take all of the platform’s values" }).click();
    await panel(page).getByRole("button", { name: "Take all of the platform’s values" }).click();
    await panel(page).getByText("It holds its nights.").waitFor();
    assert.deepEqual((await find(read.id)).edits, {});
  }),
);

test("a viewer reads, and sees no button that would be refused", BROWSER, () =>
  tester.show(
    `#/booking/${read.id}`,
    async (page) => {
      await panel(page)
        .getByText(/^First seen/)
        .waitFor();
      const buttons = await panel(page).getByRole("button").allTextContents();
      assert.ok(
        buttons.every((name) => ["Close", "Show more"].includes(name)),
        buttons.join(),
      );
      assert.equal(await panel(page).getByText("Edit", { exact: true }).count(), 0);
    },
    {},
    "viewer",
  ),
);

test("one that its calendar no longer shows says so; one that is not there, too", BROWSER, async () => {
  await tester.show(`#/booking/${read.id}`, async (page) => {
    await panel(page).getByText("It holds its nights.").waitFor();
    await showFeed(tester, [2, 20, 24]);
    await tester.world.ask("POST", "/_test/sync", { hours: 2 });
    await panel(page)
      .getByText(/No longer in its calendar since/)
      .waitFor();
    await showFeed(tester, [1, 10, 14], [2, 20, 24]);
    await tester.world.ask("POST", "/_test/sync", { hours: 2 });
    await until(
      async () =>
        (await panel(page)
          .getByText(/No longer in its calendar since/)
          .count()) === 0,
    );
  });
  await tester.show("#/booking/x.y", (page) => panel(page).getByText("This no longer exists.").waitFor());
});

test("a long history comes in pages, newest first", BROWSER, async () => {
  const made = await book(tester, flat.other, 60, 62);
  for (let at = 0; at < 12; at++) await patch(made.id, { notes: `note ${at}.` });
  await tester.show(`#/booking/${made.id}`, async (page) => {
    await panel(page).getByText("→ note 11.").waitFor();
    assert.equal(
      await panel(page)
        .getByText(/created by/)
        .count(),
      0,
    );
    await panel(page).getByRole("button", { name: "Show more" }).click();
    await panel(page)
      .getByText(/created by/)
      .waitFor();
  });
  await patch(made.id, { status: "cancelled" });
});

test("with the keyboard alone: a free night says why, is blocked, and says by whom", BROWSER, () =>
  tester.show(`#/night/${flat.unit}/${soon(30)}`, async (page) => {
    await panel(page).getByText("This night is free").waitFor();
    await panel(page)
      .getByText(/^Up to date, read/)
      .waitFor();
    await panel(page)
      .getByText(/^It shows this night as free, and speaks of nights up to .* 20\d\d/)
      .waitFor();
    await tabTo(page, "Block nights");
    await page.keyboard.press("Enter");
    await tabTo(page, "Notes");
    await page.keyboard.type("painter");
    await tabTo(page, "Save");
    await page.keyboard.press("Enter");
    await panel(page).getByText("painter").first().waitFor();
    await tabTo(page, /\(1 night\)$/);
    await page.keyboard.press("Enter");
    await panel(page).getByText("This night is taken.").waitFor();
    await panel(page).getByText("Its dates hold the night.").waitFor();
    await tabTo(page, "Next night");
    await page.keyboard.press("Enter");
    await panel(page).getByText("This night is free").waitFor();
  }),
);

test("a night follows its bookings: edited dates, and the platform's own that still hold it", BROWSER, () =>
  tester.show(`#/night/${flat.unit}/${soon(13)}`, async (page) => {
    await panel(page).getByText("Its dates hold the night.").waitFor();
    await patch(read.id, { check_out: soon(13) });
    await panel(page).getByText("The platform’s dates hold the night, although yours do not.").waitFor();
    await panel(page)
      .getByText(/^Edited by/)
      .waitFor();
    await patch(read.id, { release: true });
    await panel(page).getByText("This night is free").waitFor();
    await tester.world.ask("POST", `/bookings/${read.id}/accept-remote`, {});
    await panel(page).getByText("This night is taken.").waitFor();
  }),
);

test("a night says what outgoing calendars show, and what they leave out", BROWSER, async () => {
  await tester.world.ask("POST", `/units/${flat.unit}/calendars`, { for: "airbnb" });
  await tester.show(`#/night/${flat.unit}/${soon(21)}`, async (page) => {
    await panel(page)
      .getByText(/^Left out: HMABCDEF12 · Airbnb. It comes from this platform itself/)
      .waitFor();
    await panel(page)
      .getByText(/^Shows it as free/)
      .waitFor();
  });
});

test("an address that is not a night says so", BROWSER, () =>
  tester.show(`#/night/${flat.unit}/soon`, (page) => panel(page).getByRole("alert").waitFor()),
);

test("hostile texts are texts, in every field", BROWSER, async () => {
  for (const [at, hostile] of HOSTILE.entries()) {
    const values = { guest_name: hostile, notes: hostile, comments: hostile, reservation_code: hostile, summary: hostile };
    const made = await book(tester, flat.other, 70 + at, 71 + at, values);
    await patch(made.id, { notes: `${hostile} again` });
    await tester.show(`#/booking/${made.id}`, async (page) => {
      page.on("dialog", () => assert.fail("a dialog"));
      await panel(page).getByRole("heading", { name: hostile }).waitFor();
      await panel(page).getByText(`${hostile} → ${hostile} again`).waitFor();
      assert.equal(await page.evaluate(() => document.querySelectorAll("aside :is(img, script, svg)").length), 0);
    });
  }
});

for (const { name, ...look } of LOOKS)
  test(`axe finds nothing: ${name}`, BROWSER, async () => {
    await patch(read.id, { guest_name: "Ada", check_out: soon(13) });
    await tester.show(
      `#/booking/${read.id}`,
      async (page) => {
        const open = () =>
          page.evaluate(() => document.querySelectorAll<HTMLDetailsElement>("aside details").forEach((one) => (one.open = true)));
        await panel(page).locator("details li").first().waitFor();
        await open();
        assert.deepEqual(await findViolations(page), []);
        await page.evaluate((hash) => void (location.hash = hash), `#/night/${flat.unit}/${soon(11)}`);
        await panel(page).getByText("Ada").first().waitFor();
        await open();
        await page.evaluate(() => void (document.documentElement.dir = "rtl"));
        assert.deepEqual(await findViolations(page), []);
      },
      look,
    );
  });

test("the door code is fetched when it is asked for, and replaced", BROWSER, async () => {
  await tester.world.ask("PUT", "/options/access.codes", { value: true });
  const code = async () => (await tester.world.ask("GET", `/bookings/${read.id}/access`)).code;
  await tester.show(`#/booking/${read.id}`, async (page) => {
    await panel(page).getByRole("button", { name: "Show the door code" }).click();
    await panel(page)
      .getByText(await code())
      .waitFor();
    const former = await code();
    await panel(page).getByRole("button", { name: "Make another door code" }).click();
    await panel(page).getByRole("button", { name: "Make another door code" }).click();
    await panel(page).getByText(former).waitFor({ state: "detached" });
    await panel(page)
      .getByText(await code())
      .waitFor();
  });
});
