// Prints a line of JSON whenever web/client's connection or its properties change; the arguments are the API's URL and a token.
// Ends with its standard input.

import { connect } from "../../web/client/src/index.ts";

const [url, token] = process.argv.slice(2);
const store = connect({ url, token, lists: ["properties"], storage: {} });
let last = "";
store.subscribe(() => {
  const { connection, error, lists } = store.state;
  const names = [...(lists.properties?.values() ?? [])].map(({ name }) => name).sort();
  const line = JSON.stringify({ connection, status: error?.status ?? null, names });
  if (line !== last) console.log((last = line));
});
process.stdin.on("end", () => process.exit()).resume();
