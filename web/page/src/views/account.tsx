/** Who is signed in: the way in, the account with its language, and what is said while offline. */

import { useSignal } from "@preact/signals";
import { type ApiError, connect } from "bokit-client";
import type { TargetedEvent } from "preact";
import { isKept, keepLanguage, keepToken, ROOT, readGrant, readToken, tokenIn, wantedLanguages } from "../device.ts";
import { later } from "../later.tsx";
import { Action, Facts, Problem, timeOf } from "../parts.tsx";
import { asOf, hasEnded, isRefused, me, offline, signOut, start } from "../session.ts";
import { hasProvider, settings } from "../settings.ts";
import { language, languages, loadTexts, type Name, text } from "../texts.ts";

const [ProviderSignIn, SignInAgain] = [later("ProviderSignIn"), later("SignInAgain")];

/** The way in. */
export function SignIn() {
  return (
    <main class="sign-in card">
      <h1 class="brand">{text("shell.name")}</h1>
      {hasProvider() ? <ProviderSignIn about={[]} /> : <TokenForm />}
      <LanguageChoice />
    </main>
  );
}

/** A form for a token. */
function TokenForm() {
  const error = useSignal<ApiError | undefined>(undefined);
  const isBusy = useSignal(false);
  const signIn = async (event: TargetedEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const token = tokenIn(String(given.get("token")));
    isBusy.value = true;
    const { request, close } = connect({ url: ROOT, token, lists: [] });
    try {
      await request("GET", "/tokens/current");
      keepToken(token, !!given.get("stays"));
      await start(token);
    } catch (failure) {
      error.value = failure as ApiError;
    }
    close();
    isBusy.value = false;
  };
  return (
    <>
      <p>{text("shell.signIn")}</p>
      <form onSubmit={signIn}>
        <label class="field">
          {text("shell.token")}
          <input name="token" type="password" autocomplete="off" required />
        </label>
        <label class="check">
          <input name="stays" type="checkbox" />
          {text("shell.stay")}
        </label>
        <button type="submit" class="primary" aria-busy={isBusy.value}>
          {text("shell.signInNow")}
        </button>
        {[401, 403].includes(error.value?.status ?? 0) ? (
          <p class="problem" role="alert">
            {text("shell.wrongToken")}
          </p>
        ) : (
          <Problem error={error.value} />
        )}
      </form>
    </>
  );
}

function LanguageChoice() {
  const choose = async (tag: string) => {
    await loadTexts([tag, ...wantedLanguages()]);
    keepLanguage(tag);
  };
  return (
    <label class="field">
      {text("shell.language")}
      <select
        value={language.value.split("-")[0]}
        onChange={({ currentTarget }) => void choose(currentTarget.value).catch(() => {})}
      >
        {Object.keys(languages()).map((tag) => (
          <option key={tag} value={tag} lang={tag}>
            {new Intl.DisplayNames(tag, { type: "language" }).of(tag)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** What the reader may do here, in which language, and for how long. */
export function Account() {
  const stays = useSignal(isKept());
  const { role, name, tenant, expires_at } = me.value ?? {};
  const grant = readGrant();
  const ends = expires_at ?? (grant?.refresh ? undefined : grant?.ends);
  return (
    <details class="account">
      <summary>{name || text("shell.account")}</summary>
      <div>
        {role && <p>{text(`shell.${role}` as Name)}</p>}
        {tenant && (
          <Facts
            facts={[
              [text("shell.tenant"), tenant],
              [text("shell.expires"), ends ? timeOf(ends) : text("shell.never")],
            ]}
          />
        )}
        <LanguageChoice />
        <label class="check">
          <input
            type="checkbox"
            checked={stays.value}
            onChange={({ currentTarget: { checked } }) => {
              keepToken(readToken() ?? "", checked);
              stays.value = isKept();
            }}
          />
          {text("shell.stay")}
        </label>
        {settings.value.version && (
          <p class="soft">
            {text("shell.name")} {settings.value.version}
          </p>
        )}
        <Action needs="viewer" run={signOut} ask={text(grant ? "signin.signOutAsk" : "shell.signOutAsk")}>
          {text("shell.signOut")}
        </Action>
      </div>
    </details>
  );
}

/** Says that the page is offline or the token refused, and of when what is shown is. */
export function ConnectionNotice() {
  return (
    <div role="status">
      {(offline.value || hasEnded.value) && (
        <p class="notice" data-tone={isRefused() ? "bad" : "warn"}>
          <strong>{text(!isRefused() ? "shell.offline" : readGrant() ? "signin.ended" : "shell.refused")}</strong>{" "}
          {asOf.value > 0 && text("shell.asOf", { time: timeOf(asOf.value) })}{" "}
          {isRefused() &&
            (readGrant() ? (
              <SignInAgain about={[]} />
            ) : (
              <button type="button" onClick={signOut}>
                {text("shell.signInAgain")}
              </button>
            ))}
        </p>
      )}
    </div>
  );
}
