import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { addPage, BROWSER, findViolations } from "../../client/test/browser.ts";
import { until, type World } from "../../client/test/world.ts";
import { assets, DIST, LOOKS, soon, Tester } from "./tester.ts";

let tester: Tester;
let world: World;
let unit: string;

before(async () => {
  if (BROWSER.skip) return;
  tester = await Tester.start();
  world = tester.world;
  await addPage(
    world,
    "chart",
    new URL("pages/chart.tsx", import.meta.url).href,
    '<link rel="stylesheet" href="/chart.css"><main></main>',
  );
  const style = assets().find((name) => name.endsWith(".css"));
  world.files.set("/chart.css", {
    type: "text/css",
    text: `${readFileSync(`${DIST}assets/${style}`, "utf8")} main { height: 600px }`,
  });
  const property = await world.ask("POST", "/properties", { name: "Villa Rosa" });
  unit = (await world.ask("POST", "/units", { name: "Garden flat", property_id: property.id })).id;
  await world.ask("POST", "/units", { name: "Loft", property_id: property.id });
  await book(0, 3, "Ada");
  await book(3, 6, "Grace");
});
after(() => tester?.stop());

const book = (from: number, to: number, guest_name: string): Promise<any> =>
  world.ask("POST", "/bookings", { unit_id: unit, check_in: soon(from), check_out: soon(to), guest_name });

const open: Tester["open"] = (...given) => tester.open(...given);
const signedIn = () => `/#token=${world.tokens.admin}`;
const bar = (page: Page, name: string | RegExp) => page.getByRole("button", { name });

test("the page has at most 30 kB of script; what opens later is one file", (t) => {
  const sizes = assets().map((name) => [name, gzipSync(readFileSync(`${DIST}assets/${name}`), { level: 9 }).length] as const);
  t.diagnostic(sizes.map(([name, bytes]) => `${name} ${bytes}`).join(", "));
  for (const [name] of sizes) assert.match(name, /^[\w-]+-[A-Z0-9]{8}\.(js|css|json)$/);
  const scripts = sizes.filter(([name]) => name.endsWith(".js"));
  assert.deepEqual(
    scripts.map(([name]) => name.split("-")[0]),
    ["chunk", "main", "more"],
  );
  const atStart = scripts.filter(([name]) => !name.startsWith("more-"));
  assert.ok(atStart.reduce((sum, [, bytes]) => sum + bytes, 0) <= 30_000);
});

test("the token leaves the address, and bookings show under the strict policy", BROWSER, () =>
  open(signedIn(), async (page) => {
    await bar(page, /Ada/).waitFor();
    assert.equal(new URL(page.url()).hash, "");
    await page.reload();
    await bar(page, /Grace/).waitFor();
    await page.locator("bokit-sync-indicator").getByText("Up to date", { exact: true }).waitFor();
  }),
);

test("without a token it says how to get one", BROWSER, () => open("/", (page) => page.getByText("#token=").waitFor()));

test("the same build works under a path", BROWSER, () => open(`/stage${signedIn()}`, (page) => bar(page, /Ada/).waitFor()));

test("what others change shows, a double booking as one", BROWSER, () =>
  open(signedIn(), async (page) => {
    await bar(page, /Ada/).waitFor();
    const { id } = await book(10, 13, "Eve");
    await bar(page, /Eve/).waitFor();
    await book(12, 14, "Mallory");
    await bar(page, /Eve.*double booking/i).waitFor();
    await world.ask("PATCH", `/bookings/${id}`, { guest_name: "Evelyn" });
    await bar(page, /Evelyn/).waitFor();
    await world.ask("PATCH", `/bookings/${id}`, { status: "cancelled" });
    await until(async () => (await bar(page, /Evelyn/).count()) === 0);
    await until(async () => (await bar(page, /double booking/i).count()) === 0);
  }),
);

test("zoom, dates and today move the chart", BROWSER, () =>
  open(signedIn(), async (page) => {
    await bar(page, /Ada/).waitFor();
    const width = async () => (await bar(page, /Ada/).boundingBox())?.width ?? 0;
    const before = await width();
    await bar(page, "Wider").click();
    await until(async () => (await width()) > before);
    await page.getByLabel("Go to date").fill("2027-05-01");
    await page.getByText("May 2027").first().waitFor();
    await bar(page, "Today").click();
    await bar(page, /Ada/).waitFor();
  }),
);

test("arrows go from bar to bar, and Enter opens one", BROWSER, () =>
  open("/chart", async (page) => {
    await page.evaluate("draw(5, 90, 50)");
    const focused = () => page.evaluate(() => document.activeElement?.textContent ?? "");
    await bar(page, /Guest 0\b/).focus();
    await page.keyboard.press("ArrowRight");
    assert.match(await focused(), /Guest 5$/);
    await page.keyboard.press("ArrowDown");
    assert.match(await focused(), /Guest 6$/);
    await page.keyboard.press("ArrowLeft");
    assert.match(await focused(), /Guest 1$/);
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate("opened"), "booking/b0");
  }),
);

test("the Tab key reaches the chart", BROWSER, () =>
  open("/chart", async (page) => {
    await page.evaluate("draw(5, 90, 50)");
    await page.keyboard.press("Tab");
    await page.keyboard.press("ArrowDown");
    await until(async () => page.evaluate(() => document.activeElement?.matches(".bar")));
  }),
);

test("of 300 units and 9,000 bookings only what is in view is in the document", BROWSER, () =>
  open("/chart", async (page) => {
    await page.evaluate("draw(300, 365, 9000)");
    const count = () =>
      page.evaluate(() => [document.querySelectorAll(".unit").length, document.querySelectorAll(".bar").length]);
    const [units = 0, bars = 0] = await count();
    assert.ok(units > 10 && units < 50 && bars > 20 && bars < 400, `${units} units, ${bars} bars`);
    await page.evaluate(() => document.querySelector(".chart")?.scrollTo({ top: 1e6, left: 4000 }));
    await page.getByText("Flat 299").waitFor();
    const [later = 0] = await count();
    assert.ok(later < 50);
  }),
);

test("what is in view is drawn first, and what is beside it after that", BROWSER, () =>
  open("/chart", async (page) => {
    const [first, later] = await page.evaluate(async () => {
      const count = () => [".unit", ".bar", ".day"].map((name) => document.querySelectorAll(name).length);
      await (globalThis as any).draw(300, 365, 9000);
      const first = count();
      for (let tries = 500; tries-- && count()[0] === first[0]; ) await new Promise((resolve) => setTimeout(resolve));
      const { bottom, right } = document.querySelector(".chart")!.getBoundingClientRect();
      const isSeen = (element: Element) =>
        element.getBoundingClientRect().top < bottom && element.getBoundingClientRect().left < right;
      const seen = [".unit", ".day"].map((name) => [...document.querySelectorAll(name)].filter(isSeen).length);
      return [[first[0], first[2], ...seen], count()];
    });
    const [units = 0, days = 0, seenUnits = 0, seenDays = 0] = first as number[];
    assert.ok(units >= seenUnits && days >= seenDays, JSON.stringify(first));
    assert.ok(units < seenUnits + 3 && days < seenDays + 3, JSON.stringify(first));
    assert.ok((later?.[0] ?? 0) > units + 2 && (later?.[2] ?? 0) > days + 2, JSON.stringify(later));
  }),
);

test("scrolling draws what comes into view, and nothing again", BROWSER, () =>
  open("/chart", async (page) => {
    await page.evaluate("draw(300, 365, 9000)");
    const [changed, added] = await page.evaluate(async () => {
      let [changed, added] = [0, 0];
      const observer = new MutationObserver((mutations) => {
        for (const { type, target, addedNodes } of mutations)
          if (type === "childList") added += addedNodes.length;
          else if ((target as Element).matches(".bar")) changed++;
      });
      const options = { subtree: true, childList: true, attributes: true, characterData: true };
      observer.observe(document.querySelector(".sheet")!, options);
      for (const place of [{ top: 400 }, { top: 800 }, { left: 400 }, { left: 900 }]) {
        document.querySelector(".chart")?.scrollTo(place);
        await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      }
      observer.disconnect();
      return [changed, added] as const;
    });
    assert.equal(changed, 0);
    assert.ok(added > 20);
  }),
);

test("a change within a unit draws that unit alone, and of its bars those that changed", BROWSER, () =>
  open("/chart", async (page) => {
    await page.evaluate("draw(10, 30, 30)");
    /** Move a booking; return the units and the bars that were touched. */
    const move = (booking: string) =>
      page.evaluate(async (booking) => {
        const [units, bars] = [new Set<string>(), new Set<string>()];
        const observer = new MutationObserver((mutations) => {
          for (const { target } of mutations) {
            const element = (target.parentElement?.closest("button") ?? target) as HTMLElement;
            units.add(element.closest(".unit")?.ariaLabel ?? "elsewhere");
            if (element.matches(".bar")) bars.add(/Guest \d+/.exec(element.ariaLabel ?? "")?.[0] ?? "");
          }
        });
        const options = { subtree: true, childList: true, attributes: true, characterData: true };
        observer.observe(document.querySelector("main")!, options);
        await (globalThis as any).move(booking);
        observer.disconnect();
        return [[...units], [...bars].sort()];
      }, booking);
    assert.deepEqual(await move("b21"), [["Villa Flat 001"], ["Guest 21"]]);
    // it now overlaps the one that follows: their row is higher, and those below move down
    await bar(page, /Guest 1\b/).focus();
    assert.deepEqual(await move("b1"), [["Villa Flat 001"], ["Guest 1", "Guest 11"]]);
    assert.match(
      await page.evaluate(() => document.activeElement?.ariaLabel ?? ""),
      /Guest 1, 2 July 2026|Guest 1, July 2, 2026/,
    );
  }),
);

test("hostile texts are texts", BROWSER, () =>
  open("/chart", async (page) => {
    const texts = [
      '<img src=x onerror="alert(1)">',
      "<script>alert(1)</script>",
      "\u202egnp.exe",
      "'\"><svg/onload=alert(1)>",
      "javascript:alert(1)",
      "{{7*7}}",
      "\u0000\uffff",
      "ด้้้้้็็็็็้้้้้็็็็็",
    ];
    page.on("dialog", () => assert.fail("a dialog"));
    for (const hostile of texts) {
      await page.evaluate(`draw(2, 30, 4, ${JSON.stringify(hostile)})`);
      assert.equal(await page.evaluate(() => document.querySelectorAll("main img, main script, main svg").length), 0);
    }
  }),
);

const TODAY = { en: "Today", fr: "Aujourd’hui", th: "วันนี้" };
for (const { name, ...look } of LOOKS)
  test(`axe finds nothing: ${name}`, BROWSER, () =>
    open(
      signedIn(),
      async (page) => {
        await page.locator("header").waitFor();
        await page.evaluate(() => void (location.hash = "#/chart"));
        await page.getByRole("button", { name: TODAY[look.locale as "en"], exact: true }).waitFor();
        await bar(page, /Ada/).waitFor();
        assert.deepEqual(await findViolations(page), []);
        await page.evaluate(() => void (document.documentElement.dir = "rtl"));
        assert.deepEqual(await findViolations(page), []);
      },
      look,
    ),
  );
