/** The team: a record for each member; a new one is saved at once, so that a refusal is shown before the form is cleared. */

import type { ApiError } from "bokit-client";
import { useBokit, useRealtimeSync } from "bokit-client/react";
import { useState } from "react";
import { Field, Refused } from "./fields.tsx";
import { useRecord } from "./record.ts";

export function Team() {
  const { collections } = useBokit();
  const members = [...(collections["team"]?.values() ?? [])];
  return (
    <section aria-labelledby="team">
      <h2 id="team">Team</h2>
      {members.map(({ id }) => (
        <Member key={id} id={id} />
      ))}
      <NewMember />
    </section>
  );
}

function Member({ id }: { readonly id: string }) {
  const form = useRecord("team", id);
  const { name } = form.values;
  return (
    <form data-member={id} aria-label={name || "Without a name"} onSubmit={(event) => event.preventDefault()}>
      <Field form={form} name="name" label="Name" />
      <Field form={form} name="email" label="E-mail" type="email" />
      <Field form={form} name="phone" label="Phone" type="tel" />
      <Refused form={form} />
    </form>
  );
}

function NewMember() {
  const { syncTeam, syncing } = useRealtimeSync({ collections: ["team"] });
  const [name, setName] = useState("");
  const [refused, setRefused] = useState("");
  const add = async () => {
    try {
      await syncTeam({ name }, { id: crypto.randomUUID() });
      setName("");
      setRefused("");
    } catch (error) {
      setRefused((error as ApiError).message);
    }
  };
  return (
    <form
      aria-label="Add to the team"
      onSubmit={(event) => {
        event.preventDefault();
        void add();
      }}
    >
      <p>
        <label htmlFor="new-name">New member</label>
        <input id="new-name" value={name} onChange={(event) => setName(event.target.value)} />
      </p>
      <button type="submit" disabled={syncing}>
        Add
      </button>
      {refused && <p role="alert">{refused}</p>}
    </form>
  );
}
