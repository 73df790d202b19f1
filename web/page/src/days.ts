/** Days as numbers since 1970, so that they are compared, added and drawn without a time zone. */

const DAY_MS = 86_400_000;

/** Return the day of a date as `2026-07-10` writes it. */
export const dayOf = (date: string): number => Date.parse(`${date}T00:00:00Z`) / DAY_MS;
export const dateOf = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10);

/** Return today's day in the time zone of the reader. */
export const today = (now = new Date()): number => Math.floor((+now - now.getTimezoneOffset() * 60_000) / DAY_MS);

/** 0 is Sunday. */
export const weekdayOf = (day: number): number => (((day + 4) % 7) + 7) % 7;
export const isWeekend = (day: number): boolean => weekdayOf(day) % 6 === 0;

/** Return what writes days in a language, by the Gregorian calendar. */
export function formatDays(language: string, options: Intl.DateTimeFormatOptions): (day: number) => string {
  const key = language + JSON.stringify(options);
  let format = formats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat(language, { ...options, timeZone: "UTC", calendar: "gregory" });
    formats.set(key, format);
  }
  const { format: write } = format;
  return (day) => write(day * DAY_MS);
}

/** Making one takes as long as writing a thousand days. */
const formats = new Map<string, Intl.DateTimeFormat>();
