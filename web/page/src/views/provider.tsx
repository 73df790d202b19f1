/** The way in where an identity provider knows the readers. */

import { useSignal } from "@preact/signals";
import type { TargetedEvent } from "preact";
import { isKept } from "../device.ts";
import { begin, failure, provider, SignInError } from "../provider.ts";
import { text } from "../texts.ts";

/** Says why the last attempt failed. */
function Failure() {
  const { value } = failure;
  return value ? (
    <p class="problem" role="alert">
      {text(value.text, value.values)}
    </p>
  ) : null;
}

/** Leave for the provider; say why where that fails. */
async function leave(stays: boolean): Promise<void> {
  failure.value = undefined;
  try {
    await begin(stays);
  } catch (error) {
    failure.value = error instanceof SignInError ? error : new SignInError("signin.noAnswer", { provider: provider() });
  }
}

export function ProviderSignIn() {
  const isBusy = useSignal(false);
  const signIn = async (event: TargetedEvent<HTMLFormElement>) => {
    event.preventDefault();
    isBusy.value = true;
    await leave(new FormData(event.currentTarget).has("stays"));
    isBusy.value = false;
  };
  return (
    <form onSubmit={signIn}>
      <p>{text("signin.intro", { provider: provider() })}</p>
      <label class="check">
        <input name="stays" type="checkbox" />
        {text("shell.stay")}
      </label>
      <button type="submit" class="primary" aria-busy={isBusy.value}>
        {text("shell.signInNow")}
      </button>
      <Failure />
    </form>
  );
}

/** The way back in, where a sign-in ended; what waits to be saved stays. */
export function SignInAgain() {
  return (
    <>
      <button type="button" onClick={() => void leave(isKept())}>
        {text("signin.again")}
      </button>
      <Failure />
    </>
  );
}
