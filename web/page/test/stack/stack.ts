/**
 * The page of a deployed stack in Chromium, and a terminal beside it. BOKIT_TEST_STACK is JSON of what tests/support/page_on_stack.py
 * arranged: two tenants, each with a unit, calendars and bookings.
 */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import { launch, watchPage } from "../../../client/test/browser.ts";

const run = promisify(execFile);

export interface Tenant {
  /** The page's address, signed in. */
  readonly page: string;
  readonly name: string;
  readonly unit: string;
  readonly booking: string;
  readonly token: string;
}

export interface Stack {
  readonly url: string;
  /** The command line on this stack. */
  readonly command: readonly string[];
  readonly mine: Tenant;
  readonly other: Tenant;
}

export const STACK: Stack = JSON.parse(process.env["BOKIT_TEST_STACK"] ?? "null");

/** Run `bokit` in a terminal, for a tenant; return its document. */
export async function bokit(tenant: Tenant, ...args: string[]): Promise<any> {
  const [command = "", ...first] = STACK.command;
  const { stdout } = await run(command, [...first, ...args, "--tenant", tenant.name, "--json"], { maxBuffer: 1e8 });
  return JSON.parse(stdout);
}

/** Ask the API. */
export async function ask(tenant: Tenant, path: string): Promise<any> {
  const response = await fetch(STACK.url + path, { headers: { authorization: `Bearer ${tenant.token}` } });
  return response.json();
}

export class Reader {
  readonly complaints: string[];
  readonly page: Page;
  /** Whether its WebSocket has said that it is ready. */
  isLive = false;

  private constructor(page: Page, complaints: string[]) {
    this.page = page;
    this.complaints = complaints;
  }

  /** Open an address in a browser's window of its own. */
  static async open(browser: Browser, address: string): Promise<Reader> {
    const context = await browser.newContext({ locale: "en-GB", viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    const complaints = await watchPage(page);
    const reader = new Reader(page, complaints);
    page.on("websocket", (socket) =>
      socket.on("framereceived", ({ payload }) => {
        reader.isLive ||= String(payload).includes('"ready"');
      }),
    );
    await page.goto(address);
    return reader;
  }

  close(): Promise<void> {
    return this.page.context().close();
  }

  bar(name: RegExp | string) {
    return this.page.getByRole("button", { name });
  }
}

export { launch };
