/** Small elements that views share. */

import { useSignal } from "@preact/signals";
import type { ApiError } from "bokit-client";
import type { ComponentChildren } from "preact";
import { may, offline, type Role } from "./session.ts";
import { language, text } from "./texts.ts";

/** Return what went wrong, as the API says it. */
export const reasonOf = (error: ApiError): string => (error.status ? error.message : text("shell.network"));

export function Problem({ error }: { readonly error: ApiError | undefined }) {
  return error ? (
    <p class="problem" role="alert">
      {text("shell.failed", { why: reasonOf(error) })}
    </p>
  ) : null;
}

export interface ActionProps {
  /** What the button does; a failure is shown beside it. */
  readonly run: () => unknown;
  /** Ask before: what is about to happen. */
  readonly ask?: string | undefined;
  readonly disabled?: boolean;
  /** Who may press it; others do not see it. "operator" if left out: nearly all buttons change something. */
  readonly needs?: Role | undefined;
  readonly children: ComponentChildren;
}

/** A button that does something, shows whether it failed, and asks before where that is wanted. */
export function Action({ run, ask, disabled = false, needs = "operator", children }: ActionProps) {
  const isBusy = useSignal(false);
  const isAsked = useSignal(false);
  const error = useSignal<ApiError | undefined>(undefined);
  const act = async () => {
    isBusy.value = true;
    isAsked.value = false;
    error.value = undefined;
    try {
      await run();
    } catch (failure) {
      error.value = failure as ApiError;
    }
    isBusy.value = false;
  };
  if (!may(needs)) return null;
  return (
    <>
      {isAsked.value ? (
        <span class="ask">
          {ask}{" "}
          <button type="button" onClick={act} ref={(button) => button?.focus()}>
            {children}
          </button>{" "}
          <button type="button" onClick={() => (isAsked.value = false)}>
            {text("shell.cancel")}
          </button>
        </span>
      ) : (
        <button
          type="button"
          disabled={disabled || isBusy.value || (needs !== "viewer" && !!offline.value)}
          aria-busy={isBusy.value}
          onClick={() => (ask ? (isAsked.value = true) : act())}
        >
          {children}
        </button>
      )}
      <Problem error={error.value} />
    </>
  );
}

const DATE_TIME = { dateStyle: "medium", timeStyle: "short", calendar: "gregory" } as const;

/** Return a moment as text, in the reader's time zone. */
export const timeOf = (at: string | number): string => new Intl.DateTimeFormat(language.value, DATE_TIME).format(new Date(at));

/** A moment, in the reader's time zone. */
export function Time({ at }: { readonly at: string | null | undefined }) {
  if (!at) return <>–</>;
  return <time dateTime={at}>{timeOf(at)}</time>;
}

/** Names and values below each other. */
export function Facts({ facts }: { readonly facts: readonly (readonly [name: string, value: ComponentChildren])[] }) {
  return (
    <dl>
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value ?? "–"}</dd>
        </div>
      ))}
    </dl>
  );
}
