/** The React example, as it is served: two windows, offline, refused saves, and a reload. */

import assert from "node:assert/strict";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, test } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { BROWSER, findViolations, launch, watchPage } from "./browser.ts";
import { until, World } from "./world.ts";

const EXAMPLE = new URL("../../../examples/react/serve.mjs", import.meta.url);
const TEAM = { name: "team", preserve: ["joinDate"], schema: { required: ["name"], properties: { name: { minLength: 2 } } } };

let world: World;
let browser: Browser;
let server: Server;
let url: string;

before(async () => {
  if (BROWSER.skip) return;
  [world, browser] = await Promise.all([World.start(), launch()]);
  const { serve } = await import(EXAMPLE.href);
  server = await serve({ api: world.url, socket: world.url.replace("http", "ws") });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  await world.ask("POST", "/_test/collections", { name: "settings" });
});
after(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
  await world?.stop();
});
afterEach(() => {
  if (world) world.isUp = true;
});

/** Open a window, in a browser of its own or as a tab of *context*; it must not complain of anything. */
async function open(run: (page: Page, context: BrowserContext) => Promise<void>): Promise<void> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const complaints = await watchPage(page);
    await page.goto(`${url}#token=${world.tokens.operator}`);
    assert.equal(page.url(), url, "the token is not in the address");
    await says(page, "Up to date");
    await run(page, context);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

const says = (page: Page, text: string) =>
  page.locator("bokit-sync-indicator").getByText(text, { exact: true }).waitFor({ timeout: 90_000 });
const member = (page: Page, name: string) => page.getByRole("form", { name, exact: true });
const city = (page: Page) => page.getByLabel("City");
const put = (path: string, data: object) => world.ask("PUT", `/collections/${path}`, data);
const record = async (path: string) => {
  const {
    createdAt: _created,
    updatedAt: _updated,
    updatedBy: _by,
    _meta,
    id: _id,
    ...fields
  } = await world.ask("GET", `/collections/${path}`);
  return fields;
};
const shows = (page: Page, label: string, value: string) =>
  until(async () => (await page.getByLabel(label, { exact: true }).first().inputValue()) === value, `${label}: ${value}`);

/** Start from a record of each collection. */
async function reset(): Promise<void> {
  await world.ask("POST", "/_test/collections", TEAM);
  await put("settings/records/main", { name: "Villa", city: "Rome", email: "" });
  await put("team/records/ada", { name: "Ada", phone: "1", email: "", joinDate: "2020-01-01" });
}

test("what one window changes shows in the other one", BROWSER, async () => {
  await reset();
  await open((one) =>
    open(async (other) => {
      await city(one).fill("Oslo");
      await shows(other, "City", "Oslo");
      await other.getByLabel("New member").fill("Grace");
      await other.getByRole("button", { name: "Add" }).click();
      await member(one, "Grace").waitFor();
      await member(one, "Ada").getByLabel("Phone").fill("22");
      await until(async () => (await member(other, "Ada").getByLabel("Phone").inputValue()) === "22");
      await until(async () => (await one.getByText(/^Saved at /).count()) === 1);
      for (const page of [one, other]) assert.deepEqual(await findViolations(page), []);
    }),
  );
  assert.deepEqual(await record("team/records/ada"), { name: "Ada", phone: "22", email: "", joinDate: "2020-01-01" });
});

test("an edit made offline is merged with what another person changed in the same record", BROWSER, async () => {
  await reset();
  await open(async (page, context) => {
    await context.setOffline(true);
    world.cutSockets();
    await says(page, "Offline");
    await page.getByLabel("Name of the business").fill("Casa");
    await member(page, "Ada").getByLabel("Phone").fill("333");
    await says(page, "Offline: 2 to save");
    await put("settings/records/main", { city: "Bergen" });
    await put("team/records/ada", { email: "ada@example.org" });

    await context.setOffline(false);
    await shows(page, "City", "Bergen");
    await says(page, "Up to date");
  });
  assert.deepEqual(await record("settings/records/main"), { name: "Casa", city: "Bergen", email: "" });
  const { phone, email } = await record("team/records/ada");
  assert.deepEqual([phone, email], ["333", "ada@example.org"]);
});

test("saves that wait outlive a reload", BROWSER, async () => {
  await reset();
  await open(async (page) => {
    world.isUp = false;
    world.cutSockets();
    await says(page, "Offline");
    await city(page).fill("Turku");
    await says(page, "Offline: 1 to save");
    await page.reload();
    await says(page, "Offline: 1 to save");
    assert.equal(await city(page).isDisabled(), true, "nothing is shown that was not read");
    world.isUp = true;
    await shows(page, "City", "Turku");
    await says(page, "Up to date");
  });
  assert.deepEqual(await record("settings/records/main"), { name: "Villa", city: "Turku", email: "" });
});

test("a refused save shows, with what was typed, and can be corrected, retried or discarded", BROWSER, async () => {
  await reset();
  await open(async (page) => {
    const name = page.locator("[data-member=ada] [name=name]");
    await name.fill("A");
    await says(page, "1 not saved");
    const alert = page.getByRole("alert");
    assert.match((await alert.textContent()) ?? "", /^Not saved: name: .+/);
    assert.deepEqual([await name.inputValue(), await name.getAttribute("aria-invalid")], ["A", "true"]);
    assert.deepEqual(await findViolations(page), []);

    await alert.getByRole("button", { name: "Discard" }).click();
    await until(async () => (await name.inputValue()) === "Ada");
    await says(page, "Up to date");

    await name.fill("B");
    await says(page, "1 not saved");
    await name.fill("Bea");
    await until(async () => (await record("team/records/ada")).name === "Bea");
    await says(page, "Up to date");

    await name.fill("C");
    await says(page, "1 not saved");
    await world.ask("POST", "/_test/collections", { ...TEAM, schema: null });
    await alert.getByRole("button", { name: "Try again" }).click();
    await until(async () => (await record("team/records/ada")).name === "C");
    await says(page, "Up to date");

    await page.getByLabel("New member").fill("");
    await world.ask("POST", "/_test/collections", TEAM);
    await page.getByRole("button", { name: "Add" }).click();
    await alert.waitFor();
  });
});
