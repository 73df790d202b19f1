/**
 * How fresh the page is, in one line: which calendars were read, which not, and what that means for their nights.
 *
 * The states are the API's. What the page adds is its own age: without an answer, everything shown gets older.
 */

import { useSignalEffect } from "@preact/signals";
import type { SourceStatus } from "bokit-client";
import { useEffect } from "preact/hooks";
import { isOff, loadStanding, momentOf, nameOf, now, standing } from "../reading.ts";
import { to } from "../route.ts";
import { lists, pick } from "../session.ts";
import { text } from "../texts.ts";

const TICK_MS = 20_000;
const RELOAD_MS = 55_000;
/** A page that heard nothing for so long says so. */
const CUT_OFF_MS = 180_000;
const HOUR_MS = 3_600_000;
/** States by how much they need a person: of two equal ones, the calendar that was read longer ago comes first. */
const URGENCY = ["failing stale", "held", "paused", "new"];

const connection = pick((state) => state.connection);

interface Sentence {
  readonly tone: "good" | "warn" | "bad";
  readonly says: string;
  readonly href?: string;
}

export function Freshness() {
  useEffect(() => {
    const tick = () => {
      now.value = Date.now();
      if (now.value - (standing.value?.at ?? 0) > RELOAD_MS) void loadStanding();
    };
    const timer = setInterval(tick, TICK_MS);
    return () => clearInterval(timer);
  }, []);
  useSignalEffect(() => {
    if (lists.status.value) void loadStanding();
  });
  const sentences = [...sayPage(), ...saySources()];
  const tone = ["bad", "warn", "good"].find((wanted) => sentences.some((sentence) => sentence.tone === wanted));
  return (
    <div role="status" aria-live="polite">
      <p class="notice freshness" data-tone={tone}>
        {sentences.map(({ says, href }) => (
          <span key={says}>{href ? <a href={href}>{says}</a> : says} </span>
        ))}
      </p>
    </div>
  );
}

/** Say what is wrong with the page itself, and with the schedule. */
function sayPage(): Sentence[] {
  const said: Sentence[] = [];
  if (isCutOff()) said.push({ tone: "bad", says: text("freshness.cutOff", { at: momentOf(standing.value?.at ?? now.value) }) });
  else if (connection.value === "polling") said.push({ tone: "good", says: text("freshness.polling") });
  if (isOff() && lists.status.value?.size) said.push({ tone: "bad", says: text("freshness.off"), href: to("sources") });
  return said;
}

const isCutOff = () => connection.value === "offline" || now.value - (standing.value?.at ?? now.value) > CUT_OFF_MS;

function saySources(): Sentence[] {
  const sources = [...(lists.status.value?.values() ?? [])];
  const [worst, ...others] = sources.filter(({ state }) => state !== "ok").sort(byUrgency);
  if (worst) {
    const more = { tone: "good", says: text("freshness.more", { n: others.length }), href: to("sources") } as const;
    return [sayTrouble(worst), ...(others.length ? [more] : [])];
  }
  if (!lists.status.value || !standing.value) return [{ tone: "good", says: text("shell.loading") }];
  if (!sources.length) return [{ tone: "warn", says: text("freshness.none"), href: to("setup") }];
  const calendars = sources.filter(({ unit_id }) => unit_id);
  return isCutOff() ? [] : [{ tone: "good", says: sayRead(calendars.length ? calendars : sources) }];
}

/** A source of other records than bookings closes no nights: it comes after all calendars. */
const rankOf = ({ state, unit_id }: SourceStatus) =>
  URGENCY.findIndex((states) => states.includes(state ?? "")) + (unit_id ? 0 : URGENCY.length);
const byUrgency = (one: SourceStatus, other: SourceStatus) =>
  rankOf(one) - rankOf(other) || (one.last_success_at ?? "").localeCompare(other.last_success_at ?? "");

type Troubled = Pick<SourceStatus, "source_id" | "name" | "unit_id" | "state" | "last_success_at" | "content_made_at">;

/** Say what a state means for the source's nights. */
export function sayTrouble(source: Troubled): Sentence {
  const { state, last_success_at: read, content_made_at: made } = source;
  const name = nameOf(source);
  const href = to("source", source.source_id);
  if (!source.unit_id) return { tone: "warn", says: text("freshness.records", { name }), href };
  if (state === "held" || state === "paused" || state === "new")
    return { tone: "warn", says: text(`freshness.${state}`, { name }), href };
  if (state === "stale" && made) return { tone: "bad", says: text("freshness.old", { name, at: momentOf(made) }), href };
  return {
    tone: "bad",
    says: read ? text("freshness.unread", { name, at: momentOf(read) }) : text("freshness.never", { name }),
    href,
  };
}

/** Say by when every calendar was read; the longest ago counts, and the time since the page heard it. */
function sayRead(sources: readonly SourceStatus[]): string {
  const { doc, at } = standing.value as NonNullable<typeof standing.value>;
  const oldest = Math.min(...sources.map((source) => Date.parse(source.last_success_at ?? doc.at)));
  const age = Date.parse(doc.at) - oldest + now.value - at;
  const n = Math.max(1, Math.ceil(age / HOUR_MS));
  return sources.length > 1 ? text("freshness.all", { n, all: sources.length }) : text("freshness.only", { n });
}
