/**
 * The frame around the views; on a phone its parts lie below each other.
 *
 *     ┌───────┬──────────────────────────────────┐
 *     │ name  │ freshness · double bookings      │
 *     │ views ├───────────────────────┬──────────┤
 *     │       │ the view              │ a panel  │ what was opened: a booking, a night, a source …
 *     └───────┴───────────────────────┴──────────┘
 */

import { useSignal } from "@preact/signals";
import "bokit-client/indicator";
import type { SyncIndicator } from "bokit-client/indicator";
import type { ComponentType, HTMLAttributes } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { later } from "./later.tsx";
import { go, HOME, type Route, route, to } from "./route.ts";
import { lists, signedIn } from "./session.ts";
import { type Name, text } from "./texts.ts";
import { Account, ConnectionNotice } from "./views/account.tsx";
import { ChartView } from "./views/chart_view.tsx";
import { ConflictBanner } from "./views/conflict_banner.tsx";
import { Freshness } from "./views/freshness.tsx";
import { Today } from "./views/today.tsx";

export interface ViewProps {
  /** What the address says after the view's name. */
  readonly about: Route;
}

type View = ComponentType<ViewProps>;

const VIEWS: { readonly [name: string]: View } = {
  chart: ChartView,
  today: Today,
  conflicts: later("Conflicts"),
  sources: later("Sources"),
  calendars: later("Calendars"),
  occupancy: later("Occupancy"),
  runs: later("Runs"),
  messages: later("Messages"),
  setup: later("SetUp"),
};

/** Shown beside the last view. */
const PANELS: { readonly [name: string]: View } = {
  booking: later("BookingPanel"),
  night: later("NightPanel"),
  conflict: later("ConflictPanel"),
  source: later("SourcePanel"),
  run: later("RunPanel"),
};

export function App() {
  const indicator = useRef<SyncIndicator>(null);
  useLayoutEffect(() => {
    if (indicator.current) indicator.current.store = signedIn.value;
  }, [signedIn.value]);
  const base = useSignal<Route>([HOME]);
  const [name = "", ...about] = route.value;
  const panel = PANELS[name];
  useEffect(() => {
    if (!panel) base.value = route.value;
  }, [panel, route.value]);
  const [viewName = "", ...viewAbout] = panel ? base.value : route.value;
  const isEmpty = lists.units.value?.size === 0 && lists.sources.value?.size === 0;
  useEffect(() => {
    if (isEmpty && viewName !== "messages") go("setup");
  }, [isEmpty, viewName]);
  const View = VIEWS[viewName];
  const title = text(View ? (`shell.${viewName}` as Name) : "shell.unknown");
  const heading = useRef<HTMLHeadingElement>(null);
  const shown = useRef(viewName);
  useEffect(() => {
    document.title = `${title} – ${text("shell.name")}`;
  }, [title]);
  useEffect(() => {
    if (shown.current !== viewName) heading.current?.focus();
    shown.current = viewName;
  }, [viewName]);
  return (
    <>
      <header>
        <button type="button" class="skip hidden" onClick={() => heading.current?.focus()}>
          {text("shell.skip")}
        </button>
        <p class="brand">{text("shell.name")}</p>
        <Views shown={viewName} />
        <bokit-sync-indicator ref={indicator} position="inline" />
        <Account />
      </header>
      <div class="top">
        <ConnectionNotice />
        <Freshness />
        <ConflictBanner />
      </div>
      <div class="parts">
        <main>
          <h1 tabIndex={-1} ref={heading}>
            {title}
          </h1>
          {View && <View about={viewAbout} />}
        </main>
        {panel && (
          <Panel
            key={route.value.join("/")}
            view={panel}
            about={about}
            label={text(`shell.${name}` as Name)}
            close={() => go(...base.value)}
          />
        )}
      </div>
    </>
  );
}

/** How many things of a view need a person. */
const COUNTS: { readonly [view: string]: () => number } = {
  conflicts: () => count(lists.conflicts.value, ({ status }) => status === "open"),
  sources: () => count(lists.status.value, ({ state }) => state === "held"),
};

const count = <T,>(items: ReadonlyMap<string, T> | undefined, test: (item: T) => boolean): number =>
  [...(items?.values() ?? [])].filter(test).length;

/** How many views a phone's bar has room for; a button shows the others. */
const FIRST_VIEWS = 4;

function Views({ shown }: { readonly shown: string }) {
  const isOpen = useSignal(false);
  const links = Object.keys(VIEWS).map((view) => {
    const waiting = COUNTS[view]?.();
    return (
      <a
        key={view}
        href={to(view)}
        class={`${view}-icon`}
        aria-current={view === shown ? "page" : undefined}
        onClick={() => (isOpen.value = false)}
      >
        {text(`shell.${view}` as Name)}
        {waiting ? <b class="count">{waiting}</b> : null}
      </a>
    );
  });
  const more = (
    <button
      key="more"
      type="button"
      class="more-icon"
      aria-expanded={isOpen.value}
      onClick={() => (isOpen.value = !isOpen.value)}
    >
      {text("shell.more")}
    </button>
  );
  return (
    <nav class={isOpen.value ? "open" : ""} aria-label={text("shell.views")}>
      {links.toSpliced(FIRST_VIEWS, 0, more)}
    </nav>
  );
}

interface PanelProps extends ViewProps {
  readonly view: View;
  readonly label: string;
  readonly close: () => void;
}

/** What was opened, beside the view; Escape closes it, and the focus goes back. */
function Panel({ view: View, about, label, close }: PanelProps) {
  const aside = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    aside.current?.focus();
    return () => before?.isConnected && before.focus();
  }, []);
  // wherever the focus is: a button that was pressed may be gone since
  useLayoutEffect(() => {
    const closeByKey = ({ key }: KeyboardEvent) => key === "Escape" && close();
    addEventListener("keydown", closeByKey);
    return () => removeEventListener("keydown", closeByKey);
  });
  return (
    <aside ref={aside} tabIndex={-1} aria-label={label}>
      <button type="button" class="close" onClick={close}>
        {text("shell.close")}
      </button>
      <View about={about} />
    </aside>
  );
}

declare module "preact" {
  namespace JSX {
    interface IntrinsicElements {
      "bokit-sync-indicator": HTMLAttributes<SyncIndicator> & { position?: string };
    }
  }
}
