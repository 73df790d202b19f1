/** How full the units were and will be: the months of a year, with stays, how far ahead guests book, and channels. */

import { useSignal } from "@preact/signals";
import type { Occupancy as Counts } from "bokit-client";
import { formatDays } from "../days.ts";
import { Problem } from "../parts.tsx";
import { lists, model, useLoaded } from "../session.ts";
import { language, type Name, text } from "../texts.ts";
import { unitName } from "../words.ts";

/** The parts of a month's bar, in their order. */
const PARTS = ["sold", "linked", "blocked", "free", "not_covered"] as const;
/** Years before and after this one. */
const MAX_YEARS = 20;

export function Occupancy() {
  const thisYear = new Date().getFullYear();
  const year = useSignal(thisYear);
  const unit = useSignal("");
  const query = `from=${year}-01-01&until=${year.value + 1}-01-01${unit.value && `&unit_id=${unit}`}`;
  const months = useLoaded<{ items: Counts[] }>(`/occupancy?by=month&${query}`, lists.bookings).value;
  const totals = useLoaded<{ items: Counts[] }>(`/occupancy?by=total&${query}`, lists.bookings).value;
  const step = (by: number, sign: string) => (
    <button
      type="button"
      aria-label={text("occupancy.year", { year: `${year.value + by}` })}
      disabled={Math.abs(year.value + by - thisYear) > MAX_YEARS}
      onClick={() => (year.value += by)}
    >
      {sign}
    </button>
  );
  const total = totals.data?.items[0];
  return (
    <>
      <p>{text("occupancy.about")}</p>
      <div class="buttons">
        {step(-1, "‹")}
        <b aria-live="polite">{`${year}`}</b>
        {step(1, "›")}
        <label>
          <span class="hidden">{text("occupancy.unit")}</span>
          <select onChange={({ currentTarget }) => (unit.value = currentTarget.value)}>
            <option value="">{text("occupancy.all")}</option>
            {model.units.value.map(({ id }) => (
              <option key={id} value={id}>
                {unitName(id)}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Problem error={months.error ?? totals.error} />
      {months.data && total && <Months months={months.data.items} total={total} />}
      {total && (
        <>
          <h2>{text("occupancy.channels")}</h2>
          {total.channels.length ? <Channels of={total.channels} /> : <p class="empty">{text("occupancy.none")}</p>}
          {total.not_covered > 0 && <p class="hint">{text("occupancy.uncovered")}</p>}
          <p class="hint">{text("occupancy.meaning")}</p>
        </>
      )}
    </>
  );
}

const word = (name: string, n = 0) => text(`occupancy.${name}` as Name, { n });
const average = (value: number | null) => (value === null ? "–" : new Intl.NumberFormat(language.value).format(value));
const percent = (value: number | null) =>
  value === null ? "–" : new Intl.NumberFormat(language.value, { style: "percent" }).format(value / 100);

interface Stays {
  readonly length_of_stay: Counts["length_of_stay"];
  readonly lead_time: Counts["lead_time"];
}

/** Return how long guests stay, and how far ahead they book: of how many that is known. */
const stayCells = ({ length_of_stay: { stays, median }, lead_time: { known, median: ahead } }: Stays) => (
  <>
    <td data-label={text("occupancy.stays")}>{stays}</td>
    <td data-label={text("occupancy.stay")}>{average(median)}</td>
    <td data-label={text("occupancy.ahead")}>
      {average(ahead)} {known < stays && <small class="soft">{text("occupancy.known", { known, n: stays })}</small>}
    </td>
  </>
);

const Heads = ({ of }: { readonly of: readonly string[] }) => (
  <thead>
    <tr>
      {of.map((name) => (
        <th key={name} scope="col">
          {word(name)}
        </th>
      ))}
    </tr>
  </thead>
);

function Months({ months, total }: { readonly months: readonly Counts[]; readonly total: Counts }) {
  const nameOf = formatDays(language.value, { month: "long" });
  const rows = [
    ...months.map((one) => [nameOf(Date.parse(one.from) / 86_400_000), one] as const),
    [word("whole"), total] as const,
  ];
  return (
    <table class="list occupancy">
      <Heads of={["month", "full", "nights", "stays", "stay", "ahead"]} />
      <tbody>
        {rows.map(([name, one]) => (
          <tr key={one.month ?? ""}>
            <th scope="row">{name}</th>
            <td data-label={text("occupancy.full")}>{percent(one.occupancy_percent)}</td>
            <td data-label={text("occupancy.nights")}>
              <span class="parts-bar" aria-hidden="true">
                {PARTS.map((part) => one[part] > 0 && <i key={part} class={part} style={{ flexGrow: one[part] }} />)}
              </span>
              <small>
                {PARTS.map((part) => one[part] > 0 && word(part, one[part]))
                  .filter(Boolean)
                  .join(" · ")}
              </small>
            </td>
            {stayCells(one)}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const Channels = ({ of }: { readonly of: Counts["channels"] }) => (
  <table class="list">
    <Heads of={["channel", "nights", "stays", "stay", "ahead"]} />
    <tbody>
      {of.map((one) => (
        <tr key={one.channel}>
          <th scope="row">{one.channel}</th>
          <td data-label={text("occupancy.nights")}>{word("sold", one.sold)}</td>
          {stayCells(one)}
        </tr>
      ))}
    </tbody>
  </table>
);
