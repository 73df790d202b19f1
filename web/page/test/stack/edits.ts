/**
 * Edits a booking in a terminal again and again, and measures how long each takes to be on the open page:
 * `node web/page/test/stack/edits.ts ROUNDS` prints JSON. BOKIT_TEST_STACK is as in stack.ts.
 *
 *     terminal   starts ── writes ──────────── ends
 *     page                    └──── shown
 *                             │ ms  │
 */

import { BROWSER } from "../../../client/test/browser.ts";
import { until } from "../../../client/test/world.ts";
import { ask, bokit, launch, Reader, STACK } from "./stack.ts";

const [rounds = "50"] = process.argv.slice(2);
const { mine } = STACK;

async function measure(): Promise<object> {
  const browser = await launch();
  const reader = await Reader.open(browser, mine.page);
  await reader.bar(/./).first().waitFor();
  const isLive = await until(async () => reader.isLive, "a WebSocket", 30_000).catch(() => false);
  const times: number[] = [];
  for (let round = 0; round < Number(rounds); round++) {
    const name = `Round ${round} of all`;
    const shown = reader.page.evaluate(
      (wanted) =>
        new Promise<number>((resolve) => {
          const look = () => document.querySelector("#page")?.textContent?.includes(wanted) && resolve(Date.now());
          new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
        }),
      name,
    );
    await bokit(mine, "booking", "edit", mine.booking, "--set", `guest_name=${name}`);
    const at = await shown;
    const { items } = await ask(mine, `/bookings/${mine.booking}/changes?limit=1`);
    times.push(at - Date.parse(items[0].at));
  }
  await browser.close();
  return { isLive, times };
}

console.log(JSON.stringify(BROWSER.skip ? { not_run: BROWSER.skip } : await measure()));
