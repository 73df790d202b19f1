/** One booking: what holds its nights, what each platform says of it, and what people changed. */

import { useSignal } from "@preact/signals";
import type { Booking } from "bokit-client";
import { useRef } from "preact/hooks";
import type { ViewProps } from "../app.tsx";
import { authorName, bookingLink, bookingPath, Line, Nothing, sourceLink, stayText, useBooking } from "../bookings.tsx";
import { usePages } from "../pages.ts";
import { Action, Facts, Time } from "../parts.tsx";
import { to } from "../route.ts";
import { lists, may, store } from "../session.ts";
import { text } from "../texts.ts";
import { whoOf } from "../who.ts";
import { nightsText, rangeText, say, unitName } from "../words.ts";
import { ConflictList } from "./conflicts.tsx";
import { DoorCode } from "./door_code.tsx";

/** A line of a booking's log. */
interface LoggedChange {
  readonly at: string;
  readonly by: string;
  readonly action: string;
  readonly reason: string;
  readonly fields: { readonly [field: string]: { readonly from: unknown; readonly to: unknown } };
  readonly preserved: LoggedChange["fields"];
}

const FIELDS = ["guest_name", "guests", "phone", "email", "notes"] as const;

export function BookingPanel({ about: [id = ""] }: ViewProps) {
  const { item, error, put } = useBooking(id);
  return item ? <Details booking={item} put={put} /> : <Nothing error={error} />;
}

interface Props {
  readonly booking: Booking;
  /** Show the booking, as a request answered it. */
  readonly put: (booking: Booking) => void;
}

function Details({ booking, put }: Props) {
  const { check_in, check_out, unit_id, kind, status, state, presence, sources, blocks_nights } = booking;
  const edits = Object.entries(booking.edits);
  const ask = async (body: object, method = "PATCH", path = "") =>
    put(await store.request(method, bookingPath(booking.id) + path, body));
  const accept = (body: object) => ask(body, "POST", "/accept-remote");
  const isCancelled = /^cancel/.test(status);
  const isRead = sources.some(({ source_id }) => source_id);
  return (
    <>
      <h2>{whoOf(booking)}</h2>
      <ConflictList
        conflicts={[...(lists.conflicts.value?.values() ?? [])].filter(({ bookings }) =>
          sources.some(({ booking_id }) => bookings.includes(booking_id)),
        )}
      />
      <Facts
        facts={[
          [text("booking.unit"), unitName(unit_id)],
          [text("booking.stay"), <a href={to("night", unit_id, check_in ?? "")}>{stayText(check_in, check_out)}</a>],
          [text("booking.status"), say(`booking.${status}`)],
          ...([...FIELDS, "reservation_code", "comments"] as const)
            .filter((name) => booking[name])
            .map((name) => [say(`booking.${name}`), booking[name]] as const),
        ]}
      />
      <div role="status">
        <Line name={blocks_nights ? "booking.holds" : "booking.holdsNot"} />
        {presence !== "present" && (
          <Line
            name={`booking.is_${presence}`}
            at={<Time at={booking.missing_since ?? booking.gone_at} />}
            why={<span lang="en">{booking.gone_reason}</span>}
          />
        )}
      </div>
      {state && state !== "own" && <Line name={`booking.is_${state}`} of={booking.echo_of.map((id) => bookingLink(id))} />}
      {booking.echoes[0] && <Line name="booking.echoes" of={booking.echoes.map((id) => bookingLink(id))} />}
      {booking.confirm && (
        <>
          <Line name="booking.confirm" />
          <Action run={() => ask({ confirm: null })}>{text("booking.confirmSame")}</Action>
        </>
      )}
      {kind === "reservation" && state === "own" && may("operator") && <DoorCode key={booking.id} id={booking.id} />}
      {edits[0] && (
        <>
          <h3>{text("booking.edits")}</h3>
          <ul>
            {edits.map(([name, { value, remote, by, at }]) => (
              <li key={name}>
                <b>{say(`booking.${name}`)}</b>: {valueText(name, value)}
                <Line name="booking.edit_by" who={authorName(by)} at={<Time at={at} />} value={valueText(name, remote)} />
                <Action
                  run={() => accept({ fields: [name] })}
                  ask={text("booking.acceptAsk", { value: valueText(name, remote) })}
                >
                  {text("booking.accept")}
                </Action>
              </li>
            ))}
          </ul>
          {edits[1] && (
            <Action run={() => accept({})} ask={text("booking.acceptAllAsk")}>
              {text("booking.acceptAll")}
            </Action>
          )}
        </>
      )}
      {isRead && kind !== "window" && (booking.held_nights || (isCancelled && blocks_nights)) && (
        <>
          <Line
            name="booking.stillHeld"
            nights={(booking.held_nights ?? [[check_in ?? "", check_out ?? ""]])
              .map(([from = "", until = ""]) => stayText(from, until))
              .join(", ")}
          />
          <Action run={() => ask({ release: true })} ask={text("booking.releaseAsk")}>
            {text("booking.release")}
          </Action>
        </>
      )}
      {kind !== "window" && may("operator") && (
        <>
          <details>
            <summary>{text("booking.edit")}</summary>
            <Line name="booking.editMeans" />
            <BookingForm {...{ booking, put }} />
          </details>
          {!isCancelled && (
            <Action
              run={() => ask({ status: "cancelled" })}
              ask={text(isRead ? "booking.cancelAsk" : "booking.cancelOwnAsk", { nights: stayText(check_in, check_out) })}
            >
              {text("booking.cancel")}
            </Action>
          )}
        </>
      )}
      <h3>{text("booking.sources")}</h3>
      {sources.map(({ source_id, booking_id, uid, status, check_in, check_out, presence, seen_at, missing_since }) => (
        <section key={booking_id}>
          <b>{sourceLink(source_id)}</b>: {stayText(check_in, check_out)}, {say(`booking.${status}`)}
          <Line
            name={source_id ? `booking.seen_${presence}` : "booking.entered"}
            at={<Time at={seen_at} />}
            read={<Time at={lists.status.value?.get(source_id ?? "")?.last_success_at} />}
            missing={<Time at={missing_since} />}
          />
          {uid && <code title={uid}>UID {uid}</code>}
          <History id={booking_id} booking={booking} />
        </section>
      ))}
    </>
  );
}

/** Return a field's value for people. */
function valueText(name: string, value: any): string {
  if (value == null || value === "") return text("booking.none");
  if (name === "status") return say(`booking.${value}`);
  if (name === "kind") return say(`chart.${value}`);
  if (name === "released_nights") return nightsText(value);
  if (/^check_/.test(name)) return rangeText(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Who changed what, when and why; the newest first. */
function History({ id, booking }: { readonly id: string; readonly booking: Booking }) {
  const { items, more } = usePages<LoggedChange>(`${bookingPath(id)}/changes?limit=9`, booking);
  return (
    <details open>
      <summary>{text("booking.history")}</summary>
      <ul>
        {items.map(({ at, by, action, reason, fields, preserved }, index) => (
          <li key={index}>
            <Line
              name={`booking.did_${action}`}
              who={authorName(by)}
              at={<Time at={at} />}
              why={/^source/.test(by) && <span lang="en">({reason})</span>}
            />
            {Object.entries(fields).map(([name, { from, to }]) => (
              <Line
                key={name}
                name="booking.change"
                field={say(`booking.${name}`)}
                from={valueText(name, from)}
                to={valueText(name, to)}
              />
            ))}
            {Object.entries(preserved).map(([name, { to }]) => (
              <Line key={name} name="booking.kept" field={say(`booking.${name}`)} to={valueText(name, to)} />
            ))}
          </li>
        ))}
      </ul>
      {more && (
        <Action needs="viewer" run={more}>
          {text("booking.more")}
        </Action>
      )}
    </details>
  );
}

const CHOICES: { readonly [field: string]: readonly string[] } = {
  kind: ["block", "reservation"],
  status: ["confirmed", "tentative", "request", "inquiry", "blocked"],
};

const shown = (value: unknown) => String(value ?? "");

interface FormProps {
  /** As it is now; what a person changed stays when this changes. One without an id is made. */
  readonly booking: { readonly [field: string]: any };
  readonly put: Props["put"];
}

/** What a person changes of a booking, or a new one. */
export function BookingForm({ booking, put }: FormProps) {
  const draft = useSignal<{ readonly [field: string]: string }>({});
  const isSaved = useSignal(false);
  /** What each field was when the person began to change it. */
  const begun = useRef<{ [field: string]: string }>({});
  const id = booking["id"];
  const names = [id ? "status" : "kind", "check_in", "check_out"];
  const touched = Object.entries(draft.value).filter(([name, value]) => value !== shown(booking[name]));
  const isIn = (before: FormProps["booking"], now = booking) =>
    touched.every(([name]) => shown(before[name]) === shown(now[name]));
  const run = async () => {
    const values = Object.fromEntries(
      touched.map(([name, value]) => [name, !value ? null : name === "guests" ? Number(value) : value]),
    );
    if (id) {
      // what changed since it was shown is shown first
      const now = await store.request("GET", bookingPath(id));
      put(now);
      if (!isIn(now)) return;
    }
    put(
      await (id
        ? store.request("PATCH", bookingPath(id), values)
        : store.request("POST", "/bookings", { ...booking, ...values })),
    );
    draft.value = {};
    isSaved.value = true;
  };
  return (
    <fieldset onKeyDown={(event) => event.key === "Escape" && touched[0] && event.stopPropagation()}>
      {[...names, ...FIELDS].map((name) => {
        const now = shown(booking[name]);
        const value = draft.value[name] ?? now;
        const choices = CHOICES[name];
        const Field: any = choices ? "select" : name === "notes" ? "textarea" : "input";
        return (
          <div key={name}>
            {/* biome-ignore lint/a11y/noLabelWithoutControl: Field is one */}
            <label class="field">
              {say(`booking.${name}`)}
              <Field
                type={/^check_/.test(name) ? "date" : name === "guests" ? "number" : "text"}
                value={value}
                onInput={({ currentTarget }: { readonly currentTarget: HTMLInputElement }) => {
                  if (!(name in draft.value)) begun.current[name] = now;
                  draft.value = { ...draft.value, [name]: currentTarget.value };
                  isSaved.value = false;
                }}
              >
                {choices &&
                  [...new Set([...choices, value])].map((choice) => <option value={choice}>{valueText(name, choice)}</option>)}
              </Field>
            </label>
            <span role="status" class="problem">
              {name in draft.value && begun.current[name] !== now && text("booking.changedTo", { value: valueText(name, now) })}
            </span>
          </div>
        );
      })}
      <Action run={run} ask={isIn(begun.current) ? "" : text("booking.changedAsk")}>
        {text("booking.save")}
      </Action>
      <p role="status">{isSaved.value && text("booking.saved")}</p>
    </fieldset>
  );
}
