/** What is published: its size, and that others can use it. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const WEB = fileURLToPath(new URL("../..", import.meta.url));
const NPM = process.env["npm_execpath"] ?? "npm";

const readText = (path: string) => readFileSync(join(WEB, path), "utf8");

/** Return the size of a module as a page loads it: bundled, minified, compressed. */
async function size(file: string, external: string[] = []): Promise<number> {
  const entryPoints = [join(WEB, "client/dist", file)];
  const { outputFiles } = await build({
    entryPoints,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
    external,
  });
  return gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
}

test("the store has at most 5 kB, the indicator 2 kB, the hooks 1 kB", async (t) => {
  const sizes = [
    await size("index.js"),
    await size("indicator.js", ["./index.js"]),
    await size("react.js", ["react", "./index.js", "./indicator.js"]),
  ];
  t.diagnostic(`store ${sizes[0]}, indicator ${sizes[1]}, hooks ${sizes[2]} bytes`);
  const limits = [5000, 2000, 1000];
  assert.ok(
    sizes.every((bytes, at) => bytes <= (limits[at] ?? 0)),
    String(sizes),
  );
});

test("the calendar for one's own website is a file of at most 4 kB that imports nothing", (t) => {
  const text = readText("client/dist/availability.js");
  const bytes = gzipSync(text, { level: 9 }).length;
  t.diagnostic(`availability ${bytes} bytes`);
  assert.ok(bytes <= 4000, String(bytes));
  assert.doesNotMatch(text, /\bimport\b|innerHTML|\beval\b|\.style\b/);
});

test("the packed package is imported and typed in another project, without a dependency", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "bokit-pack-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const npm = (...args: string[]) =>
    execFileSync(NPM, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const [packed] = JSON.parse(npm("pack", join(WEB, "client"), "--json", "--ignore-scripts"));
  const names: string[] = packed.files.map((file: { path: string }) => file.path);
  assert.deepEqual(
    names.filter((name) => !/^(dist\/\w+\.(js|d\.ts)|package\.json|README\.md|LICENSE)$/.test(name)),
    [],
  );
  assert.ok(names.includes("README.md") && names.includes("LICENSE"));

  writeFileSync(join(folder, "package.json"), '{ "name": "other", "private": true, "type": "module" }');
  npm("install", "--offline", "--omit=peer", "--no-audit", "--no-fund", "--ignore-scripts", packed.filename);
  assert.deepEqual(readdirSync(join(folder, "node_modules")).sort(), [".package-lock.json", "bokit-client"]);

  writeFileSync(
    join(folder, "main.ts"),
    `import { connect, type Booking, type Store } from "bokit-client";
     import "bokit-client/indicator";
     const store: Store = connect({ url: "http://127.0.0.1:9", token: "none", lists: [] });
     const bookings: Booking[] = [...(store.state.lists.bookings?.values() ?? [])];
     console.log(store.state.connection, bookings.length);
     store.close();`,
  );
  // what a project with React has beside it
  for (const name of ["react", "@types/react", "csstype"]) {
    mkdirSync(join(folder, "node_modules", name, ".."), { recursive: true });
    symlinkSync(join(WEB, "node_modules", name), join(folder, "node_modules", name));
  }
  writeFileSync(
    join(folder, "settings.tsx"),
    `import { BokitProvider, RealtimeSyncIndicator, useBokit, useRealtimeSync } from "bokit-client/react";
     import { connect, type Item } from "bokit-client";
     const store = connect({ url: "", token: "none" });
     function Settings() {
       const { collections } = useBokit();
       const sync = useRealtimeSync({ collections: ["settings", "team-members"] });
       const settings: Item | undefined = collections["settings"]?.get("main");
       const saved: string | undefined = sync.lastSyncTime?.toISOString() ?? sync.syncError?.message;
       const save = () => sync.syncSettings({ ...settings, theme: "dark" }, { preserveFields: ["name"], notifyFrontend: false });
       sync.queueSync("team-members", "ada", { age: 41 });
       void sync.syncTeamMembers({ id: "ada" }, { id: "ada" }).then(({ changed, preserved }) => [changed, preserved.length]);
       void sync.sync("settings", {});
       void sync.remove("team-members", "ada").then(() => store.remove("settings", "main"));
       // @ts-expect-error: a collection that was not asked for
       void sync.remove("clients", "7");
       // @ts-expect-error: a collection that was not asked for
       sync.syncClients;
       return <button onClick={save} disabled={sync.syncing}>{saved}</button>;
     }
     export const page = <BokitProvider store={store}><Settings /><RealtimeSyncIndicator position="inline" /></BokitProvider>;`,
  );
  // and what the documents show
  for (const [at, [, type, text]] of [...readText("../docs/frontends.md").matchAll(/^```(tsx?)\n(.+?)^```/gms)].entries())
    writeFileSync(join(folder, `shown${at}.${type}`), text ?? "");
  assert.ok(existsSync(join(folder, "shown1.tsx")));
  const compilerOptions = { strict: true, module: "nodenext", jsx: "react-jsx", target: "es2023", lib: ["es2023", "dom"] };
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions: { ...compilerOptions, types: [], noEmit: true }, include: ["*"] }),
  );
  execFileSync(process.execPath, [join(WEB, "node_modules/typescript/bin/tsc"), "--project", folder], { stdio: "inherit" });
  assert.equal(execFileSync(process.execPath, ["main.ts"], { cwd: folder, encoding: "utf8" }), "connecting 0\n");
});
