/** Outgoing calendars: who reads which nights at which address, and where it is pasted. */

import { useSignal } from "@preact/signals";
import type { Calendar, Source } from "bokit-client";
import { Buttons, Copy, Form, find, type Options } from "../forms.tsx";
import { Problem, timeOf } from "../parts.tsx";
import { lists, model, store, useLoaded } from "../session.ts";
import { type Name, text } from "../texts.ts";

/** How long a former address works. */
const OVERLAP_DAYS = 2;
/** Units whose calendars are loaded at once. */
const STEP = 20;

/** Return the platform that a source is of: its owner's word, else its name. */
const platformOf = ({ platform, name }: Source) => platform ?? name.toLowerCase().replace(/\W+/g, "_");

/** Return whether guests book there: a calendar of one's own needs none of ours. */
export const isChannel = (source: Source) => !/google|outlook/.test(platformOf(source));

export function Calendars() {
  const wanted = useSignal("");
  const most = useSignal(STEP);
  const units = model.units.value.filter((unit) => `${unit.property} ${unit.name}`.toLowerCase().includes(wanted.value));
  return (
    <>
      <p>{text("calendar.about")}</p>
      {model.units.value.length > STEP && (
        <label class="field">
          {text("calendar.find")}
          <input type="search" onInput={({ currentTarget }) => (wanted.value = currentTarget.value.toLowerCase())} />
        </label>
      )}
      {units.slice(0, most.value).map(({ id, property, name }) => (
        <section key={id} class="unit-calendars" aria-label={name}>
          <h2>
            {property} · {name}
          </h2>
          <UnitCalendars unit={id} />
        </section>
      ))}
      {units.length > most.value && (
        <button type="button" onClick={() => (most.value += STEP)}>
          {text("calendar.more")}
        </button>
      )}
    </>
  );
}

interface UnitProps {
  readonly unit: string;
  /** Whether the addresses are still to be pasted: where is shown at once. */
  readonly isNew?: boolean;
}

/** A unit's calendars, and a warning for each channel that gets none. */
export function UnitCalendars({ unit, isNew = false }: UnitProps) {
  const path = `/units/${unit}/calendars`;
  const loaded = useLoaded<{ items: Calendar[] }>(`${path}?limit=200`, lists.sources);
  const { data, error } = loaded.value;
  const sources = [...(lists.sources.value?.values() ?? [])].filter(({ unit_id }) => unit_id === unit);
  const consumers: Options = sources.map(({ id, name }) => [id, name]);
  return (
    <>
      <Problem error={error} />
      {sources.map((source) => {
        const { id, name } = source;
        const platform = platformOf(source);
        const needsNone =
          !data ||
          !isChannel(source) ||
          data.items.some((one) => one.variant === "occupied" && [id, platform].includes(one.for ?? ""));
        return (
          needsNone || (
            <div key={id} class="notice" data-tone="bad">
              {text("calendar.missing", { name })}{" "}
              <Buttons file="calendar" of={[["create", "POST", path, { for: id }]]} values={{ name }} done={loaded.reload} />
            </div>
          )
        );
      })}
      {data?.items.map((one) => (
        <Card
          key={one.id}
          calendar={one}
          source={sources.find(({ id }) => id === one.for)}
          isNew={isNew}
          reload={loaded.reload}
        />
      ))}
      <details>
        <summary>{text("calendar.add")}</summary>
        <Form
          file="calendar"
          fields="for: variant:occupied,bookings,arrivals,departures,turnovers"
          options={{ for: [...consumers, ["", text("calendar.anybody")]] }}
          button="add"
          send={(body) => store.request("POST", path, body).then(loaded.reload)}
        />
      </details>
    </>
  );
}

interface CardProps {
  readonly calendar: Calendar;
  /** The source that it is for. */
  readonly source: Source | undefined;
  readonly isNew: boolean;
  readonly reload: () => void;
}

function Card({ calendar, source, isNew, reload }: CardProps) {
  const { id, for: consumer, variant, details, url, last_read_at: read, former_until: until, readers } = calendar;
  const website = calendar.availability_url;
  const platform = source ? platformOf(source) : (consumer ?? "anybody");
  const name = source?.name ?? find(`calendar.${platform}`) ?? platform;
  const path = `/calendars/${id}`;
  return (
    <article class="card">
      <h3>{name}</h3>
      <p>
        {text(`calendar.${variant}` as Name)} {consumer && text("calendar.own", { name })} {details && text("calendar.named")}
      </p>
      {url ? <Copy value={url} label={name} /> : <p>{text("calendar.hidden")}</p>}
      <p>
        {read ? text("calendar.read", { at: timeOf(read) }) : text("calendar.unread")}{" "}
        {until && Date.parse(until) > Date.now() && text("calendar.former", { at: timeOf(until) })}
      </p>
      {readers.map((reader) => (
        <ReaderLine key={reader.kind} reader={reader} />
      ))}
      <details open={isNew && !read}>
        <summary>{text("calendar.where")}</summary>
        <p class="guide">{find(`calendar.paste-${platform}`) ?? text("calendar.paste-other")}</p>
      </details>
      {!consumer && website && (
        <details>
          <summary>{text("calendar.website")}</summary>
          <p>{text("calendar.website-about")}</p>
          <Copy value={website} label={text("calendar.website")} />
        </details>
      )}
      <Buttons
        file="calendar"
        of={[
          ["rotate", "POST", `${path}/rotate`, { overlap_seconds: OVERLAP_DAYS * 86_400 }],
          ["remove", "DELETE", path],
        ]}
        values={{ name, n: OVERLAP_DAYS }}
        done={reload}
      />
    </article>
  );
}

/** One kind of program that reads a calendar, and whether it has stopped. */
function ReaderLine({ reader }: { readonly reader: Calendar["readers"][number] }) {
  const { kind, last_read_at: at, usual_interval_s: usual, unread } = reader;
  const name = find(`calendar.reader-${kind}`) ?? find(`calendar.${kind}`) ?? kind;
  const values = { name, at: timeOf(at), n: Math.max(1, Math.round((usual ?? 0) / 3600)) };
  return (
    <p class={unread ? "notice" : "reader"} data-tone={unread ? "bad" : undefined}>
      {text(unread ? "calendar.missed" : usual ? "calendar.usual" : "calendar.reads", values)}
    </p>
  );
}
