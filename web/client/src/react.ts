/** Bokit in React: `<BokitProvider store>`, `useBokit()`, `useRealtimeSync({ collections })`, `<RealtimeSyncIndicator>`. */

import {
  createContext,
  createElement,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import "./indicator.ts";
import type { ApiError, Item, SaveError, SaveOptions, SaveResult, State, Store } from "./index.ts";
import type { SyncIndicator } from "./indicator.ts";

const Context = createContext<Store | null>(null);

export function BokitProvider({ store, children }: { readonly store: Store; readonly children?: ReactNode }): ReactNode {
  return createElement(Context.Provider, { value: store }, children);
}

function useStore(): Store {
  const store = useContext(Context);
  if (!store) throw new Error("useBokit and useRealtimeSync need a <BokitProvider store={…}> around them");
  return store;
}

/** Return the store's state; the component is drawn again when it changes. */
export function useBokit(): State & { readonly store: Store } {
  const store = useStore();
  const read = () => store.state;
  const state = useSyncExternalStore(store.subscribe, read, read);
  return useMemo(() => ({ ...state, store }), [state, store]);
}

export interface SyncOptions extends SaveOptions {
  /** Which record; `data.id` if left out, else "main". */
  readonly id?: string;
}

type SyncOne = (data: Item, options?: SyncOptions) => Promise<SaveResult>;

export type RealtimeSync<Collection extends string> = {
  /** Merge *data* into a record now; the error is in `syncError`, too. */
  readonly sync: (collection: Collection, data: Item, options?: SyncOptions) => Promise<SaveResult>;
  /** Merge *data* into a record soon, with other saves of it, and even if the page is closed or offline now. */
  readonly queueSync: (collection: Collection, id: string, data: Item, options?: SaveOptions) => void;
  /** Delete a pushed record now, and what waits to be saved of it; the error is in `syncError`, too. */
  readonly remove: (collection: Collection, id: string) => Promise<void>;
  /** Whether a save or removal is on its way, or a save waits. */
  readonly syncing: boolean;
  /** What was refused last; a queued save with its `code`, and `errors` by field. */
  readonly syncError: ApiError | (Error & Partial<SaveError>) | null;
  /** When the last save succeeded. */
  readonly lastSyncTime: Date | null;
} & { readonly [Name in Collection as `sync${PascalCase<Name>}`]: SyncOne };

/** `team-members` → `TeamMembers`. */
type PascalCase<Text extends string> = Text extends `${infer First}-${infer Rest}`
  ? `${Capitalize<First>}${PascalCase<Rest>}`
  : Text extends `${infer First}_${infer Rest}`
    ? `${Capitalize<First>}${PascalCase<Rest>}`
    : Capitalize<Text>;

const pascalCase = (text: string) => text.replace(/(?:^|[-_])(.?)/g, (_, letter: string) => letter.toUpperCase());

/** Keep these collections up to date, and return what saves their records: `syncSettings(data)` for `settings`. */
export function useRealtimeSync<const Collection extends string>({
  collections,
}: {
  readonly collections: readonly Collection[];
}): RealtimeSync<Collection> {
  const { store, saves, lastSaveTime } = useBokit();
  const [sending, setSending] = useState(0);
  const [error, setError] = useState<Error | null>(null);
  const names = collections.join(" ");
  useEffect(
    () =>
      store.watch(
        ...names
          .split(" ")
          .filter(Boolean)
          .map((name) => `collections/${name}`),
      ),
    [store, names],
  );

  const send = useCallback(async <Result>(result: Promise<Result>) => {
    setSending((count) => count + 1);
    try {
      await result;
      setError(null);
      return result;
    } catch (error) {
      setError(error as Error);
      throw error;
    } finally {
      setSending((count) => count - 1);
    }
  }, []);
  const sync = useCallback(
    (collection: string, data: Item, { id = data["id"] ?? "main", ...options }: SyncOptions = {}) =>
      send(store.save(collection, String(id), data, options)),
    [store, send],
  );
  const remove = useCallback((collection: string, id: string) => send(store.remove(collection, id)), [store, send]);
  const ours = saves.filter((save) => (collections as readonly string[]).includes(save.collection));
  const failed = ours.find((save) => save.error)?.error;
  const byName = useMemo(
    () =>
      Object.fromEntries(
        names
          .split(" ")
          .map((name) => [`sync${pascalCase(name)}`, (data: Item, options?: SyncOptions) => sync(name, data, options)]),
      ),
    [names, sync],
  );
  return {
    ...byName,
    sync,
    queueSync: store.queueSave,
    remove,
    syncing: sending > 0 || ours.some((save) => !save.error),
    syncError: error ?? (failed ? Object.assign(new Error(failed.message), failed) : null),
    lastSyncTime: lastSaveTime,
  } as unknown as RealtimeSync<Collection>;
}

export interface IndicatorProps {
  readonly position?: "bottom-right" | "bottom-left" | "top-right" | "top-left" | "inline";
  /** Another store than the provider's. */
  readonly store?: Store;
}

/** The sync indicator, for the store of the nearest provider. */
export function RealtimeSyncIndicator({ position, store }: IndicatorProps): ReactNode {
  const nearest = useContext(Context);
  const element = useRef<SyncIndicator>(null);
  useEffect(() => {
    if (element.current) element.current.store = store ?? nearest ?? undefined;
  }, [store, nearest]);
  return createElement("bokit-sync-indicator", { ref: element, position });
}
