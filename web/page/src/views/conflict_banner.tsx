/** The double bookings that are open, above every view. */

import { useComputed } from "@preact/signals";
import type { Conflict } from "bokit-client";
import { to } from "../route.ts";
import { lists } from "../session.ts";
import { text } from "../texts.ts";
import { nightsText, unitName } from "../words.ts";

/** Return the conflicts that are not closed: open ones first, then the surest, then the nearest. */
export const useConflicts = () =>
  useComputed(() => [...(lists.conflicts.value?.values() ?? [])].sort((one, other) => (rank(one) < rank(other) ? -1 : 1))).value;

const rank = ({ status, is_turnover, certainty, nights }: Conflict) =>
  [status !== "open", is_turnover, certainty === "possible", certainty, nights].join();

/** Return which nights of which units are taken twice. */
export const whereOf = ({ unit_ids, nights }: Conflict) => `${unit_ids.map(unitName).join(" + ")}: ${nightsText(nights)}`;
/** Return the name of the text that says how sure it is. */
export const sureOf = ({ is_turnover, certainty }: Conflict) => `conflict.${is_turnover ? "turnover" : certainty}`;

/** What stands above every view while a double booking is open. */
export function ConflictBanner() {
  const open = useConflicts().filter(({ status }) => status === "open");
  const doubles = open.filter(({ is_turnover }) => !is_turnover).length;
  const [first] = open;
  return (
    <div role="status" class="alarms">
      {first && (
        <p class="alarm notice" data-tone={doubles ? "bad" : "warn"}>
          <a href={to("conflicts")}>⚠ {text(doubles ? "conflict.open" : "conflict.tight", { n: doubles || open.length })}</a>{" "}
          <a href={to("conflict", first.id)}>{whereOf(first)}</a>
        </p>
      )}
    </div>
  );
}
