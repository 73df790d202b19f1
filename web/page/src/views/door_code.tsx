/** The door code of a stay: fetched when it is asked for, kept in no list, and gone with the panel. */

import { useSignal } from "@preact/signals";
import { bookingPath, Line } from "../bookings.tsx";
import { Action, Time } from "../parts.tsx";
import { store } from "../session.ts";
import { text } from "../texts.ts";

/** What the API says of it. */
interface Access {
  readonly state: string;
  readonly code: string | null;
  readonly valid_from: string | null;
  readonly valid_until: string | null;
}

export function DoorCode({ id }: { readonly id: string }) {
  const found = useSignal<Access | undefined>(undefined);
  const path = `${bookingPath(id)}/access`;
  const show = async () => void (found.value = await store.request("GET", path));
  const then = (method: string, path: string, body?: object) => async () => {
    await store.request(method, path, body);
    await show();
  };
  const access = found.value;
  if (!access) return <Action run={show}>{text("booking.door")}</Action>;
  const { state, code, valid_from, valid_until } = access;
  return (
    <div role="status">
      <Line
        name={`booking.door_${state}`}
        code={<b>{code}</b>}
        from={<Time at={valid_from} />}
        until={<Time at={valid_until} />}
      />
      {state === "confirm" && (
        <Action run={then("PATCH", bookingPath(id), { confirm: null })}>{text("booking.confirmSame")}</Action>
      )}
      {/ready|confirm|lost/.test(state) && (
        <Action run={then("DELETE", path)} ask={text("booking.doorNewAsk")}>
          {text("booking.doorNew")}
        </Action>
      )}
    </div>
  );
}
