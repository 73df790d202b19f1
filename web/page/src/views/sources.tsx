/** The calendars that are read, and one of them in full: how fresh it is, what is held and why, and what can be done. */

import { computed, useSignal } from "@preact/signals";
import type { SourceInFull, SourceStatus } from "bokit-client";
import type { VNode } from "preact";
import { useRef } from "preact/hooks";
import type { ViewProps } from "../app.tsx";
import { Action, Facts, Problem } from "../parts.tsx";
import { isOff, loadStanding, momentOf, nameOf, standing, textOr } from "../reading.ts";
import { to } from "../route.ts";
import { lists, may, model, type Role, runs, store, useLoaded } from "../session.ts";
import { language, type Name, text } from "../texts.ts";
import { sayTrouble } from "./freshness.tsx";
import { RunsNow, State, sayCounts } from "./runs.tsx";

const MINUTE = 60;
/** How much of what a hold would release is shown. */
const SHOWN = 50;
/** Errors after which its address is to be looked at; the others may pass by themselves. */
const OF_ADDRESS = /^(http-4(?!08|29)|dns|bad-|address|not-|only-|source-m)/;

/** What a source's document depends on. */
const readings = computed(() => [lists.status.value, lists.sources.value, runs.value]);

export function Sources() {
  const ofUnits = Map.groupBy(lists.status.value?.values() ?? [], ({ unit_id }) => unit_id ?? "");
  const properties = Map.groupBy(model.units.value, ({ property }) => property);
  const groups = [...properties].map(([name, units]) => [name, units.flatMap(({ id }) => ofUnits.get(id) ?? [])] as const);
  groups.push([text("source.others"), ofUnits.get("") ?? []]);
  return (
    <>
      <Schedule />
      {groups.map(([name, sources]) => sources.length > 0 && <Group key={name} name={name} sources={sources} />)}
    </>
  );
}

/** Say a state in a word or two; an old calendar is read in time, and not late. */
const sayState = ({ state, content_made_at: made }: SourceStatus) =>
  text(state === "stale" && made ? "today.stale" : (`source.${state}` as Name));

function Group({ name, sources }: { readonly name: string; readonly sources: readonly SourceStatus[] }) {
  const [state, read, next] = [text("source.state"), text("source.lastRead"), text("source.due")];
  return (
    <section>
      <h2>{name}</h2>
      <table class="list">
        <thead>
          <tr>
            <th>{text("source.calendar")}</th>
            <th>{state}</th>
            <th>{read}</th>
            <th>{next}</th>
          </tr>
        </thead>
        <tbody>
          {sources.map((source) => (
            <tr key={source.source_id}>
              <th scope="row">
                <a href={to("source", source.source_id)}>{nameOf(source)}</a>
              </th>
              <td data-label={state}>
                <State of={source.state} says={sayState(source)} />
              </td>
              <td data-label={read}>{momentOf(source.last_success_at)}</td>
              <td data-label={next}>{sayNext(source)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const sayNext = ({ next_due_at: due }: Pick<SourceStatus, "next_due_at">): string =>
  due && !isOff() ? momentOf(due) : text("source.noNext");

/** How calendars are read by themselves, and what reads them now. */
function Schedule() {
  const minutes = useRef<HTMLInputElement>(null);
  const doc = standing.value?.doc;
  if (!doc) return null;
  const { monitor } = doc;
  const button = (name: Name, method: string, path: string, body?: () => unknown, needs?: Role) => (
    <Action needs={needs} run={() => store.request(method, path, body?.()).then(loadStanding)}>
      {text(name)}
    </Action>
  );
  return (
    <section>
      <p>
        {isOff()
          ? text("freshness.off")
          : monitor
            ? text("source.monitored", { n: monitor.interval / MINUTE, at: momentOf(monitor.next_at), by: monitor.started_by })
            : text("source.every", { n: doc.interval / MINUTE })}
      </p>
      <div class="buttons">
        {!doc.enabled && button("source.turnOn", "PUT", "/options/sync.enabled", () => ({ value: true }), "admin")}
        {button("source.syncAll", "POST", "/sync/trigger", () => ({}))}
        {monitor
          ? button("source.stop", "POST", "/sync/stop")
          : may("operator") && (
              <>
                <label>
                  {text("source.minutes")} <input ref={minutes} type="number" min="1" defaultValue="5" />
                </label>
                {button("source.start", "POST", "/sync/start", () => ({ interval: Number(minutes.current?.value) * MINUTE }))}
              </>
            )}
        <RunsNow />
      </div>
    </section>
  );
}

type MakeButton = (
  name: Name,
  method: string,
  path: string,
  more?: {
    readonly body?: () => unknown;
    readonly ask?: string;
    readonly needs?: Role;
    readonly say?: (answer: any) => string;
  },
) => VNode;

export function SourcePanel({ about: [id = ""] }: ViewProps) {
  const loaded = useLoaded<SourceInFull>(`/sources/${id}`, readings);
  const said = useSignal("");
  const outcome = useRef<HTMLParagraphElement>(null);
  const { data: source, error } = loaded.value;
  if (!source) return <Problem error={error} />;
  /** A button that does it, says what came of it, and takes the focus there: the button may be gone. */
  const button: MakeButton = (name, method, path, { body, say, ...asks } = {}) => (
    <Action
      {...asks}
      run={async () => {
        try {
          const answer = await store.request(method, path, body?.());
          said.value = say ? say(answer) : text("source.done");
          outcome.current?.focus();
        } finally {
          loaded.reload();
        }
      }}
    >
      {text(name)}
    </Action>
  );
  const path = `/sources/${id}`;
  const { hold, error: failure, removed_at: removed, interval } = source;
  return (
    <>
      <h2>{nameOf(source)}</h2>
      <p class="notice" data-state={source.state}>
        {removed
          ? text("source.removed", { at: momentOf(removed) })
          : source.state === "ok"
            ? text(source.unit_id ? "source.okAbout" : "source.ok")
            : sayTrouble({ ...source, source_id: id }).says}
      </p>
      <p ref={outcome} class="outcome" role="status" tabIndex={-1}>
        {said}
      </p>
      {hold ? (
        <HeldPart hold={hold} button={button} path={path} />
      ) : (
        failure && (
          <section class="problem">
            <h3>{text("source.failures", { n: source.failures ?? 1 })}</h3>
            <p lang="en">{failure.message}</p>
            <p>
              {text(
                OF_ADDRESS.test(failure.code)
                  ? "source.fixAddress"
                  : failure.code === "secret"
                    ? "source.fixSecret"
                    : "source.fixWait",
              )}
            </p>
          </section>
        )
      )}
      {source.renames_since && <p>{text("source.renames", { at: momentOf(source.renames_since) })}</p>}
      {source.advice && <p lang="en">{source.advice}</p>}
      <Facts
        facts={[
          [text("source.lastRead"), momentOf(source.last_success_at)],
          [text("source.lastChange"), momentOf(source.last_change_at)],
          [text("source.due"), sayNext(source)],
          [text("source.address"), source.url],
          [text("source.platform"), source.platform],
          [text("source.minutes"), interval ? interval / MINUTE : text("source.asAll")],
        ]}
      />
      {removed ? (
        button("source.release", "DELETE", `${path}?release=true`, {
          needs: "admin",
          ask: text("source.askRelease"),
          say: ({ released: n }) => text("source.released", { n }),
        })
      ) : (
        <>
          <div class="buttons">
            {button("source.sync", "POST", "/sync/trigger", { body: () => ({ source_ids: [id] }), say: () => "" })}
            <RunsNow />
            {button("source.test", "POST", `${path}/test`, {
              say: ({ verdict, total: n }) => text(`source.test-${verdict}` as Name, { n }),
            })}
            {source.enabled
              ? button("source.pause", "POST", `${path}/pause`, { ask: text("source.askPause") })
              : button("source.resume", "POST", `${path}/resume`)}
            {button("source.remove", "DELETE", path, {
              needs: "admin",
              ask: text("source.askRemove"),
              say: ({ kept: n }) => text("source.kept", { n }),
            })}
          </div>
          {may("operator") && <Edit source={source} button={button} path={path} />}
        </>
      )}
    </>
  );
}

interface PartProps {
  readonly button: MakeButton;
  readonly path: string;
}

/** What a guard holds, why, what applying it would do, and what lifts it. */
function HeldPart({ hold, button, path }: PartProps & { readonly hold: NonNullable<SourceInFull["hold"]> }) {
  const { code, message, plan, releases, opens_at: opens } = hold;
  const n = releases.length;
  const body = () => ({ plan });
  return (
    <section class="card hold">
      <h3>{text("source.since", { at: momentOf(hold.since) })}</h3>
      <p>{textOr(`source.hold-${code}`, message)}</p>
      <p>
        {opens
          ? text(code === "empty-feed" ? "source.opensEmpty" : "source.opens", { at: momentOf(opens) })
          : text("source.neverOpens")}
      </p>
      {n > 0 && <p>{text("source.releases", { n })}</p>}
      <ul>
        {releases
          .toSorted((one, other) => String(one["check_in"]).localeCompare(String(other["check_in"])))
          .slice(0, SHOWN)
          .map((release, at) => (
            <li key={at}>{sayRelease(release)}</li>
          ))}
        {n > SHOWN && "…"}
      </ul>
      <details>
        <summary>{text("source.exactly")}</summary>
        <p lang="en">{message}</p>
      </details>
      <div class="buttons">
        {hold.can_apply &&
          button("source.apply", "POST", `${path}/apply-held`, {
            body,
            ask: text("source.askApply", { n }),
            say: ({ counts }) => sayCounts(counts),
          })}
        {code !== "quota" && button("source.discard", "POST", `${path}/discard-held`, { body })}
      </div>
    </section>
  );
}

/** Say what would be cancelled or freed: the booking with its guest, or what a collection's source names. */
function sayRelease({ record_id: id, check_in: from, check_out: until, ...other }: { readonly [name: string]: unknown }) {
  const booking = lists.bookings.value?.get(String(id));
  const who =
    booking?.guest_name ?? booking?.reservation_code ?? textOr(`chart.${other["kind"]}`, String(other["id"] ?? id ?? ""));
  const says = [who, from && nightsOf(String(from), String(until)), other["records"]].filter(Boolean).join(", ");
  return booking ? <a href={to("booking", booking.id)}>{says}</a> : says;
}

const nightsOf = (from: string, until: string): string =>
  new Intl.DateTimeFormat(language.value, { dateStyle: "medium", timeZone: "UTC", calendar: "gregory" }).formatRange(
    Date.parse(from),
    Date.parse(until),
  );

function Edit({ source, button, path }: PartProps & { readonly source: SourceInFull }) {
  const form = useRef<HTMLFormElement>(null);
  /** Only what differs is sent; no minutes are the default, and an empty address is the one that there is. */
  const body = () => {
    const { name, minutes, url } = Object.fromEntries(new FormData(form.current as HTMLFormElement));
    const interval = Number(minutes) * MINUTE || null;
    return { ...(name !== source.name && { name }), ...(interval !== source.interval && { interval }), ...(url && { url }) };
  };
  return (
    <details>
      <summary>{text("source.edit")}</summary>
      <form ref={form} onSubmit={(event) => event.preventDefault()}>
        <label class="field">
          {text("source.name")} <input name="name" defaultValue={source.name} />
        </label>
        <label class="field">
          {text("source.minutes")}{" "}
          <input name="minutes" type="number" min="1" defaultValue={source.interval ? String(source.interval / MINUTE) : ""} />
        </label>
        <label class="field">
          {text("source.newAddress")} <input name="url" />
        </label>
        <p class="hint">{text("source.newAddressAbout")}</p>
        {button("source.save", "PATCH", path, { body })}
      </form>
    </details>
  );
}
