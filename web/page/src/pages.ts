/** Lists that come in pages. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { store } from "./session.ts";

export interface Pages<T> {
  readonly items: readonly T[];
  /** Load the next page; undefined: that is all. */
  readonly more: (() => Promise<void>) | undefined;
}

/** Load the first page of `GET path`, and the next one when asked; from the start when *changes* is another value. */
export function usePages<T>(path: string, changes?: unknown): Pages<T> {
  const pages = useSignal<{ readonly items: readonly T[]; readonly cursor?: string }>({ items: [] });
  const load = async (items: readonly T[], cursor = "") => {
    const page = await store.request("GET", path + (cursor && `&cursor=${encodeURIComponent(cursor)}`));
    pages.value = { items: [...items, ...page.items], cursor: page.cursor };
  };
  const { items, cursor } = pages.value;
  // a failure shows where the next page is asked for
  useEffect(() => void load([]).catch(() => (pages.value = { items: [], cursor: " " })), [path, changes]);
  return { items, more: cursor ? () => load(items, cursor.trim()) : undefined };
}
