/** What `/page.json` changes, and signing in with an identity provider. */

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import type { BrowserContextOptions, Page } from "playwright-core";
import { BROWSER, findViolations, watchPage } from "../../client/test/browser.ts";
import { until, type World } from "../../client/test/world.ts";
import { CLIENT, Provider } from "./provider.ts";
import { LOOKS, Tester } from "./tester.ts";

let tester: Tester;
let world: World;
let provider: Provider;

before(async () => {
  if (BROWSER.skip) return;
  tester = await Tester.start();
  world = tester.world;
  provider = await Provider.start(world);
  // a page with nothing to show would open the first steps
  const property = await world.ask("POST", "/properties", { name: "Villa Rosa" });
  await world.ask("POST", "/units", { name: "Garden flat", property_id: property.id });
  // as function `public` does: the issuer's origin, and nothing else of it
  for (const { headers } of world.files.values())
    if (headers?.["content-security-policy"])
      headers["content-security-policy"] = headers["content-security-policy"].replace(
        "connect-src 'self'",
        `connect-src 'self' ${provider.origin}`,
      );
});
after(async () => {
  provider?.stop();
  await tester?.stop();
});
beforeEach(() => {
  if (BROWSER.skip) return;
  provider.reset();
  world.passes.clear();
  serve({ issuer: provider.issuer, client_id: CLIENT });
});

/** Serve /page.json: a document, or any text. */
function serve(given: string | Record<string, unknown>): void {
  const document = { version: "1.2.3", ws: null, issuer: null, client_id: null, locale: "en" };
  const text = typeof given === "string" ? given : JSON.stringify({ ...document, ...given });
  world.files.set("/page.json", { type: "application/json", text });
}

/** Open an address; the provider must not complain of anything either. */
async function open(path: string, run: (page: Page) => Promise<void>, options: BrowserContextOptions = {}): Promise<void> {
  provider.complaints.length = 0;
  await tester.open(path, run, options);
  assert.deepEqual(provider.complaints, []);
}

const signIn = (page: Page) => page.getByRole("button", { name: "Sign in", exact: true });
const views = (page: Page) => page.getByRole("navigation").first();
const alert = (page: Page, message: string | RegExp) => page.getByRole("alert").getByText(message).waitFor();
const ended = (page: Page) => page.getByText("Your sign-in has ended.");
const renewals = () => provider.grants.filter((grant) => grant.startsWith("refresh_token")).length;

/** What this tab and this device keep of who is signed in. */
const kept = (page: Page) =>
  page.evaluate(() =>
    [sessionStorage, localStorage].map((storage) =>
      Object.keys(storage)
        .map((key) => /^bokit:(token|lists|grant|attempt):/.exec(key)?.[1] ?? "")
        .filter((what) => what && what !== "lists")
        .sort(),
    ),
  );

/** Open the account's menu, and sign out. */
async function signOut(page: Page): Promise<void> {
  await page.locator(".account summary").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You may stay signed in with your organization").waitFor();
  await page.locator(".ask").getByRole("button", { name: "Sign out" }).click();
}

test("the whole way: to the provider, back to the view that was opened, and out", BROWSER, () =>
  open("/#/sources", async (page) => {
    await page.getByText(`Its page at ${new URL(provider.issuer).host} opens`).waitFor();
    assert.equal(await page.getByLabel("Token or link").count(), 0);
    const addresses: string[] = [];
    page.on("framenavigated", (frame) => addresses.push(frame.url()));
    await signIn(page).click();
    await page.getByRole("heading", { level: 1, name: "Calendars read" }).waitFor();
    assert.equal(page.url(), `${world.url}/#/sources`);
    // without its code before anything else was done
    assert.match(addresses[0] ?? "", /\?code=/);
    assert.ok(!addresses.slice(1).some((url) => url.includes("code=")));
    await page.locator(".account summary").click();
    await page.getByText("You can sync and edit.").waitFor();
    await page.getByText("Bokit 1.2.3").waitFor();
    await page.locator(".account summary").click();
    assert.deepEqual(await kept(page), [["grant", "token"], []]);
    await page.reload();
    await page.getByRole("heading", { level: 1, name: "Calendars read" }).waitFor();
    assert.equal(provider.grants.length, 1);
    await page.locator(".account summary").click();
    await page.getByLabel("Stay signed in").check();
    assert.deepEqual(await kept(page), [[], ["grant", "token"]]);
    await page.getByLabel("Stay signed in").uncheck();
    assert.deepEqual(await kept(page), [["grant", "token"], []]);
    await page.locator(".account summary").click();

    await signOut(page);
    await signIn(page).waitFor();
    assert.deepEqual(await kept(page), [[], []]);
    await page.reload();
    await signIn(page).waitFor();
  }),
);

test("an answer is taken once, by the tab that asked, and a reader who is signed in stays so", BROWSER, () =>
  open("/?code=abc&state=forged", async (page) => {
    await alert(page, "does not belong to a sign-in");
    assert.equal(page.url(), `${world.url}/`);
    assert.equal(provider.grants.length, 0);

    provider.faults = { answer: { state: "forged" } };
    await signIn(page).click();
    await alert(page, "does not belong to a sign-in");
    provider.faults = { answer: { iss: "https://other.example" } };
    await signIn(page).click();
    await alert(page, "does not belong to a sign-in");
    assert.equal(provider.grants.length, 0);

    provider.faults = {};
    const [answer] = await Promise.all([
      page.waitForRequest((request) => request.url().includes("?code=")),
      signIn(page).click(),
    ]);
    await views(page).waitFor();
    await page.goto(answer.url());
    await views(page).waitFor();
    assert.equal(new URL(page.url()).search, "");
    assert.equal(provider.grants.length, 1);
  }),
);

for (const [what, claims] of Object.entries({
  "another nonce": { nonce: "x" },
  "another audience": { aud: ["other"] },
  "another issuer": { iss: "https://other.example" },
  "no subject": { sub: "" },
}))
  test(`an ID token with ${what} signs nobody in`, BROWSER, () =>
    open("/", async (page) => {
      provider.faults = { claims };
      await signIn(page).click();
      await alert(page, "does not belong to a sign-in");
      assert.deepEqual(await kept(page), [[], []]);
    }),
  );

for (const [what, message, faults] of [
  ["denied", "refused or cancelled there", () => ({ answer: { error: "access_denied" } })],
  ["refused", "(invalid_scope)", () => ({ answer: { error: "invalid_scope" } })],
  ["used before", "took too long", () => ({ answer: { code: "old" } })],
  ["broken", "No usable answer from", () => ({ refusal: { status: 200, text: "<html>" } })],
  ["overloaded", "No usable answer from", () => ({ refusal: { status: 503, text: "{}" } })],
  ["one of too many", "No usable answer from", () => ({ refusal: { status: 429, text: '{"error": "slow_down"}' } })],
  ["set up as a secret client", "(invalid_client)", () => ({ refusal: { status: 401, text: '{"error": "invalid_client"}' } })],
  ["not for the API", "Bokit does not take its token", () => ({ isUnfit: true })],
  ["somebody else's", "No usable answer from", () => ({ document: { issuer: "https://other.example" } })],
  ["a script", "No usable answer from", () => ({ document: { authorization_endpoint: "javascript:alert(1)" } })],
  [
    "at another origin",
    "gives its tokens at tokens.example",
    () => ({ document: { token_endpoint: "https://tokens.example/token" } }),
  ],
  ["down", "No usable answer from", () => ({ isDown: true })],
] as const)
  test(`a sign-in that is ${what} says so in a sentence, and the next one works`, BROWSER, () =>
    open("/#/runs", async (page) => {
      provider.faults = faults();
      await signIn(page).click();
      await alert(page, message);
      assert.deepEqual(await kept(page), [[], []]);
      assert.equal(page.url(), `${world.url}/#/runs`);
      provider.faults = {};
      await signIn(page).click();
      await views(page).waitFor();
      assert.equal(page.url(), `${world.url}/#/runs`);
    }),
  );

test("a token is renewed before it ends, and at once where it ended while the page was closed", BROWSER, () =>
  open("/", async (page) => {
    provider.lifeS = 2;
    await signIn(page).click();
    await views(page).waitFor();
    await until(() => renewals() >= 2, "the token is renewed");
    const old = [...world.passes.keys()].slice(0, -1);
    for (const token of old) world.passes.set(token, "");
    await page.locator("bokit-sync-indicator").getByText("Up to date", { exact: true }).waitFor();
    assert.equal(await ended(page).count(), 0);

    await page.goto("about:blank");
    await new Promise((resolve) => setTimeout(resolve, 2000));
    provider.endTokens();
    const before = renewals();
    provider.lifeS = 3600;
    await page.goto(`${world.url}/`);
    await page.locator("bokit-sync-indicator").getByText("Up to date", { exact: true }).waitFor();
    assert.equal(renewals(), before + 1);
    assert.equal(await ended(page).count(), 0);
  }),
);

test("what waits to be saved is sent by its own account, whatever its token", BROWSER, async () => {
  await world.ask("POST", "/_test/collections", { name: "team" });
  await open("/", async (page) => {
    await page.evaluate(() => {
      for (const [account, id] of [
        ["rosa%2F1", "r1"],
        ["rosa", "r2"],
      ] as const) {
        const save = { collection: "team", id, data: { name: "Ada" }, preserve: [], notify: true, error: null };
        localStorage.setItem(`bokit:saves:${location.href} ${account}:left`, JSON.stringify({ [id]: save }));
      }
    });
    await signIn(page).click();
    await views(page).waitFor();
    const ids = async () => (await world.ask("GET", "/collections/team/records")).items.map(({ id }: { id: string }) => id);
    await until(async () => (await ids()).length, "the save is sent");
    assert.deepEqual(await ids(), ["r1"]);
  });
});

test("two tabs of a device renew once, though a refresh token works once", BROWSER, async () => {
  const context = await tester.browser.newContext({ locale: "en-GB", serviceWorkers: "block" });
  try {
    const first = await context.newPage();
    const complaints = await watchPage(first);
    await first.goto(world.url);
    await first.getByLabel("Stay signed in").check();
    provider.lifeS = 4;
    await signIn(first).click();
    await views(first).waitFor();
    assert.deepEqual(await kept(first), [[], ["grant", "token"]]);
    const second = await context.newPage();
    await second.goto(world.url);
    await views(second).waitFor();
    await until(() => renewals() >= 2, "the token is renewed");
    for (const page of [first, second]) {
      await page.bringToFront();
      await views(page).waitFor();
      assert.equal(await ended(page).count(), 0);
    }
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
});

test("a sign-in that cannot be renewed says that it ended, and begins again at the same view", BROWSER, () =>
  open("/#/runs", async (page) => {
    provider.givesRefresh = false;
    provider.lifeS = 2;
    await signIn(page).click();
    await views(page).waitFor();
    await page.locator(".account summary").click();
    await page.locator(".account").getByText(String(new Date().getFullYear())).waitFor();
    await ended(page).waitFor();
    provider.endTokens();
    provider.faults = { isDown: true };
    const again = page.getByRole("button", { name: "Sign in again" });
    await again.click();
    await alert(page, "No usable answer from");
    provider.faults = {};
    provider.lifeS = 3600;
    await again.click();
    await ended(page).waitFor({ state: "detached" });
    await page.locator("bokit-sync-indicator").getByText("Up to date", { exact: true }).waitFor();
    assert.equal(await ended(page).count(), 0);
    assert.equal(page.url(), `${world.url}/#/runs`);
  }),
);

test("a refresh token that was revoked ends the sign-in", BROWSER, () =>
  open("/", async (page) => {
    provider.lifeS = 2;
    await signIn(page).click();
    await views(page).waitFor();
    provider.faults = { refusal: { status: 400, text: '{"error": "invalid_grant"}' } };
    await ended(page).waitFor();
    await page.getByRole("button", { name: "Sign in again" }).waitFor();
  }),
);

test("a page that is loaded again in between, or left by going back, begins again", BROWSER, () =>
  open("/", async (page) => {
    provider.asks = true;
    await signIn(page).click();
    await page.getByText("It is me").waitFor();
    await page.reload();
    await page.getByText("It is me").waitFor();
    await page.goBack();
    await page.reload();
    await signIn(page).click();
    await page.getByText("It is me").click();
    await views(page).waitFor();
  }),
);

test("an installed page signs in too", BROWSER, () =>
  open(
    "/",
    async (page) => {
      await page.evaluate(() => navigator.serviceWorker.ready);
      await page.reload();
      assert.ok(await page.evaluate(() => !!navigator.serviceWorker.controller));
      await signIn(page).click();
      await views(page).waitFor();
      assert.equal(new URL(page.url()).search, "");
    },
    { serviceWorkers: "allow" },
  ),
);

test("the sign-in is clean in each look", BROWSER, async () => {
  for (const { name, ...look } of LOOKS)
    await open(
      "/?error=access_denied&state=forged",
      async (page) => {
        await page.getByRole("alert").waitFor();
        assert.deepEqual(await findViolations(page), [], name);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.equal(wide, 0, name);
      },
      look,
    );
});

test("the stack's language is for who asks for none that there is", BROWSER, async () => {
  serve({ locale: "th" });
  const lang = (page: Page) => page.evaluate(() => document.documentElement.lang);
  const form = (page: Page) => page.locator("input[name=token]");
  await open(
    "/",
    async (page) => {
      await form(page).waitFor();
      assert.equal(await lang(page), "th");
      await page.locator("select").selectOption("fr");
      await page.getByText("Jeton ou lien").waitFor();
      await page.reload();
      await page.getByText("Jeton ou lien").waitFor();
    },
    { locale: "de-DE" },
  );
  await open("/", (page) => page.getByText("Jeton ou lien").waitFor(), { locale: "fr-CA" });
});

for (const text of [
  "",
  "<html>",
  "null",
  "[]",
  '{"locale": 5, "version": {}, "issuer": [], "client_id": 1}',
  '{"locale": "xx"}',
  '{"issuer": "x"}',
])
  test(`the page works with ${text || "an empty text"} as its settings`, BROWSER, async () => {
    serve(text);
    await open(
      "/",
      async (page) => {
        await page.getByLabel("Token or link").fill(world.tokens.admin);
        await page.getByRole("button", { name: "Sign in" }).click();
        await views(page).waitFor();
        await page.locator(".account summary").click();
        await page.getByText("You can do everything.").waitFor();
      },
      { locale: "de-DE" },
    );
  });

test("the page works without its settings", BROWSER, async () => {
  world.files.delete("/page.json");
  world.broken = "/page.json";
  try {
    await open(`/#token=${world.tokens.admin}`, (page) => views(page).waitFor(), { locale: "de-DE" });
  } finally {
    world.broken = "";
  }
});
