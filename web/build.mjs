// Builds the npm package and the page: `make web`. `node web/build.mjs FOLDER` builds the page alone, as function `public` serves it.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, transformSync } from "esbuild";
import { writeTypes } from "./client/api_types.mjs";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
/** What the server has paths for; index.html is the page itself. */
const SERVED = /^(index\.html|manifest\.webmanifest|worker\.js|(assets|icons)\/[^/]+)$/;
const TEXTS = /\.(html|js|json|css|svg|webmanifest)$/;
const MIN_COMPRESSED = 1000;

/** The npm package: types from the API's document, then TypeScript's own output, one file for each. */
function buildClient() {
  const document = JSON.parse(readFileSync(path("../docs/openapi.json"), "utf8"));
  writeFileSync(path("client/src/api.ts"), writeTypes(document));
  cpSync(path("../LICENSE"), path("client/LICENSE"));
  rmSync(path("client/dist"), { recursive: true, force: true });
  const compiler = path("node_modules/typescript/bin/tsc");
  execFileSync(process.execPath, [compiler, "--project", path("client")], { stdio: "inherit" });
  const element = path("client/dist/availability.js"); // websites load this file as it is
  writeFileSync(element, transformSync(readFileSync(element, "utf8"), { minify: true, format: "esm", target: "es2022" }).code);
}

/** Bundle for browsers; return the names of the files. */
async function bundle(entryPoints, options) {
  const { metafile } = await build({
    entryPoints: entryPoints.map((name) => path(`page/src/${name}`)),
    // the package's sources: the page needs no compiler
    alias: { "bokit-client": path("client/src/index.ts"), "bokit-client/indicator": path("client/src/indicator.ts") },
    bundle: true,
    minify: true,
    format: "esm",
    target: ["es2022", "chrome120", "firefox121", "safari17.4"],
    jsx: "automatic",
    jsxImportSource: "preact",
    metafile: true,
    logLevel: "warning",
    ...options,
  });
  return Object.keys(metafile.outputs).map((name) => basename(name));
}

const list = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(folder.length + 1))
    .sort();

/**
 * The page: files whose names hold a hash of their content, so that browsers may keep them for ever, the page that names them, and the
 * service worker, which knows the names of all (`FILES`).
 */
async function buildPage(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const assets = { outdir: `${folder}/assets`, entryNames: "[name]-[hash]", splitting: true };
  const names = await bundle(["main.tsx", "styles/page.css"], assets);
  if (existsSync(path("page/static"))) cpSync(path("page/static"), folder, { recursive: true });
  const [script, style, shared] = ["main", "page", "chunk"].map((beginning) => names.find((name) => name.startsWith(beginning)));
  const html = readFileSync(path("page/src/index.html"), "utf8")
    .replaceAll("SCRIPT", script)
    .replace("SHARED", shared)
    .replace("STYLE", style)
    .replace("TEXTS", JSON.stringify(writeTexts(`${folder}/assets`)));
  writeFileSync(`${folder}/index.html`, html);
  const files = list(folder).map((name) => (name === "index.html" ? "./" : name));
  if (existsSync(path("page/src/worker.ts")))
    await bundle(["worker.ts"], { outfile: `${folder}/worker.js`, define: { FILES: JSON.stringify(files) } });
  const lost = list(folder).filter((name) => !SERVED.test(name));
  if (lost.length) throw new Error(`no path is served for ${lost.join(", ")}; see SERVED in web/build.mjs`);
}

/** Join the texts of each language into one file, and return the files' names by language. */
function writeTexts(folder) {
  const names = {};
  for (const language of readdirSync(path("page/texts"))) {
    const joined = {};
    for (const file of readdirSync(path(`page/texts/${language}`)))
      for (const [name, text] of Object.entries(JSON.parse(readFileSync(path(`page/texts/${language}/${file}`), "utf8"))))
        joined[`${basename(file, ".json")}.${name}`] = text;
    const content = JSON.stringify(joined);
    const hash = createHash("sha256").update(content).digest("hex").slice(0, 8).toUpperCase();
    names[language] = `texts-${language}-${hash}.json`;
    writeFileSync(`${folder}/${names[language]}`, content);
  }
  return names;
}

/** Put a compressed copy beside each text: the function that answers need not compress it. */
function compress(folder) {
  for (const name of list(folder)) {
    const content = readFileSync(`${folder}/${name}`);
    if (TEXTS.test(name) && content.length >= MIN_COMPRESSED)
      writeFileSync(`${folder}/${name}.gz`, gzipSync(content, { level: 9 }));
  }
}

const [given] = process.argv.slice(2);
if (given) {
  await buildPage(given);
  compress(given);
} else {
  buildClient();
  await buildPage(path("page/dist"));
}
