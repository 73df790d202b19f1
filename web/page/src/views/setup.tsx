/**
 * Setting up: a house, a unit, a channel's calendar, and our calendars to paste back.
 *
 *     address ─► preview: what is read there ─► source ─► its first sync ─► bookings on the chart
 */

import { useSignal } from "@preact/signals";
import { ApiError, type Preview, type Source } from "bokit-client";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { dateOf, dayOf, formatDays, today } from "../days.ts";
import { Form, find, type Options, type Typed } from "../forms.tsx";
import { to } from "../route.ts";
import { lists, model, store } from "../session.ts";
import { language, type Name, text } from "../texts.ts";
import { isChannel, UnitCalendars } from "./calendars.tsx";

const PLATFORMS = ["airbnb", "booking_com", "vrbo", "beds24", "smoobu", "google", "outlook", "other"];
/** How many entries of a preview are shown. */
const SHOWN = 3;

const nameOf = (platform: string) => find(`calendar.${platform}`) ?? platform;

export function SetUp() {
  const added = useSignal<readonly Source[]>([]);
  const houses: Options = [...(lists.properties.value?.values() ?? [])].map(({ id, name }) => [id, name]);
  const units: Options = model.units.value.map(({ id, name, property }) => [id, `${property} · ${name}`]);
  const next = houses.length ? (units.length ? (lists.sources.value?.size ? 3 : 2) : 1) : 0;
  const pathsOf = (kind: string, options: Options) => options.map(([id, name]) => [`/${kind}/${id}`, name] as const);
  return (
    <>
      <p>{text("setup.about")}</p>
      <datalist id="timezone">
        {Intl.supportedValuesOf("timeZone").map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
      <Step title="property" isNext={!next}>
        <Form
          file="setup"
          fields="name timezone?"
          values={{ timezone: Intl.DateTimeFormat().resolvedOptions().timeZone }}
          button="add"
          send={(typed) => store.request("POST", "/properties", typed)}
        />
      </Step>
      {next > 0 && (
        <Step title="unit" isNext={next === 1}>
          <Form
            file="setup"
            fields="property_id: name"
            options={{ property_id: houses }}
            button="add"
            send={(typed) => store.request("POST", "/units", typed)}
          />
        </Step>
      )}
      {next > 1 && (
        <Step title="source" isNext={next === 2}>
          <AddSource units={units} onAdded={(source) => (added.value = [source, ...added.value])} />
        </Step>
      )}
      {added.value.map((source) => (
        <FirstSync key={source.id} source={source} />
      ))}
      {next > 0 && (
        <Step title="rename">
          <Form
            file="setup"
            fields="place: name? timezone?"
            options={{ place: [...pathsOf("properties", houses), ...pathsOf("units", units)] }}
            send={({ place = "", ...typed }) => store.request("PATCH", place, typed)}
          />
        </Step>
      )}
      {next > 0 && (
        <Step title="times">
          <Times places={[...pathsOf("properties", houses), ...pathsOf("units", units)]} />
        </Step>
      )}
    </>
  );
}

/** When guests come and leave, and how long cleaning takes: of a house, or of a unit that differs from it. */
function Times({ places }: { readonly places: Options }) {
  const place = useSignal(places[0]?.[0] ?? "");
  const [, kind = "", id = ""] = place.value.split("/");
  const known = (kind === "units" ? lists.units : lists.properties).value?.get(id);
  const minutes = known?.cleaning_minutes;
  return (
    <>
      <label class="field">
        {text("setup.place")}
        <select onChange={({ currentTarget }) => (place.value = currentTarget.value)}>
          {places.map(([path, name]) => (
            <option key={path} value={path}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <Form
        key={place.value}
        file="setup"
        fields="check_in_time? check_out_time? cleaning_minutes?"
        values={{
          check_in_time: known?.check_in_time,
          check_out_time: known?.check_out_time,
          cleaning_minutes: minutes == null ? null : `${minutes}`,
        }}
        send={({ check_in_time, check_out_time, cleaning_minutes: typed }) =>
          store.request("PATCH", place.value, {
            check_in_time: check_in_time ?? null,
            check_out_time: check_out_time ?? null,
            // what is not a number goes as it was typed, and is refused
            cleaning_minutes: typed && /^\d+$/.test(typed) ? Number(typed) : (typed ?? null),
          })
        }
      >
        <p class="hint">{text("setup.inherited")}</p>
      </Form>
    </>
  );
}

interface StepProps {
  readonly title: string;
  /** Whether it is what to do now. */
  readonly isNext?: boolean;
  readonly children: ComponentChildren;
}

function Step({ title, isNext, children }: StepProps) {
  const step = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    if (isNext) step.current?.querySelector<HTMLElement>("[name]")?.focus();
  }, [isNext]);
  return (
    <details ref={step} class="card" open={isNext}>
      <summary>{text(`setup.${title}` as Name)}</summary>
      {children}
    </details>
  );
}

interface AddProps {
  readonly units: Options;
  readonly onAdded: (source: Source) => void;
}

/** The address is checked first; what is read there is shown, and the same button adds it. */
function AddSource({ units, onAdded }: AddProps) {
  const platform = useSignal(PLATFORMS[0] as string);
  const preview = useSignal<Preview | undefined>(undefined);
  const send = async ({ platform: _, ...typed }: Typed) => {
    const body = { name: nameOf(platform.value), ...typed };
    if (preview.value) {
      const source = await store.request("POST", "/sources", body);
      preview.value = undefined;
      // what fails here is offered again below: the warning, and the schedule, which reads the source within a minute
      if (isChannel(source))
        await store.request("POST", `/units/${source.unit_id}/calendars`, { for: source.id }).catch(() => {});
      await store.request("POST", "/sync/trigger", { source_ids: [source.id] }).catch(() => {});
      return onAdded(source);
    }
    const found: Preview = await store.request("POST", "/sources?preview=true", body);
    const [first] = found.problems;
    if (found.verdict === "unreadable") throw new ApiError(422, { code: first?.code, detail: first?.message });
    preview.value = found;
    return true;
  };
  return (
    <Form
      file="setup"
      fields="unit_id: platform: url name? ends_on:departure,last-night"
      options={{ unit_id: units, platform: PLATFORMS.map((name) => [name, nameOf(name)]) }}
      guide={["platform", text(`setup.find-${platform.value}` as Name)]}
      button={preview.value ? "addIt" : "check"}
      send={send}
      onInput={(typed) => {
        platform.value = typed["platform"] as string;
        preview.value = undefined;
      }}
    >
      <div role="status">{preview.value && <Found preview={preview.value} />}</div>
    </Form>
  );
}

function Found({ preview: { entries, platform, problems, suggested, total, verdict } }: { readonly preview: Preview }) {
  const format = formatDays(language.value, { dateStyle: "medium" });
  const show = (date: string) => format(dayOf(date));
  const stays = entries.filter(({ kind }) => kind === "reservation");
  const lines = [
    text("setup.bookings", { n: stays.length }),
    text("setup.blocks", { n: entries.length - stays.length }),
    total > entries.length && text("setup.first", { n: entries.length, total }),
    ...entries
      .filter(({ check_out }) => check_out > dateOf(today()))
      .slice(0, SHOWN)
      .map(({ check_in, check_out, kind }) => `${show(check_in)} – ${show(check_out)}: ${text(`chart.${kind}`)}`),
    ...problems.map(({ message }) => message),
    suggested["ends_on"] && text("setup.suggested", { value: text(`setup.${suggested["ends_on"]}` as Name) }),
  ];
  return (
    <>
      <strong>{text(`setup.${verdict}` as Name, { name: nameOf(platform ?? "other") })}</strong>
      <ul>{lines.map((line) => line && <li key={line}>{line}</li>)}</ul>
    </>
  );
}

/** What becomes of a source that was just added, until its bookings are there; then our calendars for its unit. */
function FirstSync({ source: { id, name, unit_id } }: { readonly source: Source }) {
  const card = useRef<HTMLElement>(null);
  useEffect(() => card.current?.focus(), []);
  const { error, last_success_at: isRead } = lists.status.value?.get(id) ?? {};
  const n = [...(lists.bookings.value?.values() ?? [])].filter(({ source_id }) => source_id === id).length;
  return (
    <section ref={card} class="card" tabIndex={-1} aria-label={name}>
      <p role="status">
        {isRead
          ? text("setup.live", { name, n })
          : error
            ? (find(`setup.fix-${error.code}`) ?? error.message)
            : text("setup.reading", { name })}{" "}
        <a href={isRead ? to("chart") : to("source", id)}>{text(isRead ? "shell.chart" : "setup.look")}</a>
      </p>
      <p>{text("setup.why", { name })}</p>
      <UnitCalendars unit={unit_id ?? ""} isNew />
    </section>
  );
}
