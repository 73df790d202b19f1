/** The page's start: finds the token, loads the texts, and shows the app, or asks for a token. */

import { render } from "preact";
import { App } from "./app.tsx";
import { ROOT, readToken, takeAnswer, wantedLanguages } from "./device.ts";
import { loadMore } from "./later.tsx";
import { followAddress } from "./route.ts";
import { signedIn, start } from "./session.ts";
import { hasProvider, loadSettings, settings } from "./settings.ts";
import { isKnown, loadTexts } from "./texts.ts";
import { SignIn } from "./views/account.tsx";

/** When the other views are loaded, so that they open at once, and offline. */
const MORE_AFTER_MS = 1000;

/** Give the address the final slash that it may lack under a path: what is relative would not be found. */
function fixAddress(): void {
  const { pathname } = new URL("..", import.meta.url);
  if (!location.pathname.endsWith("/")) history.replaceState(null, "", pathname + location.search + location.hash);
}

/** Keep the page's files on this device (worker.ts). The policy lets this one address be a script, and no other. */
function registerWorker(): void {
  const url = `${ROOT}worker.js`;
  const policy = (globalThis as any).trustedTypes?.createPolicy("bokit-worker", { createScriptURL: () => url });
  // a browser without it, or a page that is not encrypted, does without
  navigator.serviceWorker?.register(policy?.createScriptURL("") ?? url, { updateViaCache: "none" }).catch(() => {});
}

function Root() {
  return signedIn.value ? <App /> : <SignIn />;
}

async function main(): Promise<void> {
  fixAddress();
  const answer = takeAnswer();
  let token = readToken();
  const wanted = wantedLanguages();
  const loading = loadSettings();
  if (answer || !token || !isKnown(wanted)) await loading;
  await loadTexts([...wanted, settings.value.locale ?? ""]);
  if (answer && hasProvider())
    token = await loadMore().then(
      ({ finish }) => finish(answer, token),
      () => token,
    );
  if (token) await start(token);
  // another link was pasted into this tab
  addEventListener("hashchange", () => location.hash.includes("token=") && location.reload());
  followAddress();
  render(<Root />, document.querySelector("#page") as HTMLElement);
  registerWorker();
  setTimeout(() => void loadMore().catch(() => {}), MORE_AFTER_MS);
}

void main();
