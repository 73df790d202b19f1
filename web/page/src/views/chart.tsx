/**
 * The tape chart: units below each other, days beside each other. Only what is in view is in the document.
 *
 *     ┌────────┬───────────────────────────────┐
 *     │        │ days                          │ stays in view
 *     ├────────┼───────────────────────────────┤
 *     │ units  │ ▀▀▀▀▀▀▀  ▀▀▀▀▀▀▀▀▀▀▀  ▀▀▀▀▀   │ a stay goes from noon of its arrival to noon of its departure
 *     └────────┴───────────────────────────────┘
 *
 * Arrows move between its stops: bars, double bookings, and free nights. The one that has the focus is in the document.
 */

import { type Signal, signal, useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { EMPTY, isSame, type Row, type Stop, stopAt, stopBeside, stopOf } from "../bars.ts";
import { dateOf, formatDays, isWeekend, today, weekdayOf } from "../days.ts";
import type { Model } from "../model.ts";
import { language, text } from "../texts.ts";
import { type Cursor, heightOf, px, type Span, UnitRow } from "./row.tsx";

const HEAD = 44;
/** How many pixels beyond the visible part are drawn, once that is. */
const MARGIN = 160;

const isRightToLeft = (element: Element) => getComputedStyle(element).direction === "rtl";

export interface View {
  /** The first day, and how many there are. */
  readonly first: number;
  readonly days: number;
  /** Pixels of a day. */
  readonly scale: number;
  /** Where one is: the first day that is seen, and how far down. */
  readonly day: Signal<number>;
  readonly top: Signal<number>;
}

/** Return a view that begins `back` days before today and shows the day before yesterday first. */
export function makeView(back = 30, days = 760): Signal<View> {
  const first = today() - back;
  return signal({ first, days, scale: 32, day: signal(today() - 2), top: signal(0) });
}

/** How many pixels are scrolled, and how many are seen of the days and the rows. */
interface Part {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Where each row begins, and where the last one ends. */
function placeRows(rows: readonly Row[]): number[] {
  const tops = [0];
  for (const row of rows) tops.push((tops.at(-1) ?? 0) + heightOf(row));
  return tops;
}

export interface ChartProps {
  readonly model: Model;
  readonly view: Signal<View>;
  /** Go to a booking, a night, or a conflict. */
  readonly onOpen: (...route: string[]) => void;
}

export function TapeChart({ model, view, onOpen }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const part = useSignal<Part>({ left: 0, top: 0, width: 0, height: 0 });
  const margin = useSignal(0);
  const cursor = useSignal<Cursor | undefined>(undefined);
  const tops = useComputed(() => placeRows(model.units.value.map((unit) => model.rowOf(unit.id).value)));
  const { first, days, scale, day, top } = view.value;
  const read = () => {
    if (!box.current) return; // its last scroll event comes after it is gone
    const { scrollLeft, scrollTop, clientWidth, clientHeight } = box.current;
    const names = box.current.querySelector<HTMLElement>(".corner")?.offsetWidth ?? 0;
    const left = Math.abs(scrollLeft);
    day.value = view.value.first + Math.floor(left / view.value.scale + 0.01);
    top.value = scrollTop;
    // in steps, so that scrolling draws now and then
    const step = (pixels: number) => Math.round(pixels / 80) * 80;
    const next = { left: step(left), top: step(scrollTop), width: clientWidth - names, height: clientHeight - HEAD };
    if (!isSame(next, part.value)) part.value = next;
  };
  const scrollTo = (left: number, top?: number) => {
    const element = box.current as HTMLDivElement;
    element.scrollTo({ left: isRightToLeft(element) ? -left : left, ...(top !== undefined && { top }) });
    read();
  };
  useLayoutEffect(() => {
    const observer = new ResizeObserver(read);
    observer.observe(box.current as HTMLDivElement);
    scrollTo((day.value - first) * scale, top.value);
    // after the first picture, and what a person does at once
    setTimeout(() => (margin.value = MARGIN), 200);
    return () => observer.disconnect();
  }, [first, scale]);
  useSignalEffect(() => {
    // somebody wants to see another day
    const left = (day.value - view.value.first) * view.value.scale;
    if (Math.abs(Math.abs(box.current?.scrollLeft ?? left) - left) >= view.value.scale) scrollTo(left);
  });
  // numbers of rows, so that a change within one draws no other one
  const firstRow = useComputed(() => {
    const seen = part.value.top - margin.value;
    return tops.value.findIndex((_, at) => (tops.value[at + 1] ?? seen) >= seen);
  });
  const endRow = useComputed(() => {
    const { top, height } = part.value;
    const end = tops.value.findIndex((start) => start > top + height + margin.value);
    // none before their size is known
    return height <= 0 ? 0 : end < 0 ? model.units.value.length : end;
  });
  const above = useComputed(() => tops.value[firstRow.value] ?? 0);
  const below = useComputed(() => (tops.value.at(-1) ?? 0) - (tops.value[endRow.value] ?? 0));
  const from = useComputed(() => {
    const { first, scale } = view.value;
    return Math.max(first, first + Math.floor((part.value.left - margin.value) / scale));
  });
  const until = useComputed(() => {
    const { first, days, scale } = view.value;
    const { left, width } = part.value;
    return Math.min(first + days, first + Math.ceil((left + width + margin.value) / scale));
  });
  // the same where neither changes: scrolling down draws no bar again
  const span = useComputed(() => ({ from: from.value, until: until.value }));

  /** Bring a stop into view, and give it the focus once it is drawn. */
  const focus = (next: Cursor & Stop) => {
    const { scrollLeft, scrollTop } = box.current as HTMLDivElement;
    const { width, height } = part.value;
    const at = model.units.value.findIndex(({ id }) => id === next.unit);
    const fit = (now: number, from: number, until: number, size: number) => Math.min(from, Math.max(now, until - size));
    const left = (next.from - first) * scale;
    scrollTo(
      Math.max(0, fit(Math.abs(scrollLeft), left - scale / 2, left + 3 * scale, width)),
      fit(scrollTop, tops.value[at] ?? 0, tops.value[at + 1] ?? 0, height),
    );
    cursor.value = next;
    const give = () => {
      const found = box.current?.querySelector<HTMLElement>(
        `[data-unit="${CSS.escape(next.unit)}"] [data-key="${CSS.escape(next.key)}"]`,
      );
      found?.focus({ preventScroll: true });
      // it may be drawn some frames later
      if (!found && tries-- && cursor.value === next) requestAnimationFrame(give);
    };
    let tries = 30;
    give();
  };
  const onKey = (event: KeyboardEvent) => {
    const [beside, below] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [];
    if (beside === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const units = model.units.value;
    const isIn = event.target !== box.current && cursor.value;
    if (!isIn) {
      const unit = units[tops.value.findIndex((top) => top >= (box.current?.scrollTop ?? 0))]?.id ?? "";
      const { bars } = model.rowOf(unit).value;
      return focus({ unit, ...(bars.find((bar) => bar.until > day.value) ?? stopAt(EMPTY, day.value)) });
    }
    const { unit, key } = isIn;
    const row = model.rowOf(unit).value;
    const { from } = stopOf(row, key);
    if (below) {
      const next = units[units.findIndex(({ id }) => id === unit) + below];
      return next && focus({ unit: next.id, ...stopAt(model.rowOf(next.id).value, from) });
    }
    const next = stopBeside(row, { key, from }, isRightToLeft(box.current as Element) ? -beside : beside);
    if (next.from >= first && next.from < first + days) focus({ unit, ...next });
  };
  const onFocus = ({ target }: FocusEvent) => {
    const { key } = (target as HTMLElement).dataset;
    const unit = (target as HTMLElement).closest<HTMLElement>(".unit")?.dataset["unit"];
    if (key && unit) cursor.value = { unit, key };
  };
  /** A click on a bar or a mark opens it; beside them it asks about the night. */
  const onClick = ({ target, clientX }: MouseEvent) => {
    const element = (target as Element).closest<HTMLElement>(".unit");
    const key = (target as Element).closest<HTMLElement>("button")?.dataset["key"];
    if (!element || (target as Element).closest(".name")) return;
    const unit = element.dataset["unit"] ?? "";
    const row = model.rowOf(unit).value;
    const { left, right } = (element.querySelector(".name") as Element).getBoundingClientRect();
    const x = isRightToLeft(element) ? left - clientX : clientX - right;
    const at = first + (Math.abs(box.current?.scrollLeft ?? 0) + x) / scale;
    const stop = stopOf(row, key ?? `${nightAt(row, at)}`);
    if ("booking" in stop) onOpen("booking", stop.booking.id);
    else if ("conflict" in stop) onOpen("conflict", stop.conflict.id);
    else onOpen("night", unit, dateOf(stop.from));
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a field set cannot scroll
    <div
      ref={box}
      class="chart"
      role="group"
      aria-label={text("chart.title")}
      aria-describedby="chart-help"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the Tab key reaches the chart, arrows lead into it
      tabIndex={0}
      onScroll={read}
      onKeyDown={onKey}
      onFocusIn={onFocus}
      onClick={onClick}
    >
      <p id="chart-help" hidden>
        {text("chart.help")}
      </p>
      <div class="sheet" style={{ "--scale": px(scale), "--days": days, "--saturday": (6 - weekdayOf(first)) % 7 }}>
        <Days view={view} span={span} />
        <div class="now" style={{ "--at": today() - first }} />
        <div class="rows" style={{ "padding-block": `${px(above.value)} ${px(below.value)}` }}>
          {model.units.value.slice(firstRow.value, endRow.value).map((unit) => (
            <UnitRow key={unit.id} row={model.rowOf(unit.id)} {...{ unit, model, view, span, cursor }} />
          ))}
        </div>
      </div>
    </div>
  );
}

/** Return the night at a place: that of the day, or the one before where it is free and its second half was meant. */
function nightAt({ bars }: Row, at: number): number {
  const day = Math.floor(at);
  const isHeld = (night: number) => bars.some(({ from, until }) => from <= night && night < until);
  return at - day < 0.5 && isHeld(day) && !isHeld(day - 1) ? day - 1 : day;
}

const daysOf = ({ from, until }: Span) => Array.from({ length: Math.max(0, until - from) }, (_, at) => from + at);

function Days({ view, span }: { readonly view: Signal<View>; readonly span: Signal<Span> }) {
  const { first, scale } = view.value;
  const weekday = formatDays(language.value, { weekday: "narrow" });
  const month = formatDays(language.value, { month: "short", year: "numeric" });
  const now = today();
  return (
    <div class="days" aria-hidden="true">
      <div class="corner">
        <Month view={view} />
      </div>
      {daysOf(span.value).map((day) => {
        const number = new Date(dateOf(day)).getUTCDate();
        return (
          <div
            key={day}
            class={`day${isWeekend(day) ? " weekend" : ""}${day === now ? " today" : ""}`}
            style={`--at:${day - first}`}
          >
            {number === 1 && <b>{month(day)}</b>}
            {scale < 20 ? number : `${weekday(day)} ${number}`}
          </div>
        );
      })}
    </div>
  );
}

/** The month of the first day in view. */
function Month({ view }: { readonly view: Signal<View> }) {
  return <b>{formatDays(language.value, { month: "long", year: "numeric" })(view.value.day.value)}</b>;
}
