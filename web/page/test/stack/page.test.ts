import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { BROWSER } from "../../../client/test/browser.ts";
import { ask, bokit, launch, Reader, STACK } from "./stack.ts";

const MINUTE = 60_000;
const { mine, other } = STACK;
let browser: Browser;

before(async () => {
  if (!BROWSER.skip) browser = await launch();
});
after(() => browser?.close());

/** Open an address; the page must not complain of anything, nor be loaded again meanwhile. */
async function open(address: string, check: (reader: Reader) => Promise<void>): Promise<void> {
  const reader = await Reader.open(browser, address);
  try {
    await reader.page.evaluate("globalThis.isFirst = true");
    await check(reader);
    assert.equal(await reader.page.evaluate("globalThis.isFirst"), true);
    assert.deepEqual(reader.complaints, []);
  } finally {
    await reader.close();
  }
}

for (const [what, address] of [
  ["its own address", mine.page],
  ["an address without its final slash", mine.page.replace("/#", "#")],
] as const)
  test(`${what} shows the double booking, the edit and the held calendar`, BROWSER, () =>
    open(address, async ({ page }) => {
      await page.getByText(mine.unit).first().waitFor();
      await page.getByRole("button", { name: /Ada.*double booking/i }).waitFor();
      await page.getByRole("button", { name: /Grace.*edited/i }).waitFor();
      assert.ok(!page.url().includes("token"), page.url());
      await page.getByRole("link", { name: /Calendars read.*1/ }).waitFor();
    }),
  );

test("an edit in a terminal shows on the open page", BROWSER, () =>
  open(mine.page, async (reader) => {
    await reader.bar(/Grace/).waitFor();
    await bokit(mine, "booking", "edit", mine.booking, "--set", "guest_name=Grace Hopper");
    await reader.bar(/Grace Hopper/).waitFor({ timeout: MINUTE });
  }),
);

test("what happened while the connection was cut is caught up, without a reload", BROWSER, () =>
  open(mine.page, async (reader) => {
    await reader.bar(/Grace/).waitFor();
    await reader.page.context().setOffline(true);
    for (const name of ["Grace One", "Grace Two"])
      await bokit(mine, "booking", "edit", mine.booking, "--set", `guest_name=${name}`);
    assert.equal(await reader.bar(/Grace Two/).count(), 0);
    await reader.page.context().setOffline(false);
    await reader.bar(/Grace Two/).waitFor({ timeout: 2 * MINUTE });
  }),
);

test("a revoked token's page says so", BROWSER, async () => {
  const { id, token } = await bokit(mine, "token", "create", "--role", "viewer");
  await open(`${STACK.url}/#token=${token}`, async (reader) => {
    await reader.bar(/Grace/).waitFor();
    await bokit(mine, "token", "revoke", id);
    await reader.page
      .getByText(/sign in again/i)
      .first()
      .waitFor({ timeout: 2 * MINUTE });
  });
});

test("two tenants see nothing of each other, in no page, list or event", BROWSER, async () => {
  const { seq } = await ask(other, "/events");
  await open(other.page, async (theirs) => {
    const heard: string[] = [];
    theirs.page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => heard.push(String(payload))));
    theirs.page.on("response", async (response) => heard.push(await response.text().catch(() => "")));
    await theirs.page.reload();
    await theirs.page.evaluate("globalThis.isFirst = true");
    await theirs.bar(/Zoe/).waitFor();
    await open(mine.page, async (ours) => {
      await ours.bar(/Grace/).waitFor();
      await bokit(mine, "booking", "edit", mine.booking, "--set", "guest_name=Grace Secret");
      await bokit(other, "booking", "edit", other.booking, "--set", "guest_name=Zoe Own");
      await ours.bar(/Grace Secret/).waitFor({ timeout: MINUTE });
      await theirs.bar(/Zoe Own/).waitFor({ timeout: MINUTE });
      assert.equal(await ours.page.getByText(/Zoe/).count(), 0);
    });
    assert.equal(await theirs.page.getByText(/Grace|Ada/).count(), 0);
    assert.ok(heard.some((text) => text.includes(other.booking)));
    for (const secret of [mine.booking, mine.unit, mine.name, "Grace"])
      assert.deepEqual(
        heard.filter((text) => text.includes(secret)),
        [],
      );
  });
  const { items } = await ask(other, `/events?since=${seq}`);
  assert.ok(items.length > 0);
  assert.ok(!JSON.stringify(items).includes(mine.booking));
});
