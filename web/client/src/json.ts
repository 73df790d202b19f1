/** JSON in which integers beyond 2^53 stay exact: they are read as bigint, and bigint is written as a number. */

/** Marks an integer while it passes through JSON.parse as a string. Another one in each page, so that no text has it. */
const MARK = `#${Math.random()}:`;
const MARKED = new RegExp(`"${MARK}(-?\\d+)"`, "g");
/** Strings, and numbers with what makes them no integers. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+([.eE][\d.eE+-]*)?/g;

export function parseJson(text: string): any {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  const marked = text.replace(TOKENS, (token, fraction) =>
    token[0] === '"' || fraction || Number.isSafeInteger(+token) ? token : `"${MARK}${token}"`,
  );
  return JSON.parse(marked, (_, value) =>
    typeof value === "string" && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value,
  );
}

export const isSame = (one: unknown, other: unknown) => writeJson(one) === writeJson(other);

/** Return *value* as JSON; undefined for undefined. */
export function writeJson(value: unknown): string {
  return JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? MARK + inner : inner))?.replace(MARKED, "$1");
}
