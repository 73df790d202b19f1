/** The tape chart with its controls and what its looks mean. */

import type { SourceInFull } from "bokit-client";
import { useEffect } from "preact/hooks";
import { dateOf, dayOf, today } from "../days.ts";
import { go } from "../route.ts";
import { DAYS_BACK, lists, model, pick, store } from "../session.ts";
import { text } from "../texts.ts";
import { makeView, TapeChart } from "./chart.tsx";

const SCALES = [12, 20, 32, 48];
/** Kept while other views are shown. */
const view = makeView(DAYS_BACK);
/** Sources that a guard holds, each with its plan. */
const held = pick(({ lists: { status } }) =>
  [...(status?.values() ?? [])].flatMap(({ hold, source_id }) => (hold ? [`${source_id} ${hold.plan}`] : [])).join(),
);

/** Find the bookings that only a guard keeps: what applying its plan would cancel. */
async function readKept(): Promise<void> {
  const ids = held.value ? held.value.split(",").map((line) => line.split(" ")[0]) : [];
  const sources: SourceInFull[] = await Promise.all(ids.map((id) => store.request("GET", `/sources/${id}`)));
  model.kept.value = new Set(
    sources.flatMap(({ hold }) => (hold?.releases ?? []).map((release) => String(release["record_id"]))),
  );
}

export function ChartView() {
  useEffect(() => void readKept().catch(() => {}), [held.value]);
  const { scale, first, days, day } = view.value;
  const show = (wanted: number) => (day.value = Math.min(Math.max(wanted, first), first + days - 1));
  const at = SCALES.indexOf(scale);
  const zoom = (step: number) => (view.value = { ...view.value, scale: SCALES[at + step] ?? scale });
  const button = (name: "earlier" | "later" | "narrower" | "wider", sign: string, run: () => void, disabled = false) => (
    <button type="button" aria-label={text(`chart.${name}`)} title={text(`chart.${name}`)} disabled={disabled} onClick={run}>
      {sign}
    </button>
  );
  if (!lists.units.value?.size) return <p>{text(lists.units.value ? "shell.empty" : "shell.loading")}</p>;
  return (
    <>
      <div class="controls">
        {button("earlier", "‹", () => show(day.value - 28))}
        <button type="button" onClick={() => show(today() - 2)}>
          {text("chart.today")}
        </button>
        {button("later", "›", () => show(day.value + 28))}
        <GoTo show={show} />
        {button("narrower", "−", () => zoom(-1), at === 0)}
        {button("wider", "+", () => zoom(1), at === SCALES.length - 1)}
        <Legend />
      </div>
      <TapeChart model={model} view={view} onOpen={go} />
    </>
  );
}

function GoTo({ show }: { readonly show: (day: number) => void }) {
  const { first, days, day } = view.value;
  return (
    <input
      type="date"
      aria-label={text("chart.goTo")}
      value={dateOf(day.value)}
      min={dateOf(first)}
      max={dateOf(first + days - 1)}
      onChange={({ currentTarget }) => currentTarget.value && show(dayOf(currentTarget.value))}
    />
  );
}

const LOOKS = ["reservation", "unsure", "block", "window", "kept", "held", "fading", "echo"] as const;
const SIGNS = { "✎": "edited", "+1": "repeated", "⇄": "turnover", "⚠": "double", "✓": "known" } as const;

function Legend() {
  const channels = new Map([...model.channels.value.values()].map(({ name, color }) => [name, color]));
  return (
    <details class="legend">
      <summary>{text("chart.legend")}</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long list is scrolled by keys */}
      <ul tabIndex={0}>
        {[...channels].map(([name, color]) => (
          <li key={name}>
            <i class="bar" data-color={color} /> {name}
          </li>
        ))}
        <li>
          <i class="bar" /> {text("chart.byHand")}
        </li>
        {LOOKS.map((look) => (
          <li key={look}>
            <i class={`bar ${look}`} /> {text(`chart.means.${look}`)}
          </li>
        ))}
        {Object.entries(SIGNS).map(([sign, name]) => (
          <li key={sign}>
            <i>{sign}</i> {text(`chart.${name}`)}
          </li>
        ))}
      </ul>
    </details>
  );
}
