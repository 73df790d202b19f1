import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { BrowserContext, Page } from "playwright-core";
import { BROWSER, watchPage } from "../../client/test/browser.ts";
import { until, type World } from "../../client/test/world.ts";
import { soon, Tester } from "./tester.ts";

let tester: Tester;
let world: World;

before(async () => {
  if (BROWSER.skip) return;
  tester = await Tester.start();
  world = tester.world;
  const property = await world.ask("POST", "/properties", { name: "Villa Rosa" });
  const unit = await world.ask("POST", "/units", { name: "Garden flat", property_id: property.id });
  for (const [from, guest_name] of [
    [0, "Ada"],
    [2, "Grace"],
  ] as const)
    await world.ask("POST", "/bookings", { unit_id: unit.id, check_in: soon(from), check_out: soon(from + 3), guest_name });
});
after(() => tester?.stop());

const signedIn = () => `/#token=${world.tokens.admin}`;
const bar = (page: Page, name: RegExp) => page.getByRole("button", { name });
const chart = "#/chart";

/** Open a context that lasts over several pages, with the service worker. */
async function inContext(run: (context: BrowserContext, open: (path: string) => Promise<Page>) => Promise<void>): Promise<void> {
  const context = await tester.browser.newContext({ locale: "en-GB" });
  const complaints: string[][] = [];
  try {
    await run(context, async (path) => {
      const page = await context.newPage();
      complaints.push(await watchPage(page));
      await page.goto(world.url + path);
      return page;
    });
    assert.deepEqual(complaints.flat(), []);
  } finally {
    await context.close();
  }
}

const kept = (page: Page) =>
  page.evaluate(() =>
    [sessionStorage, localStorage].map((storage) => Object.keys(storage).filter((key) => /bokit:(token|lists)/.test(key)).length),
  );

test("a token is entered in a form, which says when it is wrong", BROWSER, () =>
  tester.open("/", async (page) => {
    await page.getByLabel("Token or link").fill("bokit_wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("does not know this token").waitFor();
    await page.getByLabel("Token or link").fill(`${world.url}/#token=${world.tokens.viewer}`);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("navigation").waitFor();
    assert.deepEqual((await kept(page))[1], 0);
    await page.locator(".account summary").click();
    await page.getByText("You can look at everything and change nothing.").waitFor();
  }),
);

test("a form without an answer says so, and keeps what was entered", BROWSER, () =>
  tester.open("/", async (page) => {
    await page.getByLabel("Token or link").fill(world.tokens.admin);
    world.isUp = false;
    try {
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("alert").getByText("no answer").waitFor();
    } finally {
      world.isUp = true;
    }
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("navigation").waitFor();
  }),
);

test("the token stays in its tab, on the device where that is wanted, and nothing stays after signing out", BROWSER, () =>
  inContext(async (_, open) => {
    const first = await open(signedIn());
    await bar(first, /Ada/).waitFor();
    await until(async () => (await kept(first))[0] === 2, "the lists are kept");
    const second = await open("/");
    await second.getByLabel("Token or link").waitFor();

    await first.locator(".account summary").click();
    await first.getByLabel("Stay signed in").check();
    assert.deepEqual(await kept(first), [0, 2]);
    await second.reload();
    await bar(second, /Ada/).waitFor();

    await second.locator(".account summary").click();
    await second.getByRole("button", { name: "Sign out" }).click();
    await second.locator(".ask").getByRole("button", { name: "Sign out" }).click();
    await second.getByLabel("Token or link").waitFor();
    assert.deepEqual(await kept(second), [0, 0]);
  }),
);

test("a link of another token is that tab's alone", BROWSER, () =>
  inContext(async (_, open) => {
    const first = await open(signedIn());
    await first.locator(".account summary").click();
    await first.getByLabel("Stay signed in").check();
    const second = await open(`/#token=${world.tokens.other}`);
    await second.locator(".account summary").click();
    await second.getByText("other", { exact: true }).waitFor();
    assert.equal(await bar(second, /Ada/).count(), 0);
    await first.reload();
    await bar(first, /Ada/).waitFor();
    await first.goto(`${world.url}/#token=${world.tokens.other}`);
    await first.locator(".account summary").click();
    await first.getByText("other", { exact: true }).waitFor();
  }),
);

test("a revoked token's page says so, keeps what it had, and asks for another token", BROWSER, () =>
  tester.show(
    chart,
    async (page) => {
      await bar(page, /Ada/).waitFor();
      await page.locator("bokit-sync-indicator").getByText("Up to date", { exact: true }).waitFor();
      const { token } = await world.ask("POST", "/_test/revoke", { role: "operator" });
      world.tokens.operator = token;
      world.cutSockets();
      const notice = page.getByRole("status").getByText("Your access has ended");
      await notice.waitFor();
      await page.getByText(/What you see is as of \d+ \w+ \d{4}, \d\d:\d\d/).waitFor();
      await bar(page, /Ada/).waitFor();
      await page.getByRole("button", { name: "Sign in with another token" }).click();
      await page.getByLabel("Token or link").fill(token);
      await page.getByRole("button", { name: "Sign in" }).click();
      await bar(page, /Ada/).waitFor();
    },
    {},
    "operator",
  ),
);

test("without a connection the page opens with what it last showed, and nothing that cannot work", BROWSER, () =>
  inContext(async (context, open) => {
    const page = await open(signedIn());
    await bar(page, /Ada/).waitFor();
    await page.evaluate(() => navigator.serviceWorker.ready);
    await until(async () => (await kept(page))[0] === 2, "the lists are kept");
    world.isUp = false;
    await context.setOffline(true);
    try {
      await page.reload();
      await bar(page, /Ada/).waitFor();
      await page.getByText("No connection.").waitFor();
      await page.getByText(/What you see is as of/).waitFor();
      await page.evaluate(() => void (location.hash = "#/conflicts"));
      await page.getByRole("heading", { level: 1, name: "Double bookings" }).waitFor();
    } finally {
      world.isUp = true;
      await context.setOffline(false);
    }
    await page.getByText("No connection.").waitFor({ state: "detached" });
    await page.locator("bokit-sync-indicator").getByText("Up to date", { exact: true }).waitFor();
  }),
);

test("the service worker keeps the page's files, and no answer of the API", BROWSER, () =>
  inContext(async (_, open) => {
    const page = await open(`/stage${signedIn()}`);
    await bar(page, /Ada/).waitFor();
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.reload();
    await bar(page, /Ada/).waitFor();
    const [scope, urls] = await page.evaluate(async () => {
      const names = await caches.keys();
      const keys = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
      return [(await navigator.serviceWorker.ready).scope, keys.flat().map(({ url }) => url)] as const;
    });
    assert.equal(scope, `${world.url}/stage/`);
    const paths = urls.map((url) => url.replace(scope, "")).sort();
    assert.ok(paths.includes("") && paths.some((path) => /^assets\/main-/.test(path)));
    for (const path of paths) assert.match(path, /^$|^assets\/|^icons\/|^manifest\.webmanifest$/);
  }),
);

test("a new version leaves an open page its files, and shows when the page is opened again", BROWSER, () =>
  inContext(async (_, open) => {
    const page = await open(signedIn());
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.reload();
    await bar(page, /Ada/).waitFor();
    const files = new Map(world.files);
    try {
      // the server has other names now, and the old ones are gone
      for (const [path, file] of files) {
        if (!/^\/$|^\/assets|^\/worker/.test(path)) continue;
        world.files.delete(path);
        const text = String(file.text).replace(/-([A-Z0-9]{8})\./g, "-NEW$1.");
        world.files.set(path.replace(/-([A-Z0-9]{8})\./, "-NEW$1."), {
          ...file,
          text: path.startsWith("/assets") ? file.text : text,
        });
      }
      await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
      await page.locator(".account summary").click();
      await page.getByLabel("Language").selectOption("fr");
      await page.getByRole("heading", { level: 1, name: "Planning" }).waitFor();
      await page.reload();
      await page.getByRole("heading", { level: 1, name: "Planning" }).waitFor();
      assert.match((await page.locator("script").getAttribute("src")) ?? "", /-NEW/);
    } finally {
      world.files.clear();
      for (const [path, file] of files) world.files.set(path, file);
    }
  }),
);

test("the language is the browser's, or the one that was chosen", BROWSER, () =>
  tester.show(
    chart,
    async (page) => {
      await page.getByRole("heading", { level: 1, name: "ปฏิทิน" }).waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.lang), "th-TH");
      // Gregorian years
      await page.getByText(String(new Date().getUTCFullYear())).first().waitFor();
      assert.equal(await page.getByText(String(new Date().getUTCFullYear() + 543)).count(), 0);
      await page.locator(".account summary").click();
      await page.locator("select").selectOption("fr");
      await page.getByRole("heading", { level: 1, name: "Planning" }).waitFor();
      await page.reload();
      await page.getByRole("heading", { level: 1, name: "Planning" }).waitFor();
      assert.match(await page.title(), /^Planning – Bokit$/);
    },
    { locale: "th-TH" },
  ),
);

test("the page can be installed", BROWSER, () =>
  tester.open("/", async (page) => {
    const manifest = await page.evaluate(async () => {
      const found = await (await fetch((document.querySelector("link[rel=manifest]") as HTMLLinkElement).href)).json();
      for (const icon of found.icons) icon.status = (await fetch(icon.src)).status;
      return found;
    });
    assert.deepEqual([manifest.name, manifest.display, manifest.start_url], ["Bokit", "standalone", "./"]);
    for (const { status } of manifest.icons) assert.equal(status, 200);
    const sizes = manifest.icons.map(({ sizes }: { sizes: string }) => sizes);
    assert.ok(sizes.includes("192x192") && sizes.includes("512x512"));
  }),
);

test("a view that opens has the focus on its heading, and a skip link leads there", BROWSER, () =>
  tester.show(chart, async (page) => {
    await bar(page, /Ada/).waitFor();
    const focused = () => page.evaluate(() => document.activeElement?.tagName);
    await page.getByRole("link", { name: "Syncs" }).click();
    await until(async () => (await focused()) === "H1");
    assert.match(await page.title(), /^Syncs – /);
    await page.reload();
    await page.getByRole("navigation").waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await until(async () => (await focused()) === "H1");
  }),
);

test("views with something for a person say how many", BROWSER, () =>
  tester.show("#/today", (page) => page.getByRole("link", { name: "Double bookings 1" }).waitFor()),
);

test("on a phone all views are within reach of a thumb", BROWSER, () =>
  tester.show(
    chart,
    async (page) => {
      const settings = page.getByRole("link", { name: "Set up" });
      await page.getByRole("link", { name: "Calendar", exact: true }).waitFor();
      assert.equal(await settings.isVisible(), false);
      await page.getByRole("button", { name: "More" }).click();
      const { y = 0, height = 0 } = (await settings.boundingBox()) ?? {};
      assert.ok(y > 640 * 0.7 && height >= 44);
      await settings.click();
      await page.getByRole("heading", { level: 1, name: "Set up" }).waitFor();
      assert.equal(await settings.isVisible(), false);
    },
    { viewport: { width: 320, height: 640 } },
  ),
);
