/**
 * Takes pictures of every view, to be looked at: `make shots`. Each is `<view>-<language>-<scheme>-<size>.png` in the folder
 * `.bokit/shots`, which is not committed.
 *
 *     node web/page/shots.ts [VIEW …]
 */

import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { SIZES, Tester } from "./test/tester.ts";
import { furnish } from "./test/views.ts";

const FOLDER = fileURLToPath(new URL("../../.bokit/shots/", import.meta.url));
/** How long a view has to load and to draw. */
const SETTLE_MS = 400;

mkdirSync(FOLDER, { recursive: true });
const wanted = process.argv.slice(2);
const tester = await Tester.start();
const views = Object.entries(await furnish(tester.world)).filter(([name]) => !wanted.length || wanted.includes(name));
for (const locale of ["en-GB", "fr-FR", "th-TH"])
  for (const colorScheme of ["light", "dark"] as const)
    for (const [size, viewport] of Object.entries(SIZES))
      await tester.show(
        "#/chart",
        async (page) => {
          await page.getByRole("navigation").waitFor();
          for (const [name, address] of views) {
            await page.evaluate((hash) => void (location.hash = hash), address);
            await page.waitForTimeout(SETTLE_MS);
            await page.screenshot({ path: `${FOLDER}${name}-${locale.slice(0, 2)}-${colorScheme}-${size}.png` });
          }
        },
        { locale, colorScheme, viewport },
      );
await tester.stop();
