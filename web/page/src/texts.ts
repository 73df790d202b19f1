/**
 * What the page says. The texts of a language are the files of `texts/<language>/`, which the build joins into one that the
 * page loads; names begin with their file's: `chart.today`. A test compares the names and placeholders of all languages.
 */

import { signal } from "@preact/signals";
import type booking from "../texts/en/booking.json";
import type calendar from "../texts/en/calendar.json";
import type chart from "../texts/en/chart.json";
import type conflict from "../texts/en/conflict.json";
import type freshness from "../texts/en/freshness.json";
import type message from "../texts/en/message.json";
import type night from "../texts/en/night.json";
import type occupancy from "../texts/en/occupancy.json";
import type run from "../texts/en/run.json";
import type setup from "../texts/en/setup.json";
import type shell from "../texts/en/shell.json";
import type signin from "../texts/en/signin.json";
import type source from "../texts/en/source.json";
import type today from "../texts/en/today.json";
import { formatDays } from "./days.ts";

interface Files {
  booking: typeof booking;
  calendar: typeof calendar;
  chart: typeof chart;
  conflict: typeof conflict;
  freshness: typeof freshness;
  message: typeof message;
  night: typeof night;
  occupancy: typeof occupancy;
  run: typeof run;
  setup: typeof setup;
  shell: typeof shell;
  signin: typeof signin;
  source: typeof source;
  today: typeof today;
}

/** The name of a text. */
export type Name = { [File in keyof Files]: `${File}.${keyof Files[File] & string}` }[keyof Files];
/** Texts by name. One that depends on `{n}` has a form for each plural category of its language. */
export type Catalog = { readonly [name: string]: string | { readonly [plural: string]: string } };

/** The languages that the build found, and the file of each: `{"en": "texts-en-HASH.json"}`. */
export type TextFiles = { readonly [language: string]: string };

/** The language of the page, as the reader writes it: "en-GB"; dates are Gregorian in each. */
export const language = signal("en");
const catalog = signal<Catalog>({});

const baseOf = (tag: string) => tag.split("-")[0] ?? "";

/** Return the first wanted language that there is, else English: with the region that the reader gave it. */
export function chooseLanguage(wanted: readonly string[], known: readonly string[]): string {
  const found = wanted.map(baseOf).find((base) => known.includes(base)) ?? "en";
  return wanted.find((tag) => tag.startsWith(`${found}-`)) ?? found;
}

/** The languages of the page. */
export const languages = (): TextFiles => JSON.parse(document.documentElement.dataset["texts"] ?? "{}");

/** Return whether one of the wanted languages is there. */
export const isKnown = (wanted: readonly string[]): boolean => wanted.some((tag) => baseOf(tag) in languages());

/** Show the page in the first wanted language that there is. */
export async function loadTexts(wanted: readonly string[]): Promise<void> {
  const files = languages();
  const tag = chooseLanguage(wanted, Object.keys(files));
  const file = fetch(`assets/${files[baseOf(tag)]}`);
  // the first date of a page takes a sixth of its first picture: it is written while the file is on its way
  formatDays(baseOf(tag), {})(0);
  showTexts(tag, await (await file).json());
}

/** Show the page in a language. */
export function showTexts(tag: string, texts: Catalog): void {
  catalog.value = texts;
  language.value = tag;
  document.documentElement.lang = tag;
  document.documentElement.dir = /^(ar|fa|he|ur)/.test(tag) ? "rtl" : "ltr";
}

/** What stands in a text for `{name}`. */
export type Values = { readonly [name: string]: string | number };

/** Return a text with its values in it. A name that is not there is shown as it is. */
export function text(name: Name, values: Values = {}): string {
  let found = catalog.value[name] ?? name;
  if (typeof found !== "string") {
    const form = new Intl.PluralRules(language.value).select(Number(values["n"]));
    found = found[form] ?? found["other"] ?? name;
  }
  return found.replace(/\{(\w+)\}/g, (whole, key: string) => {
    const value = values[key];
    return value === undefined ? whole : typeof value === "number" ? formatNumber(value) : value;
  });
}

const formatNumber = (value: number) => new Intl.NumberFormat(language.value, { numberingSystem: "latn" }).format(value);
