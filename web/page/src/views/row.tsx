/** A row of the tape chart: a unit's name, its bars, where it is booked twice, and the free night that has the focus. */

import { computed, type Signal, useComputed } from "@preact/signals";
import { Fragment, type VNode } from "preact";
import { useMemo } from "preact/hooks";
import { type Bar, type Mark, type Row, within } from "../bars.ts";
import { formatDays } from "../days.ts";
import type { Model, UnitLine } from "../model.ts";
import { language, text } from "../texts.ts";
import { channelOf, isKept, remarksOf, whoOf } from "../who.ts";
import type { View } from "./chart.tsx";

const LANE = 30;
/** Above the bars, where a unit is booked twice; and below them. */
const MARK = 26;
const FOOT = 8;

export const px = (pixels: number) => `${pixels}px`;
export const heightOf = ({ lanes, marks }: Row) => (marks.length ? MARK : 0) + lanes * LANE + FOOT;

/** Days that are drawn. */
export interface Span {
  readonly from: number;
  readonly until: number;
}

/** What has the focus: a unit, and the key of one of its stops. */
export interface Cursor {
  readonly unit: string;
  readonly key: string;
}

interface RowProps {
  readonly unit: UnitLine;
  readonly row: Signal<Row>;
  readonly model: Model;
  readonly view: Signal<View>;
  readonly span: Signal<Span>;
  readonly cursor: Signal<Cursor | undefined>;
}

export function UnitRow({ unit, row, model, view, span, cursor }: RowProps) {
  const height = useComputed(() => heightOf(row.value));
  return (
    // biome-ignore lint/a11y/useSemanticElements: a field set has a legend that cannot be placed
    <div
      class="unit"
      role="group"
      data-unit={unit.id}
      aria-label={`${unit.property} ${unit.name}`}
      style={{ height: px(height.value) }}
    >
      <div class="name" title={`${unit.name} · ${unit.property}`}>
        <b>{unit.name}</b>
        <small>{unit.property}</small>
      </div>
      <Bars {...{ row, model, view, span }} />
      <Cell {...{ unit, view, cursor }} />
    </div>
  );
}

/** The free night that has the focus. */
function Cell({ unit, view, cursor }: Pick<RowProps, "unit" | "view" | "cursor">) {
  const night = useComputed(() => {
    const { unit: at, key } = cursor.value ?? {};
    // other keys are no numbers
    return (at === unit.id && Number(key)) || undefined;
  }).value;
  if (!night) return null;
  return (
    <button
      type="button"
      class="cell"
      data-key={night}
      tabIndex={-1}
      aria-label={text("chart.night", { date: describe(night) })}
      style={place({ from: night, until: night + 1 }, view.value)}
    />
  );
}

function Bars({ row, model, view, span }: Omit<RowProps, "unit" | "cursor">) {
  const { from, until } = span.value;
  const { bars, marks } = row.value;
  const top = marks.length ? MARK : 0;
  const common = [top, view.value, model.channels.value, model.kept.value, language.value];
  // a bar is made again only when it changes, or what all have in common
  const drawn = useMemo(() => new WeakMap<Bar, VNode>(), common);
  const draw = (bar: Bar) => {
    let element = drawn.get(bar);
    if (!element) drawn.set(bar, (element = drawBar(bar, top, model, view.value)));
    return element;
  };
  return (
    <>
      {within(marks, from, until).map((mark) => drawMark(mark, view.value))}
      {within(bars, from, until).map(draw)}
    </>
  );
}

/** Return where nights are, from noon to noon. */
const place = ({ from, until }: Span, { first }: View) => `--at:${from - first + 0.5};--nights:${until - from}`;

function drawBar(bar: Bar, top: number, model: Model, view: View) {
  const { booking, from, until, lane, look, echoes, conflict, isTurnover } = bar;
  const color = model.channels.value.get(booking.source_id ?? "")?.color;
  const isPlain = look === "reservation" || look === booking.kind;
  const label = [
    booking.source_id && channelOf(booking, model),
    !isPlain && text(`chart.${look}`),
    (isPlain || booking.kind !== "window") && whoOf(booking),
  ]
    .filter(Boolean)
    .join(" · ");
  const described = [
    label,
    !booking.source_id && text("chart.byHand"),
    describeSpan(from, until),
    conflict && nameOf(conflict),
    ...remarksOf(booking, model),
    echoes.length && text("chart.repeatedBy", { names: echoes.map((echo) => channelOf(echo, model)).join(", ") }),
    isTurnover && text("chart.turnover"),
  ].filter(Boolean);
  const signs = [
    isTurnover && "⇄",
    Object.keys(booking.edits).length > 0 && "✎",
    echoes.length > 0 && `+${echoes.length}`,
  ].filter(Boolean);
  const written = `${signs.join("")} ${label}`;
  const unsure = /^(tentative|request|new)$/.test(booking.status) ? " unsure" : "";
  const kept = isKept(booking, model) ? " kept" : "";
  // a long one shows its name wherever one looks; that has a price for each, so short ones do not
  const long = until - from > 6;
  return (
    <button
      key={bar.key}
      type="button"
      class={`bar ${look}${unsure}${kept}${long ? " long" : ""}${conflict?.status === "open" ? " double" : ""}`}
      data-color={color}
      data-key={bar.key}
      tabIndex={-1}
      aria-label={described.join(", ")}
      title={described.join("\n")}
      style={place(bar, view) + (lane < 0 ? "" : `;top:${top + lane * LANE + 2}px`)}
    >
      {long ? <span>{written}</span> : written}
    </button>
  );
}

const nameOf = ({ is_turnover, status }: Mark["conflict"]) =>
  text(status === "acknowledged" ? "chart.known" : is_turnover ? "chart.tight" : "chart.double");

/** Nights that are booked twice: a band behind the bars, and above them a button that cannot be overlooked. */
function drawMark(mark: Mark, view: View) {
  const { conflict, from, until, key } = mark;
  const known = conflict.status === "open" ? "" : " known";
  const label = nameOf(conflict);
  const style = place(mark, view);
  return (
    <Fragment key={key}>
      <div class={`band${known}`} style={style} />
      <button
        type="button"
        class={`mark${known}`}
        data-key={key}
        tabIndex={-1}
        aria-label={`${label}, ${describeSpan(from, until)}`}
        title={`${label}\n${describeSpan(from, until)}`}
        style={style}
      >
        <span aria-hidden="true">{known ? "✓" : "⚠"}</span> {label}
      </button>
    </Fragment>
  );
}

const dayFormat = computed(() => formatDays(language.value, { day: "numeric", month: "long", year: "numeric" }));
const describe = (day: number) => dayFormat.value(day);
const describeSpan = (from: number, until: number) => `${describe(from)} – ${describe(until)}`;
