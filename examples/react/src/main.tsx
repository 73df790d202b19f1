/** A back office in two forms: settings and team, each kept up to date and saved by Bokit. */

import { connect } from "bokit-client";
import { BokitProvider, RealtimeSyncIndicator } from "bokit-client/react";
import { createRoot } from "react-dom/client";
import { Settings } from "./settings.tsx";
import { Team } from "./team.tsx";

/** Return the token of a link with `#token=…`; it stays in this tab, and not in its address. */
function readToken(): string {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) {
    sessionStorage.setItem("token", token);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("token") ?? "";
}

const store = connect({ url: "/api", token: readToken(), lists: ["status"] });

createRoot(document.body).render(
  <BokitProvider store={store}>
    <h1>Back office</h1>
    <main>
      <Settings />
      <Team />
    </main>
    <RealtimeSyncIndicator />
  </BokitProvider>,
);
