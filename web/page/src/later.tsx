/** Views whose script is loaded after the chart is drawn: what a first look needs comes first. */

import { useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import type { ViewProps } from "./app.tsx";
import { text } from "./texts.ts";

type More = typeof import("./views/more.ts");
type Name = { [N in keyof More]: More[N] extends ComponentType<ViewProps> ? N : never }[keyof More];

let loading: Promise<More> | undefined;
let more: More | undefined;

/** Load the other views; once, and again after a failure. */
export function loadMore(): Promise<More> {
  loading ??= import("./views/more.ts").then(
    (loaded) => (more = loaded),
    (error) => {
      loading = undefined;
      throw error;
    },
  );
  return loading;
}

/** Return a view of `more.ts`. Where its file is gone, since a newer page was deployed, the page has to be loaded again. */
export function later(name: Name): ComponentType<ViewProps> {
  return (props) => {
    const state = useSignal(more ? "here" : "coming");
    useEffect(() => {
      if (state.value === "coming")
        loadMore().then(
          () => (state.value = "here"),
          () => (state.value = "gone"),
        );
    });
    const View = state.value === "here" && more?.[name];
    if (View) return <View {...props} />;
    if (state.value === "coming") return <p>{text("shell.loading")}</p>;
    return (
      <button type="button" onClick={() => location.reload()}>
        {text("shell.retry")}
      </button>
    );
  };
}
