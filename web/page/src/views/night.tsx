/** One night of a unit: who holds it and why, what outgoing calendars say of it, and the means to block it. */

import { useComputed } from "@preact/signals";
import type { HeldNight } from "bokit-client";
import type { ViewProps } from "../app.tsx";
import { authorName, bookingLink, channelName, Line, Nothing, sourceLink, stayText } from "../bookings.tsx";
import { dateOf, dayOf } from "../days.ts";
import { Time } from "../parts.tsx";
import { go, to } from "../route.ts";
import { lists, may, useLoaded } from "../session.ts";
import { text } from "../texts.ts";
import { rangeText, unitName } from "../words.ts";
import { BookingForm } from "./booking.tsx";

const lastNight = (end: string) => rangeText(dateOf(dayOf(end) - 1));

export function NightPanel({ about: [unit = "", date = ""] }: ViewProps) {
  const path = `/bookings/explain?${new URLSearchParams({ date, unit_id: unit })}`;
  const changes = useComputed(() => [lists.bookings.value, lists.status.value]);
  const { data, error } = useLoaded<{ readonly items: readonly HeldNight[] }>(path, changes).value;
  const night = data?.items[0];
  if (!night) return <Nothing error={error} />;
  const beside = (days: number) => dateOf(dayOf(date) + days);
  return (
    <>
      <h2>
        {unitName(unit)}, {rangeText(date)}
      </h2>
      <a href={to("night", unit, beside(-1))}>{text("night.before")}</a>{" "}
      <a href={to("night", unit, beside(1))}>{text("night.after")}</a>
      <div role="status">
        <Line name={night.held ? "night.held" : "night.free"} />
      </div>
      <ul>
        {night.by.map((booking) => (
          <li key={booking.id}>
            {bookingLink(booking.id, booking)}
            <p>
              {booking.unit_id !== unit && `${unitName(booking.unit_id)}, `}
              {stayText(booking.check_in, booking.check_out)}
            </p>
            {booking.reasons.map((reason) => (
              <Line key={reason} name={`night.${reason}`} source={sourceLink(booking.source_id)} />
            ))}
            <Line name="night.since" at={<Time at={booking.since} />} />
            {booking.edited_by.map((by) => (
              <Line key={by} name="night.editedBy" who={authorName(by)} />
            ))}
          </li>
        ))}
      </ul>
      <h3>{text("night.evidence")}</h3>
      {!night.feeds.length && <Line name="night.noSource" />}
      <ul>
        {night.feeds.map(({ source_id, state, read_at, says, until, shows_until }) => (
          <li key={source_id}>
            {sourceLink(source_id)}
            <Line name={`night.is_${read_at ? state : "new"}`} at={<Time at={read_at} />} />
            {until && <Line name={`night.says_${says}`} until={lastNight(until)} />}
            {shows_until && <Line name="night.shows_until" last={lastNight(shows_until)} />}
          </li>
        ))}
      </ul>
      <h3>{text("night.published")}</h3>
      <ul>
        {night.published.map(({ calendar_id, for: consumer, closed, closed_since, last_read_at, read_closed_at, withheld }) => (
          <li key={calendar_id}>
            {consumer ? channelName(consumer) : text("night.anybody")}
            <Line
              name={`night.${last_read_at ? "" : "unread_"}${!closed ? "open" : read_closed_at || !last_read_at ? "closed" : "unseen"}`}
              since={<Time at={closed_since} />}
              read={<Time at={last_read_at} />}
            />
            {withheld.map(({ booking_id, reason }) => (
              <Line key={booking_id} name={`night.without_${reason}`} booking={bookingLink(booking_id)} />
            ))}
          </li>
        ))}
      </ul>
      {may("operator") && (
        <details>
          <summary>{text("night.enter")}</summary>
          <BookingForm
            booking={{ kind: "block", check_in: date, check_out: beside(1), unit_id: unit }}
            put={({ id }) => go("booking", id)}
          />
        </details>
      )}
    </>
  );
}
