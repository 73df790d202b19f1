/** Forms that lose nothing of what was typed, buttons that ask the API, and addresses to copy. */

import { useSignal } from "@preact/signals";
import type { ApiError } from "bokit-client";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { Action, reasonOf } from "./parts.tsx";
import { may, me, type Role, store } from "./session.ts";
import { type Name, text, type Values } from "./texts.ts";

/** The files of texts whose names are made here, of fields, buttons and what the API answers. */
type File = "calendar" | "message" | "setup";

/** Who may change something: of webhooks and alerts, and whatever deletes, admins alone. */
const roleOf = (file: File, method?: string): Role => (file === "message" || method === "DELETE" ? "admin" : "operator");

/** Return a text whose name is made of what the API answers; undefined where there is none. */
export function find(name: string, values?: Values): string | undefined {
  const found = text(name as Name, values);
  return found === name ? undefined : found;
}

/** What was typed, by field; what was left empty is left out. */
export type Typed = { readonly [field: string]: string };
export type Options = readonly (readonly [value: string, label: string])[];

interface FormProps {
  readonly file: File;
  /**
   * Its fields: `name` must be filled in, `name?` may be; `done#` is a box to tick; `end:a,b` is a choice, `unit:` one of *options*.
   * The texts of their labels and choices have the same names.
   */
  readonly fields: string;
  readonly options?: { readonly [field: string]: Options };
  /** What the fields hold at first. */
  readonly values?: { readonly [field: string]: string | boolean | null | undefined };
  /** The name of its button's text. */
  readonly button?: string;
  /** Send what was typed. It stays in the form where this throws ApiError, or returns true. */
  readonly send: (typed: Typed, data: FormData) => Promise<unknown>;
  readonly onInput?: (typed: Typed) => void;
  /** What helps to fill it in, and the field below which it stands. */
  readonly guide?: readonly [field: string, text: string];
  readonly children?: ComponentChildren;
}

const read = (data: FormData) => Object.fromEntries([...data].filter(([, value]) => value)) as Typed;

export function Form({ file, fields, options, values = {}, button = "save", send, onInput, guide, children }: FormProps) {
  const isBusy = useSignal(false);
  const said = useSignal("");
  const problem = useSignal("");
  const submit = async (event: Event) => {
    event.preventDefault();
    if (isBusy.value) return;
    const form = event.currentTarget as HTMLFormElement;
    const data = new FormData(form);
    isBusy.value = true;
    said.value = problem.value = "";
    try {
      if ((await send(read(data), data)) !== true) {
        form.reset();
        onInput?.(read(new FormData(form)));
        said.value = text("setup.done");
      }
    } catch (failure) {
      const { code, problem: about } = failure as ApiError;
      const [first] = about["errors"] ?? [];
      problem.value =
        find(`setup.fix-${code}`) ?? find(`setup.fix-${first?.field}`) ?? (first?.message || reasonOf(failure as ApiError));
      (form.elements.namedItem(first?.field) as HTMLElement | null)?.focus();
    }
    isBusy.value = false;
  };
  if (me.value && !may(roleOf(file))) return <p>{text("setup.notYours")}</p>;
  return (
    <form onSubmit={submit} onInput={({ currentTarget }) => onInput?.(read(new FormData(currentTarget)))}>
      {fields.split(" ").map((field) => {
        const [, name = "", kind, choices] = /^(\w+)(.?)(.*)/.exec(field) ?? [];
        const value = values[name] as string;
        return [
          // biome-ignore lint/a11y/noLabelWithoutControl: it holds a select or an input
          <label key={name} class={kind === "#" ? "check" : "field"}>
            <span>
              {text(`${file}.${name}` as Name)} {kind === "?" && text("setup.optional")}
            </span>
            {kind === ":" ? (
              <select name={name}>
                {(options?.[name] ?? choices?.split(",").map((one) => [one, text(`${file}.${one}` as Name)] as const))?.map(
                  ([one, label]) => (
                    <option key={one} value={one} {...{ defaultSelected: one === value }}>
                      {label}
                    </option>
                  ),
                )}
              </select>
            ) : (
              <input
                name={name}
                type={(kind === "#" ? "checkbox" : "text") as "text"}
                required={!kind}
                autocomplete="off"
                list={name}
                defaultValue={kind === "#" ? "1" : value}
                defaultChecked={!!value}
              />
            )}
          </label>,
          guide?.[0] === name && (
            <p key={`${name} guide`} class="guide">
              {guide[1]}
            </p>
          ),
        ];
      })}
      {children}
      <button type="submit" class="primary" aria-busy={isBusy}>
        {text(`setup.${button}` as Name)}
      </button>
      <span role="status">{said}</span>
      <p class={problem.value && "problem"} role="alert">
        {problem}
      </p>
    </form>
  );
}

export type Requests = readonly (readonly [name: string, method: string, path: string, body?: unknown])[];

interface ButtonsProps {
  readonly file: File;
  /** What each asks of the API; `name-ask` is asked before, `name-done` or `name-failed` is said afterwards, where there is such a text. */
  readonly of: Requests;
  readonly values?: Values;
  readonly done?: (answer: any) => unknown;
}

export function Buttons({ file, of, values, done }: ButtonsProps) {
  const said = useSignal<string | undefined>("");
  return (
    <div class="buttons">
      {of.map(([name, method, path, body]) => (
        <Action
          key={name}
          needs={roleOf(file, method)}
          ask={find(`${file}.${name}-ask`, values)}
          run={async () => {
            said.value = "";
            const answer = await store.request(method, path, body);
            said.value = find(`${file}.${name}-${answer?.error ? "failed" : "done"}`, { why: answer?.error ?? "" });
            await done?.(answer);
          }}
        >
          {text(`${file}.${name}` as Name, values)}
        </Action>
      ))}
      <span role="status">{said}</span>
    </div>
  );
}

/** A secret or an address, with a button that copies it; where the browser forbids that, it is selected. */
export function Copy({ value, label }: { readonly value: string; readonly label: string }) {
  const said = useSignal("");
  const input = useRef<HTMLInputElement>(null);
  const copy = async () => {
    input.current?.select();
    try {
      await navigator.clipboard.writeText(value);
      said.value = text("calendar.copied");
    } catch {
      said.value = text("calendar.selected");
    }
  };
  return (
    <p class="copy">
      <input ref={input} readOnly value={value} aria-label={label} />
      <button type="button" onClick={copy}>
        {text("calendar.copy")}
      </button>
      <span role="status">{said}</span>
    </p>
  );
}
