/** Fields of a record, each with its label, and what the server said of them. */

import { useId } from "react";
import type { RecordForm } from "./record.ts";

export interface FieldProps {
  readonly form: RecordForm;
  readonly name: string;
  readonly label: string;
  readonly type?: string;
}

export function Field({ form, name, label, type = "text" }: FieldProps) {
  const id = useId();
  return (
    <p>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        name={name}
        type={type}
        value={form.values[name] ?? ""}
        disabled={!form.isLoaded}
        aria-invalid={name in (form.refused?.data ?? {})}
        onChange={(event) => form.edit(name, event.target.value)}
      />
    </p>
  );
}

export function Refused({ form }: { readonly form: RecordForm }) {
  const error = form.refused?.error;
  if (!error) return null;
  const details = error.errors?.map(({ field, message }) => `${field}: ${message}`) ?? [error.message];
  return (
    <p role="alert">
      Not saved: {details.join("; ")}{" "}
      <button type="button" onClick={form.retry}>
        Try again
      </button>{" "}
      <button type="button" onClick={form.discard}>
        Discard
      </button>
    </p>
  );
}
