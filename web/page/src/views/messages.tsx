/** Who hears of what happens: people by alert channels, programs by webhooks. */

import { useSignal } from "@preact/signals";
import type { AlertChannel, Delivery, Status, Webhook } from "bokit-client";
import { Buttons, Copy, Form, type Requests } from "../forms.tsx";
import { Problem, reasonOf, timeOf } from "../parts.tsx";
import { lists, may, store, useLoaded } from "../session.ts";
import { type Name, text } from "../texts.ts";

/** The fields of each kind of channel. */
const KINDS: { readonly [kind: string]: string } = {
  ntfy: "topic url? token?",
  telegram: "token chat_id",
  email: "address",
  slack: "url",
  discord: "url",
  gotify: "url token",
  home_assistant: "url token service?",
  webhook: "url token?",
};
/** The fields of every channel: what it sends, and when. */
const WHEN = " name? severity:warning,critical,info quiet_hours? digest#";

export function Messages() {
  return (
    <>
      <Alerts />
      {may("admin") && <Webhooks />}
    </>
  );
}

// ── alerts ──

function Alerts() {
  const kind = useSignal("ntfy");
  const loaded = useLoaded<Status>("/sync/status?limit=1", lists.status);
  const { data, error } = loaded.value;
  const { channels, topic } = data?.alerts ?? {};
  return (
    <>
      <h2>{text("message.alerts")}</h2>
      <Problem error={error} />
      {topic && <p>{text("message.stack")}</p>}
      {data && !topic && !channels?.some(({ enabled }) => enabled) && (
        <p class="notice" data-tone="bad">
          {text("message.nobody")}
        </p>
      )}
      {channels?.map((channel) => (
        <Channel key={channel.id} channel={channel} reload={loaded.reload} />
      ))}
      <details class="card">
        <summary>{text("message.addAlert")}</summary>
        <Form
          file="message"
          fields={`kind:${Object.keys(KINDS)} ${KINDS[kind.value]}${WHEN}`}
          button="add"
          send={({ digest, ...typed }) => store.request("POST", "/alerts", { ...typed, digest: !!digest }).then(loaded.reload)}
          guide={["kind", text(`message.${kind.value}-how` as Name)]}
          onInput={(typed) => (kind.value = typed["kind"] as string)}
        />
      </details>
    </>
  );
}

function Channel({ channel, reload }: { readonly channel: AlertChannel; readonly reload: () => void }) {
  const { id, kind, name, severity, quiet_hours, digest, enabled, host, settings, pending, given_up } = channel;
  const { failing_since: since, delivered_at: at, error: why } = channel;
  const path = `/alerts/${id}`;
  return (
    <article class="card">
      <h3>{name}</h3>
      <p>
        {[
          text(`message.${kind}`),
          host,
          ...Object.values(settings),
          text(`message.${severity}`),
          quiet_hours,
          digest && text("message.digest"),
        ]
          .filter(Boolean)
          .join(" · ")}
      </p>
      {!enabled && (
        <p class="notice" data-tone="warn">
          {text("message.isOff")}
        </p>
      )}
      {since && <p class="problem">{text("message.failing", { why: why ?? "", at: timeOf(since) })}</p>}
      <p>
        {pending > 0 && text("message.pending", { n: pending })} {given_up > 0 && text("message.lost", { n: given_up })}{" "}
        {at ? text("message.last", { at: timeOf(at) }) : text("message.never")}
      </p>
      <details>
        <summary>{text("message.change")}</summary>
        <Form
          file="message"
          fields={WHEN.trim()}
          values={{ name, severity, quiet_hours, digest }}
          send={({ digest: ticked, ...typed }) =>
            store.request("PATCH", path, { quiet_hours: null, ...typed, digest: !!ticked }).then(reload)
          }
        />
      </details>
      <Switch path={path} name={name} enabled={enabled} done={reload} />
    </article>
  );
}

interface SwitchProps {
  readonly path: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly more?: Requests;
  readonly done: (answer: any) => unknown;
}

function Switch({ path, name, enabled, more = [], done }: SwitchProps) {
  return (
    <Buttons
      file="message"
      of={[
        ["test", "POST", `${path}/test`],
        [enabled ? "off" : "on", "PATCH", path, { enabled: !enabled }],
        ...more,
        ["remove", "DELETE", path],
      ]}
      values={{ name }}
      done={done}
    />
  );
}

// ── webhooks ──

function Webhooks() {
  const loaded = useLoaded<{ items: Webhook[] }>("/webhooks?limit=200");
  /** Secrets that were just made, by webhook: the API shows each once. */
  const secrets = useSignal<{ readonly [id: string]: string }>({});
  const done = (answer: Partial<Webhook> | undefined) => {
    if (answer?.secret) secrets.value = { ...secrets.value, [answer.id as string]: answer.secret };
    return loaded.reload();
  };
  return (
    <>
      <h2>{text("message.webhooks")}</h2>
      <p>{text("message.about")}</p>
      <Problem error={loaded.value.error} />
      {loaded.value.data?.items.map((webhook) => (
        <Hook key={webhook.id} webhook={webhook} secret={secrets.value[webhook.id]} done={done} />
      ))}
      <details class="card">
        <summary>{text("message.addWebhook")}</summary>
        <Form
          file="message"
          fields="url details#"
          button="add"
          send={({ url, details }, data) =>
            store.request("POST", "/webhooks", { url, details: !!details, types: data.getAll("types") }).then(done)
          }
        >
          <fieldset>
            <legend>{text("message.types")}</legend>
            {text("message.typeList")
              .split(" ")
              .map((type) => (
                <label key={type} class="check">
                  {type} <input type="checkbox" name="types" value={type} />
                </label>
              ))}
          </fieldset>
        </Form>
      </details>
    </>
  );
}

interface HookProps {
  readonly webhook: Webhook;
  readonly secret: string | undefined;
  readonly done: (answer: any) => unknown;
}

function Hook({ webhook, secret, done }: HookProps) {
  const { id, url, types, details, enabled, disabled_reason } = webhook;
  const path = `/webhooks/${id}`;
  const isOpen = useSignal(false);
  return (
    <article class="card">
      <h3>{url}</h3>
      <p>
        {types.join(", ") || text("message.all")} {details && text("message.details")}
      </p>
      {!enabled && (
        <p class="notice" data-tone="warn">
          {text(disabled_reason ? `message.off-${disabled_reason}` : "message.isOff")}
        </p>
      )}
      {secret && (
        <div class="notice" data-tone="warn">
          {text("message.once")}
          <Copy value={secret} label={text("message.secret")} />
        </div>
      )}
      <Switch path={path} name={url} enabled={enabled} more={[["rotate", "POST", `${path}/rotate`]]} done={done} />
      <details onToggle={({ currentTarget }) => (isOpen.value = currentTarget.open)}>
        <summary>{text("message.deliveries")}</summary>
        {isOpen.value && <Deliveries path={`${path}/deliveries`} />}
      </details>
    </article>
  );
}

function Deliveries({ path }: { readonly path: string }) {
  const loaded = useLoaded<{ items: Delivery[] }>(path);
  const { data, error } = loaded.value;
  return (
    <ul>
      {(error || !data?.items.length) && <li>{error ? reasonOf(error) : data && text("message.never")}</li>}
      {data?.items.map(({ event_id, type, state, attempts, status, error: why, last_attempt_at: at, next_attempt_at: next }) => (
        <li key={event_id}>
          {[
            type,
            text(`message.${state}`),
            status ?? why,
            text("message.attempts", { n: attempts }),
            at && timeOf(at),
            next && text("message.next", { at: timeOf(next) }),
          ]
            .filter(Boolean)
            .join(" · ")}{" "}
          <Buttons file="message" of={[["again", "POST", `${path}/${event_id}/redeliver`]]} done={loaded.reload} />
        </li>
      ))}
    </ul>
  );
}
