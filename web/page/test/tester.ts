/** The built page before the real API, in Chromium: what the tests of all views use. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { launch, POLICY, watchPage } from "../../client/test/browser.ts";
import { World } from "../../client/test/world.ts";

export const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const TYPES: { readonly [end: string]: string } = {
  css: "text/css",
  html: "text/html",
  js: "text/javascript",
  json: "application/json",
  png: "image/png",
  svg: "image/svg+xml",
  webmanifest: "application/manifest+json",
};

export const assets = () => readdirSync(`${DIST}assets`);

/** Return the date *days* from now. */
export const soon = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

export class Tester {
  readonly world: World;
  readonly browser: Browser;

  private constructor(world: World, browser: Browser) {
    this.world = world;
    this.browser = browser;
  }

  /** Start the API, with the page's files beside it, and Chromium. */
  static async start(): Promise<Tester> {
    const [world, browser] = await Promise.all([World.start(), launch()]);
    const policy = { "content-security-policy": POLICY.replace("SOCKET", world.url.replace("http", "ws")) };
    for (const entry of readdirSync(DIST, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const name = `${entry.parentPath}/${entry.name}`.replace(/\/+/g, "/").slice(DIST.length);
      world.files.set(name === "index.html" ? "/" : `/${name}`, {
        type: TYPES[name.split(".").at(-1) ?? ""] ?? "",
        text: readFileSync(DIST + name),
        headers: policy,
      });
    }
    return new Tester(world, browser);
  }

  /** Open an address; the page must not complain of anything. */
  async open(path: string, run: (page: Page) => Promise<void>, options: BrowserContextOptions = {}): Promise<void> {
    const context = await this.browser.newContext({ locale: "en-GB", serviceWorkers: "block", ...options });
    try {
      context.setDefaultTimeout(90_000); // a busy machine takes its time
      const page = await context.newPage();
      const complaints = await watchPage(page);
      await page.goto(this.world.url + path);
      await run(page);
      assert.deepEqual(complaints, []);
    } finally {
      await context.close();
    }
  }

  /** Open a view, as the role; `#/sources` is the view's address. */
  async show(
    view: string,
    run: (page: Page) => Promise<void>,
    options: BrowserContextOptions = {},
    role = "admin",
  ): Promise<void> {
    await this.open(
      `/#token=${this.world.tokens[role as "admin"]}`,
      async (page) => {
        await page.locator("header").waitFor();
        await page.evaluate((hash) => void (location.hash = hash), view);
        await run(page);
      },
      options,
    );
  }

  async stop(): Promise<void> {
    await this.browser.close();
    await this.world.stop();
  }
}

/** A screen on a table, and one in a hand. */
export const SIZES = { large: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const SAMPLE = ["en light large", "fr dark phone", "th light phone"];

/** How a reader may have the page: a sample, or everything with `BOKIT_BROWSERS=all` (`make browsers`). */
export const LOOKS = ["en", "fr", "th"]
  .flatMap((locale) =>
    (["light", "dark"] as const).flatMap((colorScheme) =>
      Object.entries(SIZES).map(([size, viewport]) => ({
        name: `${locale} ${colorScheme} ${size}`,
        locale,
        colorScheme,
        viewport,
      })),
    ),
  )
  .filter(({ name }) => process.env["BOKIT_BROWSERS"] === "all" || SAMPLE.includes(name));
