/** A small back office for tests: one record of `settings` in a form, the team, and the indicator. */

import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { connect, type Item } from "../../src/index.ts";
import { BokitProvider, RealtimeSyncIndicator, useBokit, useRealtimeSync } from "../../src/react.ts";

const COLLECTIONS = ["settings", "team-members"] as const;

function Settings() {
  const { collections } = useBokit();
  const { syncSettings, syncTeamMembers, queueSync, remove, syncing, syncError, lastSyncTime } = useRealtimeSync({
    collections: COLLECTIONS,
  });
  const stored = collections["settings"]?.get("main");
  const [form, setForm] = useState<Item>({});
  useEffect(() => {
    if (stored) setForm(stored);
  }, [stored]);
  const edit = (name: string, value: string) => {
    const changed = { ...form, [name]: value };
    setForm(changed);
    queueSync("settings", "main", changed);
  };
  return (
    <form onSubmit={(event) => event.preventDefault()}>
      {["name", "city"].map((name) => (
        <label key={name}>
          {name} <input name={name} value={form[name] ?? ""} onChange={(event) => edit(name, event.target.value)} />
        </label>
      ))}
      <button type="button" id="save" onClick={() => void syncSettings({ name: "saved at once" })}>
        Save
      </button>
      <button type="button" id="bad" onClick={() => void syncTeamMembers({ id: "ada", age: "old" }).catch(() => {})}>
        Refused
      </button>
      <button type="button" id="remove" onClick={() => void remove("team-members", "ada").catch(() => {})}>
        Remove
      </button>
      <output id="state">{syncing ? "syncing" : "idle"}</output>
      <output id="error">{syncError?.message}</output>
      <output id="time">{lastSyncTime?.toISOString()}</output>
      <output id="team">
        {JSON.stringify([...(collections["team-members"]?.values() ?? [])].map((member) => member["name"]))}
      </output>
    </form>
  );
}

const store = connect({ url: "", token: location.hash.slice(1), lists: ["status"] });
Object.assign(globalThis, { store });
createRoot(document.querySelector("main")!).render(
  <BokitProvider store={store}>
    <Settings />
    <RealtimeSyncIndicator />
  </BokitProvider>,
);
