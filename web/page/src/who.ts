/** What a bar or a line says of a booking: its channel, its guest, and what a person should know of it. */

import type { Booking } from "bokit-client";
import type { Model } from "./model.ts";
import { text } from "./texts.ts";

/** Return the names of a booking's channels; a removed calendar has no name any more. */
export function channelOf({ sources }: Booking, model: Model): string {
  const channels = model.channels.value;
  const nameOf = (id: string | null) => (id ? (channels.get(id)?.name ?? text("chart.removed")) : text("chart.byHand"));
  return [...new Set(sources.map(({ source_id }) => nameOf(source_id)))].join(" + ");
}

/** Return the guest, or what else names a booking. */
export const whoOf = ({ guest_name, reservation_code, summary, kind }: Booking): string =>
  guest_name || reservation_code || summary || text(`chart.${kind}`);

/** Return whether a booking's calendar no longer shows it, and it is held nevertheless: by a guard, for a while, or since the calendar was removed. */
export const isKept = ({ id, presence, source_id }: Booking, { kept, channels }: Model): boolean =>
  kept.value.has(id) || presence === "missing" || (!!source_id && !channels.value.has(source_id));

/** Return what is remarkable about a booking, in words. */
export function remarksOf(booking: Booking, model: Model): string[] {
  const { edits, status, presence, confirm } = booking;
  return [
    Object.keys(edits).length && text("chart.edited"),
    confirm && text("chart.confirm"),
    /^(tentative|request|new)$/.test(status) && text("chart.tentative"),
    model.kept.value.has(booking.id) ? text("chart.kept") : presence === "missing" && text("chart.missing"),
  ].filter((remark) => typeof remark === "string");
}
