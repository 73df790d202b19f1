/** Draws the PNG icons of `static/icons` from their SVG, in Chromium: `node web/page/icons.ts`, after a change of an SVG. */

import { readFileSync } from "node:fs";
import { launch } from "../client/test/browser.ts";

const SIZES = [
  ["icon", 192],
  ["icon", 512],
  ["icon-maskable", 512],
] as const;

const pathOf = (name: string) => new URL(`static/icons/${name}`, import.meta.url).pathname;

const browser = await launch();
for (const [name, size] of SIZES) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  const svg = readFileSync(pathOf(`${name}.svg`)).toString("base64");
  await page.setContent(`<body style="margin:0"><img width="${size}" height="${size}" src="data:image/svg+xml;base64,${svg}">`);
  await page.locator("img").evaluate((image: HTMLImageElement) => image.decode());
  await page.screenshot({ path: pathOf(`${name}-${size}.png`), omitBackground: true });
  await page.close();
}
await browser.close();
