/** One day: who leaves, who arrives, who stays, and what needs a person. */

import type { Booking } from "bokit-client";
import type { ViewProps } from "../app.tsx";
import { dateOf, dayOf, formatDays, today } from "../days.ts";
import type { UnitLine } from "../model.ts";
import { go, to } from "../route.ts";
import { DAYS_BACK, lists, model } from "../session.ts";
import { language, type Name, text } from "../texts.ts";
import { channelOf, remarksOf, whoOf } from "../who.ts";

/** What a day is for a booking; in the order of the page. */
const PARTS = ["leaves", "arrives", "stays", "blocked"] as const;
type Part = (typeof PARTS)[number];

/** Return what *date* is for a booking; undefined where it has nothing to do with it, or only repeats another one. */
function partOf({ kind, state, blocks_nights, check_in, check_out }: Booking, date: string): Part | undefined {
  if (!blocks_nights || state !== "own" || !check_in || !check_out || date < check_in || date > check_out) return undefined;
  if (kind !== "reservation") return date < check_out ? "blocked" : undefined;
  return date === check_out ? "leaves" : date === check_in ? "arrives" : "stays";
}

export function Today({ about: [date = dateOf(today())] }: ViewProps) {
  const day = dayOf(date);
  const first = today() - DAYS_BACK;
  if (Number.isNaN(day)) return <p>{text("shell.unknown")}</p>;
  const places = new Map(model.units.value.map((unit, at) => [unit.id, { ...unit, at }]));
  const parts = Map.groupBy(lists.bookings.value?.values() ?? [], (booking) => partOf(booking, date));
  const arrives = new Set(parts.get("arrives")?.map(({ unit_id }) => unit_id));
  const leaves = new Set(parts.get("leaves")?.map(({ unit_id }) => unit_id));
  const orderOf = ({ unit_id }: Booking) => places.get(unit_id)?.at ?? 0;
  const move = (step: number, name: Name) => (
    <a class="button" href={to("today", dateOf(day + step))}>
      {text(name)}
    </a>
  );
  return (
    <div class="agenda">
      <div class="controls">
        {day > first && move(-1, "today.before")}
        <a class="button" href={to("today")} aria-current={day === today() ? "date" : undefined}>
          {text("chart.today")}
        </a>
        {move(1, "today.after")}
        <label>
          {text("chart.goTo")}{" "}
          <input
            type="date"
            value={date}
            onChange={({ currentTarget }) => currentTarget.value && go("today", currentTarget.value)}
          />
        </label>
      </div>
      <h2>{formatDays(language.value, { weekday: "long", day: "numeric", month: "long", year: "numeric" })(day)}</h2>
      <Needs />
      <div aria-live="polite">
        {!parts.has("leaves") && !parts.has("arrives") && <p>{text(lists.bookings.value ? "today.quiet" : "shell.loading")}</p>}
        {PARTS.filter((part) => parts.has(part)).map((part) => {
          const found = parts.get(part)?.sort((one, other) => orderOf(one) - orderOf(other)) ?? [];
          return (
            <section key={part} class="days-part">
              <h3>{text(`today.${part}`, { n: found.length })}</h3>
              <ul>
                {found.map((booking) => (
                  <Line
                    key={booking.id}
                    booking={booking}
                    unit={places.get(booking.unit_id)}
                    turnover={
                      part === "leaves" ? arrives.has(booking.unit_id) : part === "arrives" && leaves.has(booking.unit_id)
                    }
                    part={part}
                  />
                ))}
              </ul>
            </section>
          );
        })}
      </div>
    </div>
  );
}

interface LineProps {
  readonly booking: Booking;
  readonly unit: UnitLine | undefined;
  readonly turnover: boolean;
  readonly part: Part;
}

/** Return whether cleaning takes longer than there is between two guests of one day. */
function isShort({ checkIn, checkOut, cleaning }: UnitLine): boolean {
  const minutes = (clock: string) => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));
  return minutes(checkIn) - minutes(checkOut) < cleaning;
}

function Line({ booking, unit, turnover, part }: LineProps) {
  const { id, guests, check_in, check_out, source_id } = booking;
  const dayName = formatDays(language.value, { weekday: "short", day: "numeric", month: "short" });
  const until = part !== "leaves" && check_out && text("today.until", { date: dayName(dayOf(check_out)) });
  const since = part === "leaves" && check_in && text("today.since", { date: dayName(dayOf(check_in)) });
  const time =
    unit &&
    ((part === "leaves" && text("today.by", { time: unit.checkOut })) ||
      (part === "arrives" && text("today.from", { time: unit.checkIn })));
  const people = guests && text("today.guests", { n: guests });
  return (
    <li>
      <a href={to("booking", id)}>
        <b>{unit?.name}</b> <small>{unit?.property}</small>
        <span>
          <i class="dot" data-color={model.channels.value.get(source_id ?? "")?.color} /> {whoOf(booking)}
        </span>
        <small>
          {[channelOf(booking, model), time, people, until, since, ...remarksOf(booking, model)].filter(Boolean).join(" · ")}
        </small>
        {turnover && unit && (
          <small class="turn">
            ⇄ {text(part === "leaves" ? "today.thenArrives" : "today.firstLeaves")} · {unit.checkOut}–{unit.checkIn}
            {isShort(unit) && ` · ⚠ ${text("today.short", { n: unit.cleaning })}`}
          </small>
        )}
      </a>
    </li>
  );
}

/** What needs a person, whatever the day. */
function Needs() {
  const conflicts = [...(lists.conflicts.value?.values() ?? [])].filter(({ status }) => status === "open");
  const sources = [...(lists.status.value?.values() ?? [])].filter(({ state }) => /^(held|failing|stale)$/.test(state ?? ""));
  if (!conflicts.length && !sources.length) return null;
  const dayName = formatDays(language.value, { day: "numeric", month: "short" });
  const nameOf = (id: string | null) => model.units.value.find((unit) => unit.id === id)?.name ?? "";
  return (
    <section class="needs">
      <h3>{text("today.needs")}</h3>
      <ul>
        {conflicts.map(({ id, unit_id, nights, is_turnover }) => (
          <li key={id}>
            <a href={to("conflict", id)}>
              <b>⚠ {text(is_turnover ? "chart.tight" : "chart.double")}</b> {nameOf(unit_id)}, {dayName(dayOf(nights[0] ?? ""))}
            </a>
          </li>
        ))}
        {sources.map(({ source_id, name, unit_id, state, content_made_at: made }) => (
          <li key={source_id}>
            <a href={to("source", source_id)}>
              <b>{name}</b>
              {unit_id ? ` ${nameOf(unit_id)}` : ""}:{" "}
              {text(state === "stale" && !made ? "source.stale" : (`today.${state}` as Name))}
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}
