/** Parts that panels about bookings share, and how a panel follows one item. */

import { useComputed } from "@preact/signals";
import type { ApiError, Booking } from "bokit-client";
import type { ComponentChildren } from "preact";
import { dayOf } from "./days.ts";
import { Problem } from "./parts.tsx";
import { to } from "./route.ts";
import { lists, me, model, useLoaded } from "./session.ts";
import { text } from "./texts.ts";
import { channelOf, whoOf } from "./who.ts";
import { rangeText, say } from "./words.ts";

/** A paragraph: a text with elements in it. */
export const Line = ({ name, ...values }: { readonly name: string; readonly [value: string]: ComponentChildren }) => (
  <p>
    {say(name)
      .split(/\{(\w+)\}/)
      .map((part, at) => (at % 2 ? values[part] : part))}
  </p>
);

/** Return the name of a source, or of a consumer of an outgoing calendar; null is a person. */
export const channelName = (id: string | null): string =>
  id === null ? text("chart.byHand") : (model.channels.value.get(id)?.name ?? id);

/** The source's name, leading to it. */
export const sourceLink = (id: string | null) => (id ? <a href={to("source", id)}>{channelName(id)}</a> : channelName(id));

/** Who and from where, leading to the booking. */
export const bookingLink = (id: string, booking = lists.bookings.value?.get(id)) => (
  <a key={id} href={to("booking", id)}>
    {booking ? `${whoOf(booking)} · ${channelOf(booking, model)}` : id}
  </a>
);

/** Return who wrote something: `token:tok_1`, `source:src_1`, `user:ann`. */
export function authorName(by: string): string {
  const id = by.replace(/^\w+:/, "");
  return id === me.value?.id ? text("booking.you") : channelName(id);
}

/** Return arrival and departure, and how many nights that is. */
export const stayText = (first: string | null, end: string | null): string =>
  first && end
    ? `${rangeText(first, end)} (${text("booking.nightCount", { n: dayOf(end) - dayOf(first) })})`
    : text("booking.none");

/** Why there is nothing to show. */
export const Nothing = ({ error }: { readonly error: ApiError | undefined }) => (
  <div role="status">{error?.status === 404 ? <Line name="booking.removed" /> : <Problem error={error} />}</div>
);

export interface Followed<T> {
  readonly item: T | undefined;
  readonly error: ApiError | undefined;
  /** Show this one, which a request answered. */
  readonly put: (item: T) => void;
}

/** Follow the item at *path*, as *find* returns it from the store's lists, or as the API answers: the newer one. */
export function useItem<T extends { readonly version: number }>(path: string, find: () => T | undefined): Followed<T> {
  const kept = useComputed(find).value;
  const loaded = useLoaded<T>(
    path,
    useComputed(() => !find()),
  );
  const { data, error } = loaded.value;
  const isGone = !kept && error?.status === 404;
  return {
    item: isGone ? undefined : kept && !(data && data.version > kept.version) ? kept : data,
    error,
    put: (data) => (loaded.value = { data, error: undefined }),
  };
}

export const bookingPath = (id: string): string => `/bookings/${encodeURIComponent(id)}`;

/** Follow a booking; the id of any of its sources finds it. */
export const useBooking = (id: string): Followed<Booking> =>
  useItem<Booking>(bookingPath(id), () =>
    [...(lists.bookings.value?.values() ?? [])].find(({ sources }) => sources.some((source) => source.booking_id === id)),
  );
