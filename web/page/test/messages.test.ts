import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { BROWSER, findViolations } from "../../client/test/browser.ts";
import { until, type World } from "../../client/test/world.ts";
import { LOOKS, Tester } from "./tester.ts";

const HOSTILE = "<img src=x onerror=alert(1)>";
const HOOK = "https://8.8.8.8/hook?x=1";

let tester: Tester;
let world: World;
/** What gets alerts: what came, and how it answers. */
let receiver: Server;
const came: any[] = [];
let status = 200;

before(async () => {
  if (BROWSER.skip) return;
  tester = await Tester.start();
  world = tester.world;
  receiver = createServer((request, response) => {
    let body = "";
    request.on("data", (data) => (body += data));
    request.on("end", () => {
      came.push(JSON.parse(body));
      response.writeHead(status).end("{}");
    });
  }).listen(0, "127.0.0.1");
  await once(receiver, "listening");
  const property = await world.ask("POST", "/properties", { name: "Villa Rosa" });
  await world.ask("POST", "/units", { name: "Garden flat", property_id: property.id });
});
after(async () => {
  receiver?.close();
  await tester?.stop();
});

test("the page knows every type of event", () => {
  const read = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
  const { schemas } = read("../../../docs/openapi.json").components;
  for (const language of ["en", "fr", "th"]) {
    const types = read(`../texts/${language}/message.json`).typeList.split(" ");
    assert.deepEqual([...types].sort(), [...schemas.NewWebhook.properties.types.items.enum].sort());
  }
});

test("nobody hears of alerts, and it says so; a channel is added, tested, changed, switched off and removed", BROWSER, () =>
  tester.show("#/messages", async (page) => {
    await page.getByText("Nobody hears of a double booking").waitFor();
    await page.getByText("Add an alert channel").click();
    const form = page.locator("form").first();
    await form.getByLabel("Where to").selectOption("telegram");
    await form.getByLabel("Chat id").waitFor();
    await form.getByLabel("Where to").selectOption("webhook");
    await form
      .getByRole("textbox", { name: "Address" })
      .fill(`http://127.0.0.1:${(receiver.address() as AddressInfo).port}/secret-path`);
    await form.getByLabel("Name").fill(HOSTILE);
    await form.getByLabel("Quiet hours").fill("at night");
    await form.getByRole("button", { name: "Add" }).click();
    await form.getByText("Write them as in 22:00-07:00").waitFor();
    assert.equal(await form.getByLabel("Name").inputValue(), HOSTILE);
    await form.getByLabel("Quiet hours").fill("22:00-07:00");
    await form.getByRole("button", { name: "Add" }).click();

    const card = page.locator("article").filter({ has: page.getByRole("heading", { name: HOSTILE }) });
    await card.getByText("22:00-07:00").waitFor();
    assert.equal(await page.locator("main img").count(), 0);
    assert.equal(await page.getByText("Nobody hears").count(), 0);
    assert.equal((await page.locator("main").textContent())?.includes("secret-path"), false);
    await card.getByRole("button", { name: "Send a test" }).click();
    await card.getByText("Accepted", { exact: true }).waitFor();
    assert.equal(came.at(-1).type, "test");
    status = 500;
    await card.getByRole("button", { name: "Send a test" }).click();
    await card.getByRole("alert").filter({ hasText: "500" }).waitFor();

    await card.getByText("Change what it sends").click();
    await card.getByLabel("What it sends").selectOption("critical");
    await card.getByLabel("Quiet hours").fill("");
    await card.getByLabel(/A summary/).check();
    await card.getByRole("button", { name: "Save" }).click();
    const [channel] = await until(async () => {
      const { items } = await world.ask("GET", "/alerts");
      return items[0].digest && items;
    });
    assert.deepEqual([channel.severity, channel.quiet_hours, channel.name], ["critical", null, HOSTILE]);

    await card.getByText("Saved").waitFor();
    await card.getByLabel("Quiet hours").fill("23:00-06:00");
    await card.getByRole("button", { name: "Save" }).click();
    const [again] = await until(async () => {
      const { items } = await world.ask("GET", "/alerts");
      return items[0].quiet_hours && items;
    });
    assert.deepEqual([again.severity, again.digest, again.name], ["critical", true, HOSTILE]);

    await card.getByRole("button", { name: "Switch off" }).click();
    await card.getByText("Switched off: nothing is sent.").waitFor();
    await page.getByText("Nobody hears").waitFor();
    await card.getByRole("button", { name: "Remove" }).click();
    await card.getByText(`Remove ${HOSTILE}?`).waitFor();
    await card.locator(".ask").getByRole("button", { name: "Remove" }).click();
    await until(async () => (await card.count()) === 0);
  }),
);

test(
  "a webhook shows its secret once; it is tested, sends, is redelivered, rotated, switched off and removed",
  BROWSER,
  async () => {
    let secret = "";
    await tester.show("#/messages", async (page) => {
      await page.getByText("Add a webhook").click();
      const form = page.locator("form").last();
      await form.getByRole("textbox", { name: "Address" }).fill("http://10.0.0.1/hook");
      await form.getByLabel("booking.created").check();
      await form.getByRole("button", { name: "Add" }).click();
      await form.getByText("not on the public internet").waitFor();
      assert.equal(await form.getByLabel("booking.created").isChecked(), true);
      await form.getByRole("textbox", { name: "Address" }).fill(HOOK);
      await form.getByLabel("catalog.changed").check();
      await form.getByRole("button", { name: "Add" }).click();
      await page.getByText("This is shown only now.").waitFor();
      secret = await page.getByLabel("Secret").inputValue();
      assert.match(secret, /^whsec_/);
      await page.getByText("booking.created, catalog.changed").waitFor();
    });
    await tester.show("#/messages", async (page) => {
      const card = page.locator("article");
      await card.getByRole("button", { name: "Send a test" }).click();
      await card.getByText("Accepted", { exact: true }).waitFor();
      assert.equal((await page.content()).includes(secret), false);
      assert.equal(await page.locator("main img").count(), 0);

      await world.ask("POST", "/properties", { name: "Villa Bianca" });
      await world.ask("POST", "/_test/deliver");
      await card.getByText("Last deliveries").click();
      await card.getByText(/catalog\.changed · delivered · 204 · 1 attempt/).waitFor();
      await card.getByRole("button", { name: "Send again" }).click();
      await card.getByText(/catalog\.changed · waits/).waitFor();

      await card.getByRole("button", { name: "New secret" }).click();
      await card.locator(".ask").getByRole("button", { name: "New secret" }).click();
      await page.getByText("This is shown only now.").waitFor();
      assert.notEqual(await page.getByLabel("Secret").inputValue(), secret);
      await card.getByRole("button", { name: "Switch off" }).click();
      await card.getByText("Switched off: nothing is sent.").waitFor();
      await card.getByRole("button", { name: "Switch on" }).click();
      await card.getByRole("button", { name: "Switch off" }).waitFor();
      await card.getByRole("button", { name: "Remove" }).click();
      await card.locator(".ask").getByRole("button", { name: "Remove" }).click();
      await until(async () => (await card.count()) === 0);
    });
  },
);

test("who is not an admin changes nothing here", BROWSER, () =>
  tester.show(
    "#/messages",
    async (page) => {
      await page.getByText("Nobody hears of a double booking").waitFor();
      await page.getByText("Add an alert channel").click();
      await page.getByText("Your access does not allow changes here.").waitFor();
      assert.equal(await page.locator("main form").count(), 0);
      assert.equal(await page.getByText("Add a webhook").count(), 0);
    },
    {},
    "operator",
  ),
);

for (const { name, ...look } of LOOKS)
  test(`axe finds nothing: ${name}`, BROWSER, async () => {
    if (!(await world.ask("GET", "/webhooks")).items.length) {
      await world.ask("POST", "/webhooks", { url: "https://8.8.8.8/hook" });
      await world.ask("POST", "/alerts", { kind: "slack", url: "https://8.8.8.8/x", name: "Team" });
    }
    await tester.show(
      "#/messages",
      async (page) => {
        await page.locator("article").nth(1).waitFor();
        await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
        for (const dir of ["ltr", "rtl"]) {
          await page.evaluate((dir) => void (document.documentElement.dir = dir), dir);
          assert.deepEqual(await findViolations(page), []);
        }
      },
      look,
    );
  });
