/** A page without React: the indicator as an element, and the changes that it hears of. */

import type { ChangeDetail } from "../../src/index.ts";
import { connect } from "../../src/index.ts";
import "../../src/indicator.ts";

const token = location.hash.slice(1);
const changes: ChangeDetail[] = [];
document.addEventListener("bokit:change", (event) => changes.push((event as CustomEvent<ChangeDetail>).detail));
document.documentElement.lang = new URLSearchParams(location.search).get("lang") ?? "en";
const indicator = document.createElement("bokit-sync-indicator");
indicator.setAttribute("url", location.origin);
indicator.setAttribute("token", token);
document.body.append(indicator);
const store = connect({ url: location.origin, token, lists: [] });
store.watch("collections/settings");
Object.assign(globalThis, { store, changes });
