/** Every view in every language, scheme and size. `BOKIT_BROWSERS=all` (`make browsers`) runs the whole; else a sample. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { BROWSER, findViolations } from "../../client/test/browser.ts";
import { HOSTILE } from "./hostile.ts";
import { SIZES, Tester } from "./tester.ts";
import { furnish } from "./views.ts";

const ALL_SIZES = { ...SIZES, small: { width: 320, height: 640 } };
const LANGUAGES = ["en", "fr", "th", "ar"];
const SAMPLE = ["fr light large", "th dark small", "ar light phone"];
const isWhole = process.env["BOKIT_BROWSERS"] === "all";

let tester: Tester;
let views: { readonly [name: string]: string };

before(async () => {
  if (BROWSER.skip) return;
  tester = await Tester.start();
  views = await furnish(tester.world);
  addPseudoLocale(tester);
});
after(() => tester?.stop());

/** Add a language that is written from right to left: English with other letters, and a third longer. */
function addPseudoLocale({ world: { files } }: Tester): void {
  const [name = ""] = [...files.keys()].filter((path) => path.includes("texts-en"));
  const turn = (text: string) => {
    const letters = text.replace(/\{\w+\}|[a-z]/gi, (found) =>
      found.startsWith("{") ? found : String.fromCharCode(0x5d0 + (found.toLowerCase().charCodeAt(0) % 26)),
    );
    return letters + " ־ש".repeat(Math.ceil(text.length / 9));
  };
  const texts = Object.entries(JSON.parse(String(files.get(name)?.text))).map(([key, text]) => [
    key,
    typeof text === "string" ? turn(text) : { other: turn((text as { other: string }).other) },
  ]);
  files.set("/assets/texts-ar-00000000.json", {
    type: "application/json",
    text: JSON.stringify(Object.fromEntries(texts)),
  });
  const page = files.get("/");
  if (page) files.set("/", { ...page, text: String(page.text).replace('{"en"', '{"ar":"texts-ar-00000000.json","en"') });
}

/** Go to a view, and wait until what it loads is there. */
async function go(page: Page, address: string): Promise<void> {
  await page.evaluate((hash) => void (location.hash = hash), address);
  await page.waitForLoadState("networkidle").catch(() => {});
  await page.waitForTimeout(250);
}

/** What lies beyond the side of the window, where it is not in the chart; and texts without a translation or a value. */
const findFlaws = (page: Page) =>
  page.evaluate((names) => {
    const root = document.scrollingElement as Element;
    const wide = [root, ...document.querySelectorAll("main, aside, header, nav, .top")].filter(
      (box) => !box.querySelector(":scope > .chart") && box.scrollWidth > box.clientWidth + 1,
    );
    const text = document.body.textContent;
    return [
      ...wide.map((box) => `${box.tagName} scrolls sideways: ${box.scrollWidth} > ${box.clientWidth}`),
      ...(text.match(/\{\w+\}|\b[a-z]+\.[a-zA-Z]\w*\b/g) ?? []).filter((found) => found.startsWith("{") || names.includes(found)),
    ];
  }, textNames());

const textNames = () => {
  const [, file] = [...tester.world.files].find(([path]) => path.includes("texts-en")) ?? [];
  // a hint about webhooks names types of events, some of which are texts' names as well
  return Object.keys(JSON.parse(String(file?.text))).filter((name) => !/\.(cancelled|failing|held|stale|unread)$/.test(name));
};

for (const language of LANGUAGES)
  for (const colorScheme of ["light", "dark"] as const)
    for (const [size, viewport] of Object.entries(ALL_SIZES)) {
      const name = `${language} ${colorScheme} ${size}`;
      if (!isWhole && !SAMPLE.includes(name)) continue;
      test(`axe finds nothing in any view, and nothing lies beyond the side: ${name}`, BROWSER, async (t) => {
        const found: string[] = [];
        await tester.show(
          "#/chart",
          async (page) => {
            await page.getByRole("navigation").waitFor();
            for (const [view, address] of Object.entries(views)) {
              await go(page, address);
              found.push(...[...(await findViolations(page)), ...(await findFlaws(page))].map((flaw) => `${view}: ${flaw}`));
            }
          },
          { locale: language, colorScheme, viewport },
        );
        t.diagnostic(`${Object.keys(views).length} views`);
        assert.deepEqual([...new Set(found)], []);
      });
    }

/** Names and sentences, as opposed to ids, dates, words for programs and addresses. */
const isText = (text: string) => !/^([a-z][\w.-]*|\d{4}-\d\d.*|https?:.*|wss?:.*|)$/.test(text);

test(`hostile strings in every field of every view are shown as texts`, BROWSER, async (t) => {
  let turn = 0;
  const shown = new Set<string>();
  let waiting = HOSTILE;
  const replace = (value: unknown): unknown => {
    if (typeof value === "string") return isText(value) ? waiting[turn++ % waiting.length] : value;
    if (Array.isArray(value)) return value.map(replace);
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, replace(inner)]));
    return value;
  };
  const unit = (await tester.world.ask("GET", "/units")).items[0];
  const many = Array.from({ length: 60 }, (_, at) => ({ ...unit, id: `unit_many_${at}`, name: `Flat ${at}` }));
  await tester.show("#/today", async (page) => {
    page.on("dialog", () => assert.fail("a dialog"));
    await page.route(
      /\/(units|properties|sources|bookings|conflicts|calendars|occupancy|webhooks|alerts|sync|tokens)\b/,
      async (route) => {
        const response = await route.fetch();
        const type = response.headers()["content-type"] ?? "";
        if (!type.includes("json") || route.request().url().includes("/sync/ticket")) return route.fulfill({ response });
        const document = await response.json();
        if (/\/units\?/.test(route.request().url())) document.items.push(...many);
        await route.fulfill({ response, json: replace(document) });
      },
    );
    for (let round = 0; shown.size < HOSTILE.length; round++) {
      await page.reload();
      await page.getByRole("navigation").waitFor();
      // all views twice; the day's agenda has the most names
      for (const address of round < 2 ? Object.values(views) : ["#/chart", "#/today"]) {
        await go(page, address);
        const strange = await page.evaluate(() =>
          [...document.querySelectorAll("#page *, bokit-sync-indicator")]
            .filter(
              (element) =>
                /^(script|iframe|object|embed|img|svg|math|style|base|meta|template)$/i.test(element.tagName) ||
                [...element.attributes].some(
                  ({ name, value }) =>
                    name.startsWith("on") || (/href|src|action|data$/.test(name) && /^\s*(javascript|data):/i.test(value)),
                ),
            )
            .map((element) => element.outerHTML),
        );
        assert.deepEqual(strange, []);
        const text = (await page.evaluate(() => document.body.textContent)) ?? "";
        for (const hostile of HOSTILE) if (text.includes(hostile)) shown.add(hostile);
      }
      const left = HOSTILE.filter((hostile) => !shown.has(hostile));
      if (left.length) waiting = left;
      assert.ok(round < 20, JSON.stringify(left));
    }
    t.diagnostic(`${turn} strings, ${shown.size} different ones shown`);
  });
});
