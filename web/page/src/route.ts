/** Which view is shown, and which panel beside it: `#/chart`, `#/sources`, `#/booking/bkg_1`, `#/night/unit_1/2026-07-10`. */

import { signal } from "@preact/signals";

/** The parts of the address: a view's or panel's name, then what it is about. */
export type Route = readonly string[];

/** A phone shows the day first. */
export const HOME = globalThis.matchMedia?.("(max-width: 700px)").matches ? "today" : "chart";

export const read = (hash: string): Route => {
  const parts = hash.replace(/^#\/?/, "").split("/").map(decode);
  return parts[0] ? parts : [HOME];
};

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const route = signal<Route>([HOME]);

/** Return the address of a view or a panel, for `href`. */
export const to = (...parts: Route): string => `#/${parts.map(encodeURIComponent).join("/")}`;

/** Go there. */
export function go(...parts: Route): void {
  location.hash = to(...parts);
}

/** Follow the address from now on. */
export function followAddress(): void {
  const show = () => (route.value = read(location.hash));
  show();
  addEventListener("hashchange", show);
}
