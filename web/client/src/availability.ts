/**
 * `<bokit-availability url="…/feeds/TOKEN.json">`: a unit's free and taken nights, for one's own website. It imports nothing.
 *
 * `months` is how many months are shown at once (1), `min` the first day that counts (today), `max-age` the hours after which what
 * is known is too old (24), `lang` the language, else the document's. `texts` replaces the words, in the order of `TEXTS`.
 * What cannot be read, or is old, is never shown as free. Its styles are a constructed sheet: a Content Security Policy needs
 * `script-src` for this file and `connect-src` for the address, and nothing else.
 */

const STYLE = `:host{display:inline-block;font:1rem system-ui;color-scheme:light dark;--free:#1a7f3733;--taken:#cf222e66}
header,main{display:flex;flex-wrap:wrap;gap:1em;justify-content:space-between}
main{justify-content:start}
table{border-spacing:2px}
caption{padding:.4em;font-weight:600}
th{font-weight:400;font-size:.8em}
td{width:2.4em;height:2.4em;text-align:center;border-radius:4px}
span{padding:.1em .6em;border-radius:4px}
td:focus-visible{outline:3px solid}
.free{background:var(--free)}
.taken{background:var(--taken);text-decoration:line-through}
.out{background:linear-gradient(to bottom right,var(--taken) 50%,var(--free) 50%)}
.in{background:linear-gradient(to bottom right,var(--free) 50%,var(--taken) 50%)}
[dir=rtl] .out{background:linear-gradient(to bottom left,var(--taken) 50%,var(--free) 50%)}
[dir=rtl] .in{background:linear-gradient(to bottom left,var(--free) 50%,var(--taken) 50%)}
.past{opacity:.5}
.unknown{border:1px dashed;box-sizing:border-box}
button{font:inherit;min-width:2.5em;min-height:2.5em}
p{margin:.4em 0;max-width:20em}
@media(forced-colors:active){td{border:1px solid}.taken,.in,.out{border-style:double}}`;

/**
 * By language: a free night, a taken one, a day on which one may arrive only, one on which one may leave only, not known, that
 * nothing is known, the month before, the next one.
 */
const TEXTS: { readonly [language: string]: string } = {
  en: "free|taken|free to arrive|free to leave|not known|Which nights are free is not known now.|Earlier|Later",
  de: "frei|belegt|Anreise möglich|Abreise möglich|nicht bekannt|Welche Nächte frei sind, ist gerade nicht bekannt.|Früher|Später",
  es: "libre|ocupada|llegada posible|salida posible|desconocido|Ahora no se sabe qué noches están libres.|Antes|Después",
  fr: "libre|occupée|arrivée possible|départ possible|inconnu|On ne sait pas en ce moment quelles nuits sont libres.|Avant|Après",
  it: "libera|occupata|arrivo possibile|partenza possibile|non noto|Al momento non si sa quali notti sono libere.|Prima|Dopo",
  nl: "vrij|bezet|aankomst mogelijk|vertrek mogelijk|onbekend|Welke nachten vrij zijn is nu niet bekend.|Eerder|Later",
  pt: "livre|ocupada|chegada possível|saída possível|desconhecido|De momento não se sabe que noites estão livres.|Antes|Depois",
  th: "ว่าง|ไม่ว่าง|เข้าพักได้|ออกได้|ไม่ทราบ|ขณะนี้ไม่ทราบว่าคืนใดว่าง|ก่อนหน้า|ถัดไป",
};
/** What a day may be: the classes of its cell, in the order of the first texts. */
const STATES = ["free", "taken", "out", "in", "unknown"];

const DAY = 86_400_000;
const HOUR = 3_600_000;
/** Between two reads while the page is looked at. */
const REFRESH = HOUR / 6;
/** Months from `min` on that can be looked at. */
const MAX_MONTHS = 24;

/** The base class, where there is a DOM; on a server the module may be imported all the same. */
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/** Return a date as the number of days since 1970; NaN for what is none. */
const read = (text: unknown) => (/^\d{4}-\d\d-\d\d$/.test(`${text}`) ? Date.parse(`${text}`) / DAY : Number.NaN);
/** Return the first day of a month, so many months after that of *day*. */
const monthOf = (day: number, more = 0) => {
  const date = new Date(day * DAY);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + more) / DAY;
};

function make<T extends keyof HTMLElementTagNameMap>(tag: T, text = "", ...children: Node[]): HTMLElementTagNameMap[T] {
  const made = document.createElement(tag);
  made.append(...(text ? [text] : []), ...children);
  return made;
}

type Week = { readonly firstDay: number };
type Locale = Intl.Locale & {
  getWeekInfo?(): Week;
  weekInfo?: Week;
  getTextInfo?(): { direction: string };
};

export class Availability extends Base {
  static observedAttributes = ["url", "months", "min", "max-age", "lang", "texts"];
  /** Taken ranges, as days; none: nothing was read yet. */
  #taken: (readonly [from: number, to: number])[] | undefined;
  /** As of when they are known, by this computer's clock; 0: the last read failed. */
  #known = 0;
  #readAt = 0;
  /** The first month that is shown, and the day that has the focus. */
  #month = 0;
  #day = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  readonly #look = () => document.hidden || Date.now() - this.#readAt < 60_000 || this.refresh();

  connectedCallback(): void {
    if (!this.shadowRoot) {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
    }
    this.#day = this.#min;
    document.addEventListener("visibilitychange", this.#look);
    this.#timer = setInterval(() => {
      if (!document.hidden) this.refresh();
    }, REFRESH);
    this.refresh();
  }

  disconnectedCallback(): void {
    document.removeEventListener("visibilitychange", this.#look);
    clearInterval(this.#timer);
  }

  attributeChangedCallback(name: string): void {
    if (!this.isConnected || !this.shadowRoot) return;
    if (name === "url") this.#taken = undefined;
    if (name === "url") this.refresh();
    else this.#draw();
  }

  /** Read the address again. Until it was read well, no night is shown as free. */
  async refresh(): Promise<void> {
    this.#readAt = Date.now();
    const url = this.getAttribute("url") ?? "";
    let known = 0;
    let taken = this.#taken;
    try {
      const answer = await fetch(url, { cache: "no-cache", credentials: "omit", signal: AbortSignal.timeout(20_000) });
      const given = await answer.json();
      taken = given.taken.map(({ from, to }: { from: unknown; to: unknown }) => [read(from), read(to)] as const);
      if (!answer.ok || taken?.some(([from, to]) => !(from < to))) throw new TypeError("not taken nights");
      // how old it is by the server's clock: the visitor's may be wrong
      const age = (Date.parse(answer.headers.get("date") ?? "") || Date.now()) - Date.parse(given.as_of);
      known = Date.now() - age || 0;
    } catch {
      taken = this.#taken;
    }
    if (url !== this.getAttribute("url")) return;
    [this.#taken, this.#known] = [taken, known];
    this.#draw();
  }

  /** Whether free nights are known: they were read well, and lately. */
  get #isKnown(): boolean {
    return this.#known > 0 && Date.now() - this.#known < (Number(this.getAttribute("max-age")) || 24) * HOUR;
  }

  get #min(): number {
    const now = new Date();
    return read(this.getAttribute("min")) || Date.UTC(now.getFullYear(), now.getMonth(), now.getDate()) / DAY;
  }

  /** Return what a day is: neither its night nor that before is free unless that is known. */
  #stateOf(day: number): string {
    const isTaken = (night: number) => this.#taken?.some(([from, to]) => from <= night && night < to);
    const [before, night] = [isTaken(day - 1), isTaken(day)];
    if (before && night) return "taken";
    if (!this.#isKnown) return night ? "taken" : "unknown";
    // the nights before the first day do not count: one may arrive on it
    return night ? (day > this.#min ? "in" : "taken") : before ? "out" : "free";
  }

  get #locale(): Locale {
    const tags = [this.lang, this.closest<HTMLElement>("[lang]")?.lang, navigator.language, "en"];
    for (const tag of tags) {
      try {
        if (tag) return new Intl.Locale(tag);
      } catch {} // not a language tag
    }
    return new Intl.Locale("en");
  }

  #draw(hasFocus = false): void {
    const [locale, min, root] = [this.#locale, this.#min, this.shadowRoot];
    if (!root) return;
    const last = monthOf(min, MAX_MONTHS) - 1;
    const count = Math.min(12, Math.max(1, Math.trunc(Number(this.getAttribute("months"))) || 1));
    this.#day = Math.min(last, Math.max(min, this.#day));
    this.#month ||= monthOf(this.#day);
    if (this.#day < this.#month) this.#month = monthOf(this.#day);
    if (this.#day >= monthOf(this.#month, count)) this.#month = monthOf(this.#day, 1 - count);
    this.#month = Math.max(monthOf(min), this.#month);
    const words = (this.getAttribute("texts") ?? TEXTS[locale.language] ?? TEXTS["en"] ?? "").split("|");
    const turn = (text: string, by: number) => {
      const button = make("button", text);
      button.disabled = by < 0 ? this.#month <= monthOf(min) : monthOf(this.#month, count) > last;
      button.onclick = () => {
        this.#month = monthOf(this.#month, by * count);
        this.#day = Math.max(min, this.#month);
        this.#draw();
        [...root.querySelectorAll("button")][by < 0 ? 0 : 1]?.focus();
      };
      return button;
    };
    const status = make("p", this.#readAt && !this.#isKnown ? words[5] : "");
    status.role = "status";
    const legend = make("p");
    for (const at of this.#isKnown ? [0, 1] : []) {
      const sample = make("span", words[at]);
      sample.className = STATES[at] ?? "";
      legend.append(sample, " ");
    }
    const grids = make("main");
    for (let n = 0; n < count; n++) grids.append(this.#makeMonth(monthOf(this.#month, n), locale, words));
    grids.onkeydown = (event) => this.#move(event);
    const all = make("section", "", make("header", "", turn(words[6] ?? "", -1), turn(words[7] ?? "", 1)), grids, legend, status);
    all.lang = locale.toString();
    all.dir = locale.getTextInfo?.().direction ?? (/^(ar|fa|he|ur|ps|yi)/.test(locale.language) ? "rtl" : "ltr");
    root.replaceChildren(all);
    if (hasFocus) root.querySelector<HTMLElement>("[tabindex='0']")?.focus();
  }

  #makeMonth(month: number, locale: Locale, words: readonly string[]): HTMLElement {
    const format = (options: Intl.DateTimeFormatOptions) => {
      const made = new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" });
      return (day: number) => made.format(day * DAY);
    };
    const [short, long, number] = [format({ weekday: "short" }), format({ dateStyle: "full" }), format({ day: "numeric" })];
    const first = month - ((new Date(month * DAY).getUTCDay() + 7 - this.#firstWeekday(locale)) % 7);
    const head = make("tr");
    for (let day = first; day < first + 7; day++) head.append(make("th", short(day)));
    const body = make("tbody");
    for (let week = first; week < monthOf(month, 1); week += 7) {
      const row = body.appendChild(make("tr"));
      for (let day = week; day < week + 7; day++) {
        const cell = row.appendChild(make("td"));
        if (day < month || day >= monthOf(month, 1)) continue;
        const state = day < this.#min ? "past" : this.#stateOf(day);
        cell.textContent = number(day);
        cell.className = state;
        cell.tabIndex = day === this.#day ? 0 : -1;
        cell.dataset["day"] = new Date(day * DAY).toISOString().slice(0, 10);
        cell.ariaLabel = [long(day), words[STATES.indexOf(state)]].filter(Boolean).join(": ");
        cell.onclick = () => {
          this.#day = day;
          this.#draw(true);
        };
      }
    }
    const table = make(
      "table",
      "",
      make("caption", format({ month: "long", year: "numeric" })(month)),
      make("thead", "", head),
      body,
    );
    table.role = "grid";
    return table;
  }

  #firstWeekday(locale: Locale): number {
    return (locale.getWeekInfo?.() ?? locale.weekInfo)?.firstDay ?? 1;
  }

  #move(event: KeyboardEvent): void {
    const locale = this.#locale;
    const day = this.#day;
    const ahead = this.shadowRoot?.querySelector("section")?.dir === "rtl" ? -1 : 1;
    const weekday = (new Date(day * DAY).getUTCDay() + 7 - this.#firstWeekday(locale)) % 7;
    const months = (by: number) => {
      const start = monthOf(day, event.shiftKey ? 12 * by : by);
      return Math.min(start + (day - monthOf(day)), monthOf(start, 1) - 1);
    };
    const goal = {
      ArrowLeft: day - ahead,
      ArrowRight: day + ahead,
      ArrowUp: day - 7,
      ArrowDown: day + 7,
      Home: day - weekday,
      End: day - weekday + 6,
      PageUp: months(-1),
      PageDown: months(1),
    }[event.key];
    if (goal === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.#day = goal;
    this.#draw(true);
  }
}

globalThis.customElements?.get("bokit-availability") ?? globalThis.customElements?.define("bokit-availability", Availability);
