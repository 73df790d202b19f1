/** Chromium, for tests; a machine without it says "not run". */

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";
import type { World } from "./world.ts";

const PATHS = [process.env["CHROMIUM"], "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = PATHS.find((path) => path && existsSync(path));

/** Options of a test that needs a browser. */
export const BROWSER = { skip: executablePath ? false : "not run: no Chromium here" };

/** The policy that function `public` sends (bokit/http/page_files.py); a page that violates it fails. */
export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' SOCKET; " +
  "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
  "require-trusted-types-for 'script'; trusted-types bokit-worker";

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: executablePath ?? "", args: ["--no-sandbox"] });
}

/** Serve an HTML page at `/<name>`, with the script that *source* is built to. */
export async function addPage(world: World, name: string, source: string, body = "<main></main>"): Promise<void> {
  const entry = fileURLToPath(new URL(source, import.meta.url));
  const define = { "process.env.NODE_ENV": '"production"' };
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
    define,
    jsx: "automatic",
  });
  const policy = { "content-security-policy": POLICY.replace("SOCKET", world.url.replace("http", "ws")) };
  const html = `<!doctype html><html lang="en"><title>${name}</title><body>${body}<script type="module" src="/${name}.js"></script>`;
  world.files.set(`/${name}`, { type: "text/html", text: html, headers: policy });
  world.files.set(`/${name}.js`, { type: "text/javascript", text: outputFiles[0]?.text ?? "" });
}

/** Collect what a page complains of: violations of its policy, errors, exceptions. */
export async function watchPage(page: Page): Promise<string[]> {
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (/Content Security Policy|TrustedType|Trusted Type/i.test(message.text())) complaints.push(message.text());
  });
  return complaints;
}

/** Return what axe finds. */
export async function findViolations(page: Page): Promise<string[]> {
  const axe = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");
  await page.evaluate(axe);
  const { violations } = (await page.evaluate(
    "axe.run({ rules: { region: { enabled: false }, 'page-has-heading-one': { enabled: false }, 'landmark-one-main': { enabled: false } } })",
  )) as { violations: { id: string; nodes: { html: string }[] }[] };
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
}
