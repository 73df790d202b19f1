/** Double bookings: the list of them, and one with its sides beside each other. */

import { useSignal } from "@preact/signals";
import type { Conflict } from "bokit-client";
import { Fragment } from "preact";
import type { ViewProps } from "../app.tsx";
import { authorName, bookingLink, Line, Nothing, stayText, useBooking, useItem } from "../bookings.tsx";
import { usePages } from "../pages.ts";
import { Action, Time } from "../parts.tsx";
import { to } from "../route.ts";
import { lists, store } from "../session.ts";
import { text } from "../texts.ts";
import { say } from "../words.ts";
import { sureOf, useConflicts, whereOf } from "./conflict_banner.tsx";

/** How many bookings the list names; the panel names all. */
const MAX_SHOWN = 4;

export function Conflicts() {
  const hasFormer = useSignal(false);
  const now = useConflicts();
  return (
    <>
      {!now.length && <p class="empty">{text(lists.conflicts.value ? "conflict.none" : "shell.loading")}</p>}
      <ConflictList conflicts={now} />
      {hasFormer.value ? (
        <Former />
      ) : (
        <Action needs="viewer" run={() => (hasFormer.value = true)}>
          {text("conflict.showFormer")}
        </Action>
      )}
    </>
  );
}

export function ConflictList({ conflicts }: { readonly conflicts: readonly Conflict[] }) {
  return (
    <ul class="conflicts">
      {conflicts.map((conflict) => (
        <li key={conflict.id} class={`card ${conflict.status}`}>
          <Sure {...conflict} /> <a href={to("conflict", conflict.id)}>{whereOf(conflict)}</a>
          <p>
            {conflict.bookings.slice(0, MAX_SHOWN).map((id, at) => (
              <Fragment key={id}>
                {at > 0 && " × "}
                {bookingLink(id)}
              </Fragment>
            ))}
          </p>
          <State {...conflict} />
        </li>
      ))}
    </ul>
  );
}

function Former() {
  const { items, more } = usePages<Conflict>("/conflicts?all=true&limit=100", lists.conflicts.value);
  return (
    <>
      <h2>{text("conflict.former")}</h2>
      <ConflictList conflicts={items.filter(({ status }) => status === "closed")} />
      {more ? (
        <Action needs="viewer" run={more}>
          {text("booking.more")}
        </Action>
      ) : (
        <Line name="conflict.allFormer" />
      )}
    </>
  );
}

const Sure = (conflict: Conflict) => (
  <span class="badge" data-state={conflict.is_turnover ? "held" : conflict.certainty}>
    {say(sureOf(conflict))}
  </span>
);

/** Since when it is open, who knows of it, or why it is closed. */
const State = ({ status, opened_at, acknowledged_at, acknowledged_by, closed_at, closed_reason }: Conflict) => (
  <Line
    name={`conflict.is_${status}`}
    since={<Time at={opened_at} />}
    at={<Time at={acknowledged_at ?? closed_at} />}
    who={authorName(acknowledged_by ?? "")}
    why={<span lang="en">{closed_reason}</span>}
  />
);

export function ConflictPanel({ about: [id = ""] }: ViewProps) {
  const path = `/conflicts/${encodeURIComponent(id)}`;
  const { item, error, put } = useItem<Conflict>(path, () => lists.conflicts.value?.get(id));
  if (!item) return <Nothing error={error} />;
  const { is_turnover, status, bookings, unit_id, nights } = item;
  return (
    <>
      <h2>{say(sureOf(item))}</h2>
      <a href={to("night", unit_id, nights[0] ?? "")}>{whereOf(item)}</a>
      <Line name={`${sureOf(item)}Means`} />
      <State {...item} />
      <div class="sides">
        {bookings.map((booking, at) => (
          <Side key={booking} id={booking} isFirst={!at} />
        ))}
      </div>
      {status !== "closed" && <Line name={is_turnover ? "conflict.doTight" : "conflict.do"} />}
      {status === "open" && (
        <>
          <Action run={async () => put(await store.request("POST", `${path}/acknowledge`))}>
            {text("conflict.acknowledge")}
          </Action>
          <Line name="conflict.acknowledgeMeans" />
        </>
      )}
    </>
  );
}

function Side({ id, isFirst }: { readonly id: string; readonly isFirst: boolean }) {
  const { item, error } = useBooking(id);
  return (
    <section class="card">
      {item ? (
        <>
          {bookingLink(id, item)}
          <p>{stayText(item.check_in, item.check_out)}</p>
          <Line
            name="booking.since"
            state={say(`booking.${item.presence === "present" ? item.status : item.presence}`)}
            at={<Time at={item.sources.map((source) => source.seen_at).sort()[0]} />}
          />
          {isFirst && <b>{text("conflict.first")}</b>}
        </>
      ) : (
        <Nothing error={error} />
      )}
    </section>
  );
}
