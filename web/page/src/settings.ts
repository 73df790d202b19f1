/** What the page has to know of its stack before anybody signs in: `/page.json`. Without it, the page works as on a stack that says nothing. */

import { signal } from "@preact/signals";
import type { PageSettings } from "bokit-client";
import { ROOT } from "./device.ts";

/** How long the page waits for it, where it has to. */
const TIMEOUT_MS = 5000;

type Settings = { readonly [name in keyof PageSettings]?: string };

export const settings = signal<Settings>({});

export async function loadSettings(): Promise<void> {
  try {
    const found = await (await fetch(`${ROOT}page.json`, { signal: AbortSignal.timeout(TIMEOUT_MS) })).json();
    settings.value = Object.fromEntries(Object.entries(found).filter(([, value]) => typeof value === "string"));
  } catch {
    // missing, broken, or no connection
  }
}

/** Return whether readers sign in with an identity provider. */
export const hasProvider = (): boolean => !!(settings.value.issuer && settings.value.client_id);
