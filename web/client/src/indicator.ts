/**
 * `<bokit-sync-indicator url="…" token="…">`: a small light at the bottom right, with details on click.
 *
 * `position` is "bottom-right" (if left out), "bottom-left", "top-right", "top-left" or "inline". Instead of an address and a
 * token it may be given a store: `element.store = store`. It needs no style and no script of its own from a Content Security
 * Policy: its styles are a constructed sheet, and its texts are text.
 */

import { connect, type Store } from "./index.ts";

const STYLE = `:host{position:fixed;bottom:1rem;right:1rem;z-index:9999;display:flex;flex-direction:column-reverse;align-items:end;gap:.4em;font:14px system-ui;color-scheme:light dark}
:host([position^=top]){top:1rem;bottom:auto;flex-direction:column}
:host([position$=left]){left:1rem;right:auto;align-items:start}
:host([position=inline]){position:static}
button,div{font:inherit;color:CanvasText;background:Canvas;border:1px solid;border-radius:8px;padding:.4em .8em}
div{max-width:80vw;max-height:60vh;overflow:auto}
i{display:inline-block;padding:.3em;border-radius:1em;margin-inline-end:.5em;background:#b58900}
.live{background:#1a7f37}.offline{background:#cf222e}
p{margin:.2em 0}`;

/**
 * What is said, by language; {} stands for a number or a time: the four connections, syncing, access refused, saves that wait,
 * saves that failed, try again, when a calendar was read, never.
 */
const TEXTS: { readonly [language: string]: string } = {
  en: "Connecting…|Up to date|Up to date (slow)|Offline|Syncing…|Sign in again|{} to save|{} not saved|Try again|read {}|not read yet",
  fr: "Connexion…|À jour|À jour (lent)|Hors ligne|Synchronisation…|Reconnectez-vous|{} à enregistrer|{} non enregistré(s)|Réessayer|lu {}|pas encore lu",
  th: "กำลังเชื่อมต่อ…|เป็นปัจจุบัน|เป็นปัจจุบัน (ช้า)|ออฟไลน์|กำลังซิงค์…|โปรดลงชื่อเข้าใช้อีกครั้ง|รอบันทึก {} รายการ|บันทึกไม่สำเร็จ {} รายการ|ลองอีกครั้ง|อ่านเมื่อ {}|ยังไม่ได้อ่าน",
};
const CONNECTIONS = ["connecting", "live", "polling", "offline"];

/** Return the language that is spoken for a language tag; English where we do not speak it. */
const languageOf = (tag = "") => Object.keys(TEXTS).find((language) => tag.startsWith(language)) ?? "en";

/** The base class, where there is a DOM; on a server the module may be imported all the same. */
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

export class SyncIndicator extends Base {
  static observedAttributes = ["url", "token"];
  #given: Store | undefined;
  #own: Store | undefined;
  #unsubscribe = () => {};
  readonly #light = make("i");
  readonly #line = make("span");
  readonly #button = make("button", this.#light, this.#line);
  readonly #retry = make("button");
  readonly #texts = make("section");
  readonly #details = make("div", this.#texts, this.#retry);

  get store(): Store | undefined {
    return this.#given ?? this.#own;
  }

  /** Show this store instead of one of its own. */
  set store(store: Store | undefined) {
    this.#given = store;
    this.attributeChangedCallback();
  }

  connectedCallback(): void {
    if (!this.shadowRoot) this.#build();
    this.#start();
  }

  disconnectedCallback(): void {
    this.#unsubscribe();
    this.#own?.close();
    this.#own = undefined;
  }

  attributeChangedCallback(): void {
    if (this.isConnected) this.#start();
  }

  #build(): void {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    root.append(this.#button, this.#details);
    this.#line.role = "status";
    this.#details.hidden = true;
    this.#button.onclick = () => {
      this.#details.hidden = !this.#details.hidden;
      this.#draw();
    };
    this.#retry.onclick = () => this.store?.retrySaves();
  }

  #start(): void {
    this.disconnectedCallback();
    const [url, token] = [this.getAttribute("url"), this.getAttribute("token")];
    if (!this.#given && url !== null && token) this.#own = connect({ url, token, lists: ["status"] });
    this.#unsubscribe = this.store?.subscribe(() => this.#draw()) ?? this.#unsubscribe;
    this.#draw();
  }

  #draw(): void {
    const { store } = this;
    if (!store) return;
    const { connection, error, saves, lists, runs } = store.state;
    const language = languageOf(this.closest<HTMLElement>("[lang]")?.lang);
    const texts = TEXTS[language]?.split("|") ?? [];
    const [syncing = "", refused = "", waiting = "", unsaved = "", retry = "", read = "", never = ""] = texts.slice(4);
    const connected = texts[CONNECTIONS.indexOf(connection)] ?? "";
    const failed = saves.filter((save) => save.error);
    const count = (text: string, { length }: { readonly length: number }) => text.replace("{}", String(length));
    this.#light.className = failed[0] ? "offline" : connection;
    this.#button.ariaExpanded = String(!this.#details.hidden);
    this.#retry.hidden = !failed[0];
    this.#retry.textContent = retry;
    // the one line that matters most
    if (failed[0]) this.#line.textContent = count(unsaved, failed);
    else if ([401, 403].includes(error?.status ?? 0)) this.#line.textContent = refused;
    else if (saves.length) this.#line.textContent = `${connected}: ${count(waiting, saves)}`;
    else this.#line.textContent = runs.size && connection === "live" ? syncing : connected;
    if (this.#details.hidden) return;
    const time = new Intl.DateTimeFormat(language, { dateStyle: "short", timeStyle: "short", calendar: "gregory" });
    const lines = failed.map(({ collection, id, error }) => `${collection} ${id}: ${error?.message}`);
    if (error) lines.push(error.message);
    for (const { name, last_success_at: at, error } of lists["status"]?.values() ?? []) {
      const when = at ? read.replace("{}", time.format(new Date(at))) : never;
      lines.push(`${name}: ${error ? `${error.message}, ` : ""}${when}`);
    }
    this.#texts.replaceChildren(...lines.map((line) => make("p", line)));
  }
}

function make(tag: string, ...content: (Node | string)[]): HTMLElement {
  const element = document.createElement(tag);
  element.append(...content);
  return element;
}

if (globalThis.customElements && !customElements.get("bokit-sync-indicator"))
  customElements.define("bokit-sync-indicator", SyncIndicator);
