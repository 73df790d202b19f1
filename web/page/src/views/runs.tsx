/** The syncs: those that go on, those that were, and one of them as steps. */

import { computed, useSignal } from "@preact/signals";
import type { Counts, Run } from "bokit-client";
import type { ViewProps } from "../app.tsx";
import { Action, Problem } from "../parts.tsx";
import { momentOf, nameOf } from "../reading.ts";
import { to } from "../route.ts";
import { lists, runs, store, useLoaded } from "../session.ts";
import { type Name, text } from "../texts.ts";

/** Counts that say what a sync changed. */
const CHANGES = ["created", "updated", "cancelled", "restored", "missing"] as const;

/** The history grows with each sync that begins, ends, or reads something without an event. */
const history = computed(() => [runs.value, lists.status.value]);

const word = (name: string, n = 0): string => text(`run.${name}` as Name, { n });

/** Say what was changed: "2 new, 1 cancelled". */
export const sayCounts = (counts: Counts): string =>
  CHANGES.filter((name) => counts[name])
    .map((name) => word(name, counts[name]))
    .join(", ") || word("nothing");

/** How runs and what they did of a source look, beside the states of sources. */
const TONES: { readonly [state: string]: string } = {
  succeeded: "good",
  changed: "good",
  partial: "warn",
  failed: "bad",
  queued: "info",
  running: "info",
};

/** A state in words, with a sign and a color. */
export function State({ of: state, says = word(state ?? "") }: { readonly of: string | null; readonly says?: string }) {
  return (
    <span class="badge" data-state={state} data-tone={TONES[state ?? ""]}>
      {says}
    </span>
  );
}

/** The syncs that go on, with how far they are. */
export function RunsNow({ id }: { readonly id?: string }) {
  return (
    <span role="status">
      {[...runs.value].map(
        ([run, { data }]) =>
          (id ?? run) === run && (
            <a key={run} href={to("run", run)}>
              {text("run.now", { done: Number(data["done"] ?? 0), n: Number(data["sources"]) })}{" "}
            </a>
          ),
      )}
    </span>
  );
}

export function Runs() {
  const loaded = useLoaded<{ items: readonly Run[]; cursor: string | null }>("/sync/history", history);
  /** Older pages; the first one is kept up to date. */
  const older = useSignal<readonly Run[]>([]);
  const cursor = useSignal<string | null | undefined>(undefined);
  const { data, error } = loaded.value;
  if (!data) return <Problem error={error} />;
  const next = cursor.value === undefined ? data.cursor : cursor.value;
  const more = async () => {
    const page = await store.request("GET", `/sync/history?cursor=${encodeURIComponent(next ?? "")}`);
    older.value = [...older.value, ...page.items];
    cursor.value = page.cursor;
  };
  const all = new Map([...data.items, ...older.value].map((run) => [run.run_id, run]));
  return (
    <>
      {!all.size && <p class="empty">{word("none")}</p>}
      <table class="list">
        <tbody>
          {[...all].map(([id, { started_at, finished_at, status, trigger, sources, counts }]) => (
            <tr key={id}>
              <th scope="row">
                <a href={to("run", id)}>{momentOf(started_at)}</a>
              </th>
              <td>
                <State of={status} />
              </td>
              <td>{word(trigger)}</td>
              <td>{finished_at ? `${word("sources", sources.length)}: ${sayCounts(counts)}` : <RunsNow id={id} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {next && (
        <Action run={more} needs="viewer">
          {word("more")}
        </Action>
      )}
    </>
  );
}

/** A run as steps, as far as it is. */
export function RunPanel({ about: [id = ""] }: ViewProps) {
  const loaded = useLoaded<Run>(`/sync/history/${encodeURIComponent(id)}`, history);
  const { data: run, error } = loaded.value;
  if (!run) return <Problem error={error} />;
  return (
    <>
      <h2>{word("title")}</h2>
      <p role="status">
        <State of={run.status} /> <RunsNow id={id} />
      </p>
      <ol class="steps">
        {stepsOf(run).map((step) => (
          <li key={step}>{step}</li>
        ))}
      </ol>
      {run.sources.map(({ source_id, name, outcome, error, counts, problems = [] }) => {
        const source = lists.sources.value?.get(source_id);
        return (
          <section key={source_id} class="card">
            <h3>
              <a href={to("source", source_id)}>{source ? nameOf(source) : name}</a>
            </h3>
            <p>
              <State of={outcome} /> {outcome === "changed" && sayCounts(counts)}
            </p>
            {[error, ...problems].map((problem) => problem && <p lang="en">{problem.message}</p>)}
          </section>
        );
      })}
    </>
  );
}

/** Say what is known of each step; one that nothing reached is left out. */
function stepsOf({ trigger, started_at, finished_at, sources, counts }: Run): string[] {
  const [skipped, failed, held] = ["skipped", "failed", "held"].map(
    (name) => sources.filter(({ outcome }) => outcome === name).length,
  ) as [number, number, number];
  const fetched = sources.length - skipped - failed;
  const { created, updated, cancelled, restored } = counts;
  const steps = {
    skipped,
    fetched,
    failed,
    read: counts.seen,
    known: counts.unchanged,
    held,
    trusted: fetched - held,
    preserved: counts.preserved,
    published: created + updated + cancelled + restored,
  };
  return [
    text("run.due", { at: momentOf(started_at), by: word(trigger) }),
    ...Object.entries(steps).flatMap(([name, n]) => (n > 0 ? word(`step-${name}`, n) : [])),
    ...(fetched > held ? [text("run.applied", { counts: sayCounts(counts) })] : []),
    ...(finished_at ? [text("run.ended", { at: momentOf(finished_at) })] : []),
  ];
}
