/**
 * The tape chart beside @event-calendar, in one Chromium: `node web/page/bench/chart.ts` prints medians in milliseconds as JSON.
 * Each measurement is a page of its own; both take turns.
 */

import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { BROWSER, launch } from "../../client/test/browser.ts";

const ROUNDS = Number(process.argv[2] ?? 5);
/** How many bookings move in each page, one after the other. */
const CHANGES = 5;
const [UNITS, DAYS, BOOKINGS] = [30, 90, 600];
const DIST = fileURLToPath(new URL("../dist/assets/", import.meta.url));

async function bundle(source: string, style = ""): Promise<string> {
  const entryPoints = [fileURLToPath(new URL(source, import.meta.url))];
  const { outputFiles } = await build({
    entryPoints,
    outdir: "/",
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
    jsx: "automatic",
  });
  const text = (end: string) => outputFiles.find((file) => file.path.endsWith(end))?.text ?? "";
  return `<!doctype html><html lang="en"><style>main { height: 600px } ${style}${text(".css")}</style><main></main><script type="module">${text(".js").replaceAll("</script", "<\\/script")}</script>`;
}

/** Return where a guest's bar is; undefined where it is not drawn. */
function placeOf(at: number): number | undefined {
  const isOurs = (element: Element) =>
    element.ariaLabel?.includes(`Guest ${at},`) || (!element.childElementCount && element.textContent === `Guest ${at}`);
  return [...document.querySelectorAll("main *")].find(isOurs)?.getBoundingClientRect().x;
}

const median = (numbers: number[]) => numbers.sort((one, other) => one - other)[numbers.length >> 1] ?? 0;

if (BROWSER.skip) {
  console.log(JSON.stringify({ not_run: BROWSER.skip }));
  process.exit(0);
}
const ownStyle = readFileSync(DIST + readdirSync(DIST).find((name) => name.endsWith(".css")), "utf8");
const pages = { chart: await bundle("../test/pages/chart.tsx", ownStyle), event_calendar: await bundle("event_calendar.ts") };
const server = createServer((request, response) => {
  const html = pages[(request.url ?? "").slice(1) as keyof typeof pages] ?? "";
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(html);
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const browser = await launch();
const times: { [name: string]: { paint: number[]; change: number[] } } = {
  chart: { paint: [], change: [] },
  event_calendar: { paint: [], change: [] },
};
for (let round = 0; round < ROUNDS; round++)
  for (const [name, { paint, change }] of Object.entries(times)) {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.goto(`${url}/${name}`);
    const drawn = await page.evaluate(`draw(${UNITS}, ${DAYS}, ${BOOKINGS})`);
    paint.push(drawn as number);
    for (let at = 1; at <= CHANGES; at++) {
      const before = await page.evaluate(placeOf, at);
      const moved = await page.evaluate(name === "chart" ? `move('b${at}')` : `move(${at}, ${UNITS}, ${DAYS}, ${BOOKINGS})`);
      if (before === undefined || before === (await page.evaluate(placeOf, at)))
        throw new Error(`${name}: nothing was drawn, or nothing moved`);
      change.push(moved as number);
    }
    await page.close();
  }
await browser.close();
server.close();
const [own, other] = [times["chart"]!, times["event_calendar"]!];
const result = {
  paint_ms: median(own.paint),
  change_ms: median(own.change),
  peer_paint_ms: median(other.paint),
  peer_change_ms: median(other.change),
};
console.log(
  JSON.stringify({
    ...result,
    paint_ratio: result.peer_paint_ms / result.paint_ms,
    change_ratio: result.peer_change_ms / result.change_ms,
  }),
);
