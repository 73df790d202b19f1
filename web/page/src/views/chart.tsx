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

import { computed, type Signal, signal, useComputed, useSignal, useSignalEffect } from "@preact/signals";
import type { VNode } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { type Bar, type Mark, type Row, type Stop, stopAt, stopBeside, within } from "../bars.ts";
import { dateOf, formatDays, isWeekend, today, weekdayOf } from "../days.ts";
import type { Model, UnitLine } from "../model.ts";
import { language, text } from "../texts.ts";
import { channelOf, isKept, remarksOf, whoOf } from "../who.ts";

const LANE = 30;
const HEAD = 44;
/** Above the bars, where a unit is booked twice; and below them. */
const MARK = 26;
const FOOT = 8;
/** How many pixels beyond the visible part are drawn. */
const MARGIN = 160;

const px = (pixels: number) => `${pixels}px`;
const heightOf = ({ lanes, marks }: Row) => (marks.length ? MARK : 0) + lanes * LANE + FOOT;

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

interface Part {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** What has the focus. */
interface Cursor extends Stop {
  readonly unit: string;
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
  const cursor = useSignal<Cursor | undefined>(undefined);
  const lastTops = useRef<readonly number[]>([]);
  const tops = useComputed(() => {
    const placed = placeRows(model.units.value.map((unit) => model.rowOf(unit.id).value));
    // a change within a unit moves no other one, and draws no other one
    if (placed.length !== lastTops.current.length || placed.some((top, at) => top !== lastTops.current[at]))
      lastTops.current = placed;
    return lastTops.current;
  });
  const { first, days, scale, day, top } = view.value;
  const read = () => {
    if (!box.current) return; // its last scroll event comes after it is gone
    const { scrollLeft, scrollTop, clientWidth: width, clientHeight: height } = box.current;
    const left = Math.abs(scrollLeft);
    day.value = view.value.first + Math.floor(left / view.value.scale + 0.01);
    top.value = scrollTop;
    // in steps, so that scrolling draws now and then
    const step = (pixels: number) => Math.round(pixels / 80) * 80;
    const { value } = part;
    const next = { left: step(left), top: step(scrollTop), width, height };
    if (Object.entries(next).some(([name, pixels]) => value[name as keyof Part] !== pixels)) part.value = next;
  };
  const scrollTo = (left: number, top?: number) => {
    const element = box.current as HTMLDivElement;
    element.scrollTo({ left: getComputedStyle(element).direction === "rtl" ? -left : left, ...(top !== undefined && { top }) });
    read();
  };
  useLayoutEffect(() => {
    const observer = new ResizeObserver(read);
    observer.observe(box.current as HTMLDivElement);
    scrollTo((day.value - first) * scale, top.value);
    return () => observer.disconnect();
  }, [first, scale]);
  useSignalEffect(() => {
    // somebody wants to see another day
    const left = (day.value - view.value.first) * view.value.scale;
    if (Math.abs(Math.abs(box.current?.scrollLeft ?? left) - left) >= view.value.scale) scrollTo(left);
  });
  const shown = useComputed(() => {
    const { top, height } = part.value;
    if (!height) return []; // before its size is known
    const isIn = (at: number) => (tops.value[at + 1] ?? 0) >= top - MARGIN && (tops.value[at] ?? 0) <= top + height + MARGIN;
    return model.units.value.map((unit, at) => ({ unit, top: tops.value[at] ?? 0 })).filter((_, at) => isIn(at));
  });
  const from = useComputed(() => {
    const { first, scale } = view.value;
    return Math.max(first, first + Math.floor((part.value.left - MARGIN) / scale));
  });
  const until = useComputed(() => {
    const { first, days, scale } = view.value;
    const { left, width } = part.value;
    return Math.min(first + days, first + Math.ceil((left + width + MARGIN) / scale));
  });
  // the same where neither changes: scrolling down draws no bar again
  const span = useComputed(() => ({ from: from.value, until: until.value }));

  /** Bring a stop into view, and give it the focus once it is drawn. */
  const focus = (next: Cursor) => {
    const { clientWidth, clientHeight, scrollLeft, scrollTop } = box.current as HTMLDivElement;
    const names = box.current?.querySelector<HTMLElement>(".name")?.offsetWidth ?? 0;
    const at = model.units.value.findIndex(({ id }) => id === next.unit);
    const fit = (now: number, from: number, until: number, size: number) => Math.min(from, Math.max(now, until - size));
    const left = (next.from - first) * scale;
    scrollTo(
      Math.max(0, fit(Math.abs(scrollLeft), left - scale / 2, left + 3 * scale, clientWidth - names)),
      fit(scrollTop, tops.value[at] ?? 0, (tops.value[at + 1] ?? 0) + HEAD, clientHeight),
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
    const { ArrowLeft, ArrowRight } = { ArrowLeft: -1, ArrowRight: 1 };
    const [beside, below] =
      { ArrowLeft: [ArrowLeft, 0], ArrowRight: [ArrowRight, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [];
    if (beside === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const units = model.units.value;
    const isIn = event.target !== box.current && cursor.value;
    if (!isIn) {
      const unit = (shown.value.find(({ top }) => top >= (box.current?.scrollTop ?? 0)) ?? shown.value[0])?.unit.id ?? "";
      const { bars } = model.rowOf(unit).value;
      return focus({ unit, ...(bars.find((bar) => bar.until > day.value) ?? stopAt(EMPTY_ROW, day.value)) });
    }
    const { unit, from } = isIn;
    if (below) {
      const next = units[units.findIndex(({ id }) => id === unit) + below];
      return next && focus({ unit: next.id, ...stopAt(model.rowOf(next.id).value, from) });
    }
    const isRightToLeft = getComputedStyle(box.current as Element).direction === "rtl";
    const next = stopBeside(model.rowOf(unit).value, isIn, isRightToLeft ? -beside : beside);
    if (next.from >= first && next.from < first + days) focus({ unit, ...next });
  };
  const onFocus = ({ target }: FocusEvent) => {
    const { key, from } = (target as HTMLElement).dataset;
    const unit = (target as HTMLElement).closest<HTMLElement>(".unit")?.dataset["unit"];
    if (key && unit) cursor.value = { unit, key, from: Number(from) };
  };
  /** A click beside the bars asks about the night. */
  const onClick = ({ target, clientX }: MouseEvent) => {
    const row = (target as Element).closest<HTMLElement>(".unit");
    if (!row || (target as Element).closest(".name, button")) return;
    const { left, right } = (row.querySelector(".name") as Element).getBoundingClientRect();
    const x = getComputedStyle(row).direction === "rtl" ? left - clientX : clientX - right;
    const scrolled = Math.abs(box.current?.scrollLeft ?? 0);
    onOpen(
      "night",
      row.dataset["unit"] ?? "",
      dateOf(nightAt(model.rowOf(row.dataset["unit"] ?? "").value, first + (scrolled + x) / scale)),
    );
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
      <div
        class={`sheet${scale < 20 ? " tight" : ""}`}
        style={{
          "--scale": px(scale),
          "--days": days,
          "--saturday": (6 - weekdayOf(first)) % 7,
          height: px(HEAD + (tops.value.at(-1) ?? 0)),
        }}
      >
        <Days view={view} span={span} />
        <div class="now" style={{ "--at": today() - first }} />
        {shown.value.map(({ unit, top }) => (
          <UnitRow
            key={unit.id}
            unit={unit}
            top={HEAD + top}
            row={model.rowOf(unit.id)}
            {...{ model, view, span, cursor, onOpen }}
          />
        ))}
      </div>
    </div>
  );
}

const EMPTY_ROW: Row = { bars: [], marks: [], lanes: 1 };

/** Return the night at a place: that of the day, or the one before where it is free and its second half was meant. */
function nightAt({ bars }: Row, at: number): number {
  const day = Math.floor(at);
  const isHeld = (night: number) => bars.some(({ from, until }) => from <= night && night < until);
  return at - day < 0.5 && isHeld(day) && !isHeld(day - 1) ? day - 1 : day;
}

interface Span {
  readonly from: number;
  readonly until: number;
}

const daysOf = ({ from, until }: Span) => Array.from({ length: Math.max(0, until - from) }, (_, at) => from + at);

function Days({ view, span }: { readonly view: Signal<View>; readonly span: Signal<Span> }) {
  const { first } = view.value;
  const [number, weekday, month] = (
    [{ day: "numeric" }, { weekday: "narrow" }, { month: "short", year: "numeric" }] as Intl.DateTimeFormatOptions[]
  ).map((options) => formatDays(language.value, options)) as [
    (day: number) => string,
    (day: number) => string,
    (day: number) => string,
  ];
  const now = today();
  return (
    <div class="days" aria-hidden="true">
      <div class="corner">
        <Month view={view} />
      </div>
      {daysOf(span.value).map((day) => (
        <div
          key={day}
          class={`day${isWeekend(day) ? " weekend" : ""}${day === now ? " today" : ""}`}
          style={{ "--at": day - first }}
        >
          {dateOf(day).endsWith("-01") && <b>{month(day)}</b>}
          <span>{weekday(day)}</span> {number(day)}
        </div>
      ))}
    </div>
  );
}

/** The month of the first day in view. */
function Month({ view }: { readonly view: Signal<View> }) {
  return <b>{formatDays(language.value, { month: "long", year: "numeric" })(view.value.day.value)}</b>;
}

interface RowProps extends ChartProps {
  readonly unit: UnitLine;
  readonly top: number;
  readonly row: Signal<Row>;
  readonly span: Signal<Span>;
  readonly cursor: Signal<Cursor | undefined>;
}

function UnitRow({ unit, top, row, model, view, span, cursor, onOpen }: RowProps) {
  const height = useComputed(() => heightOf(row.value));
  // the same elements are not drawn again where only the row's place changed
  const bars = useMemo(() => <Bars {...{ row, model, view, span, onOpen }} />, [row, model, view, span, onOpen]);
  const cell = useMemo(() => <Cell {...{ unit, view, cursor, onOpen }} />, [unit, view, cursor, onOpen]);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a field set has a legend that cannot be placed
    <div
      class="unit"
      role="group"
      data-unit={unit.id}
      aria-label={`${unit.property} ${unit.name}`}
      style={{ top: px(top), height: px(height.value) }}
    >
      <div class="name" title={`${unit.name} · ${unit.property}`}>
        <b>{unit.name}</b>
        <small>{unit.property}</small>
      </div>
      {bars}
      {cell}
    </div>
  );
}

/** The free night that has the focus. */
function Cell({ unit, view, cursor, onOpen }: Pick<RowProps, "unit" | "view" | "cursor" | "onOpen">) {
  const night = useComputed(() => {
    const { unit: at, key, from } = cursor.value ?? {};
    return at === unit.id && key === `${from}` ? from : undefined;
  }).value;
  if (night === undefined) return null;
  return (
    <button
      type="button"
      class="cell"
      data-key={night}
      data-from={night}
      tabIndex={-1}
      aria-label={text("chart.night", { date: describe(night) })}
      style={place({ from: night, until: night + 1 }, view.value)}
      onClick={() => onOpen("night", unit.id, dateOf(night))}
    />
  );
}

function Bars({ row, model, view, span, onOpen }: Omit<RowProps, "unit" | "top" | "cursor">) {
  const { from, until } = span.value;
  const { bars, marks } = row.value;
  const top = marks.length ? MARK : 0;
  // the same element is not drawn again: scrolling draws what comes into view
  const drawn = useMemo(() => new WeakMap<Bar, VNode>(), [row]);
  const draw = (bar: Bar) => {
    let element = drawn.get(bar);
    if (!element)
      drawn.set(bar, (element = <BarButton key={bar.key} top={top + bar.lane * LANE} {...{ bar, model, view, onOpen }} />));
    return element;
  };
  return (
    <>
      {within(marks, from, until).map((mark) => (
        <MarkButton key={mark.key} {...{ mark, view, onOpen }} />
      ))}
      {within(bars, from, until).map(draw)}
    </>
  );
}

interface BarProps extends ChartProps {
  readonly bar: Bar;
  readonly top: number;
}

/** Return where nights are, from noon to noon. */
const place = ({ from, until }: Span, { first }: View) => ({ "--at": from - first + 0.5, "--nights": until - from });

function BarButton({ bar, top, model, view, onOpen }: BarProps) {
  const { booking, from, until, lane, look, echoes, conflict, isTurnover } = bar;
  const color = model.channels.value.get(booking.source_id ?? "")?.color;
  const remarks = remarksOf(booking, model);
  const isPlain = look === "reservation" || look === booking.kind;
  const label = [
    booking.source_id && channelOf(booking, model),
    !isPlain && text(`chart.${look}`),
    (isPlain || booking.kind !== "window") && whoOf(booking),
  ]
    .filter(Boolean)
    .join(" · ");
  const isOpen = conflict?.status === "open";
  const described = [
    label,
    !booking.source_id && text("chart.byHand"),
    describeSpan(from, until),
    conflict && nameOf(conflict),
    ...remarks,
    echoes.length && text("chart.repeatedBy", { names: echoes.map((echo) => channelOf(echo, model)).join(", ") }),
    isTurnover && text("chart.turnover"),
  ].filter(Boolean);
  const signs = [
    isTurnover && "⇄",
    Object.keys(booking.edits).length > 0 && "✎",
    echoes.length > 0 && `+${echoes.length}`,
  ].filter(Boolean);
  const unsure = /^(tentative|request|new)$/.test(booking.status) ? " unsure" : "";
  // a long one shows its name wherever one looks; that has a price for each, so short ones do not
  const long = until - from > 6 ? " long" : "";
  const kept = isKept(booking, model) ? " kept" : "";
  return (
    <button
      type="button"
      class={`bar ${look}${unsure}${kept}${long}${isOpen ? " double" : ""}`}
      data-color={color}
      data-key={bar.key}
      data-from={from}
      tabIndex={-1}
      aria-label={described.join(", ")}
      title={described.join("\n")}
      style={{ ...place(bar, view.value), ...(lane < 0 ? {} : { top: px(top + 2) }) }}
      onClick={() => onOpen("booking", booking.id)}
    >
      <span>
        {signs.join("")} {label}
      </span>
    </button>
  );
}

const nameOf = ({ is_turnover, status }: Mark["conflict"]) =>
  text(status === "acknowledged" ? "chart.known" : is_turnover ? "chart.tight" : "chart.double");

/** Nights that are booked twice: a band behind the bars, and above them a button that cannot be overlooked. */
function MarkButton({ mark, view, onOpen }: { readonly mark: Mark } & Pick<ChartProps, "view" | "onOpen">) {
  const { conflict, from, until } = mark;
  const known = conflict.status === "open" ? "" : " known";
  const label = nameOf(conflict);
  const style = place(mark, view.value);
  return (
    <>
      <div class={`band${known}`} style={style} />
      <button
        type="button"
        class={`mark${known}`}
        data-key={mark.key}
        data-from={from}
        tabIndex={-1}
        aria-label={`${label}, ${describeSpan(from, until)}`}
        title={`${label}\n${describeSpan(from, until)}`}
        style={style}
        onClick={() => onOpen("conflict", conflict.id)}
      >
        <span aria-hidden="true">{known ? "✓" : "⚠"}</span> {label}
      </button>
    </>
  );
}

const dayFormat = computed(() => formatDays(language.value, { day: "numeric", month: "long", year: "numeric" }));
const describe = (day: number) => dayFormat.value(day);
const describeSpan = (from: number, until: number) => `${describe(from)} – ${describe(until)}`;
