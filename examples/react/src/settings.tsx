/** The settings: one record, `main`, saved while it is typed. */

import { useRealtimeSync } from "bokit-client/react";
import { Field, Refused } from "./fields.tsx";
import { useRecord } from "./record.ts";

export function Settings() {
  const { syncing, lastSyncTime } = useRealtimeSync({ collections: ["settings"] });
  const form = useRecord("settings", "main");
  return (
    <section>
      <h2 id="settings">Settings</h2>
      <form aria-labelledby="settings" onSubmit={(event) => event.preventDefault()}>
        <Field form={form} name="name" label="Name of the business" />
        <Field form={form} name="city" label="City" />
        <Field form={form} name="email" label="E-mail" type="email" />
        <Refused form={form} />
        <p className="state">{syncing ? "Saving…" : lastSyncTime && `Saved at ${lastSyncTime.toLocaleTimeString()}`}</p>
      </form>
    </section>
  );
}
