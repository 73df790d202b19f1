/**
 * The service worker: keeps the page's own files, so that it opens without a connection. It never touches an answer of the API.
 *
 *     the page          from the server; kept copy where it does not answer
 *     its other files   kept copy: their names change with their content
 *     anything else     is not ours
 *
 * A new version keeps its files beside the old one's, and takes over when the last page of the old one is closed: an open
 * page finds its files until then. The build puts the names into FILES, so that this file changes with each of them.
 */

declare const self: ServiceWorkerGlobalScope;
declare const FILES: readonly string[];

const scope = self.registration.scope;
const PREFIX = `bokit ${scope} `;
const CACHE = PREFIX + hash(FILES.join());
const urls = new Set(FILES.map((name) => new URL(name, scope).href));

/** Return a short name of a text (FNV-1a). */
function hash(text: string): string {
  let sum = 2166136261;
  for (const letter of text) sum = Math.imul(sum ^ (letter.codePointAt(0) ?? 0), 16777619);
  return (sum >>> 0).toString(36);
}

async function keepFiles(): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.addAll([...urls].map((url) => new Request(url, { cache: "no-cache" })));
}

/** Forget the files of earlier versions; those of pages under other paths stay. */
async function forgetOthers(): Promise<void> {
  const names = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(names.map((name) => caches.delete(name)));
}

async function answer(request: Request): Promise<Response> {
  const url = request.url.replace(/[?#].*/, "");
  const kept = () => caches.match(url, { cacheName: CACHE });
  if (url === scope)
    try {
      const response = await fetch(request);
      if (response.ok) return response;
    } catch {
      // no connection
    }
  return (await kept()) ?? fetch(request);
}

self.addEventListener("install", (event) => event.waitUntil(keepFiles()));
self.addEventListener("activate", (event) => event.waitUntil(forgetOthers()));
self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && urls.has(url.replace(/[?#].*/, ""))) event.respondWith(answer(event.request));
});
