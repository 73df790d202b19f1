/** After any faults of the network the state equals a load from scratch: BOKIT_RUNS sessions (100 if unset). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, type Store } from "../src/index.ts";
import { FAST, type Item, inOrder, loadAll, NO_FAULTS, seeded, until, World } from "./world.ts";

const RUNS = Number(process.env["BOKIT_RUNS"] ?? 100);
const FIRST_SEED = Number(process.env["BOKIT_SEED"] ?? 1);
const SESSIONS = 10;
/** Nights that bookings are made for: so few that some share them. */
const SPAN = 60;
const CHANNELS = ["https://8.8.8.8/a.ics", "https://8.8.8.8/b.ics"];
const LISTS = ["properties", "units", "sources", "bookings", "conflicts"] as const;
const COLLECTION = "shuffled";

test(`${RUNS} sessions with messages dropped, doubled, shuffled, and sockets cut`, async (t) => {
  const world = await World.start();
  t.after(() => world.stop());
  await world.ask("POST", "/_test/collections", { name: COLLECTION });
  const property = await world.ask("POST", "/properties", { name: "Villa" });
  const units = await Promise.all(
    [1, 2, 3].map((n) => world.ask("POST", "/units", { name: `Flat ${n}`, property_id: property.id })),
  );

  for (const [at, url] of CHANNELS.entries()) {
    await world.ask("POST", "/_test/feeds", { url, events: [] });
    await world.ask("POST", "/sources", { name: `Channel ${at}`, unit_id: units[0].id, url });
  }

  for (let round = 0; round < RUNS / SESSIONS; round++) {
    const seed = FIRST_SEED + round;
    await play(world, units, seed).catch((error) => {
      throw new Error(`seed ${seed}`, { cause: error });
    });
  }
  t.diagnostic(`${world.counts.sent} messages, ${world.counts.requests} requests, ${world.counts.tickets} sockets`);
});

/** Open sessions at different times, change things meanwhile, and compare in the end. */
async function play(world: World, units: Item[], seed: number): Promise<void> {
  const random = (world.random = seeded(seed));
  const chance = (most: number) => random() * most;
  world.faults = {
    drop: chance(0.4),
    double: chance(0.4),
    late: chance(0.6),
    lateMs: chance(80),
    cut: chance(0.1),
    fail: chance(0.1),
  };
  const stores: Store[] = [];
  try {
    while (stores.length < SESSIONS) {
      const store = connect({ url: world.url, token: world.tokens.admin, lists: LISTS, timing: FAST });
      store.watch(`collections/${COLLECTION}`);
      stores.push(store);
      await change(world, units, random);
      if (random() < 0.1) world.cutSockets();
    }
    world.faults = { ...world.faults, cut: 0 };
    for (const store of stores) await compare(world, store);
  } finally {
    world.faults = NO_FAULTS;
    for (const store of stores) store.close();
  }
}

/** What a session changes: one of these, by chance. */
const CHANGES: ((made: Made) => Promise<unknown>)[] = [
  ({ world, unit, next }) => world.ask("PATCH", `/units/${unit.id}`, { name: `Flat ${next()}` }),
  ({ world, unit, below }) => world.ask("PATCH", `/units/${unit.id}`, { turnover_days: below(2) }),
  ({ world, unit, next }) => world.ask("PATCH", `/properties/${unit.property_id}`, { name: `Villa ${next()}` }),
  ({ world, unit, below }) => {
    const start = below(SPAN);
    return world.ask("POST", "/bookings", { unit_id: unit.id, check_in: day(start), check_out: day(start + 1 + below(5)) });
  },
  async ({ world, unit, below, pick }) => {
    const booking = await pick(`/bookings?unit_id=${unit.id}`);
    if (!booking) return;
    // an edited departure may lie before the arrival that the channel shows now
    const [, last] = [booking["check_in"], booking["check_out"]].sort();
    const later = new Date(Date.parse(last) + 86_400_000).toISOString().slice(0, 10);
    const changes = [{ notes: `n${below(1000)}` }, { status: "cancelled" }, { status: "confirmed" }, { check_out: later }];
    await world.ask("PATCH", `/bookings/${booking.id}`, changes[below(changes.length)]);
  },
  async ({ world, pick }) => {
    const conflict = await pick("/conflicts");
    if (conflict) await world.ask("POST", `/conflicts/${conflict.id}/acknowledge`).catch(allow("closed"));
  },
  async ({ world, below, pick }) => {
    const source = await pick("/sources");
    const what = ["pause", "resume"][below(2)];
    if (source) await world.ask("POST", `/sources/${source.id}/${what}`);
  },
  async ({ world, next, pick }) => {
    const source = await pick("/sources");
    if (source) await world.ask("PATCH", `/sources/${source.id}`, { name: `Channel ${next()}` });
  },
  // what a channel shows from now on; and the schedule comes
  async ({ world, below }) => {
    const channel = below(CHANNELS.length);
    const events = Array.from({ length: below(6) }, (_, n) => {
      const start = n * 10 + below(8);
      return [channel * 10 + n, day(start), day(start + 1 + below(4))];
    });
    await world.ask("POST", "/_test/feeds", { url: CHANNELS[channel], events });
    await world.ask("POST", "/_test/sync", { hours: 1 + below(3) });
  },
  ({ world, below }) => world.ask("PUT", `/collections/${COLLECTION}/records/r.${below(8)}`, { n: below(1000) }),
  ({ world, below }) => world.ask("PUT", `/collections/${COLLECTION}/records/r.${below(8)}`, { n: below(1000) }),
  ({ world, next }) => world.ask("POST", "/properties", { name: `Villa ${next()}` }),
  async ({ world, pick }) => {
    const property = await pick("/properties");
    if (property) await world.ask("DELETE", `/properties/${property.id}`).catch(allow("not-empty"));
  },
];

/** With what a change is made. */
interface Made {
  readonly world: World;
  readonly unit: Item;
  /** Return a whole number below this one. */
  below(most: number): number;
  /** Return a number that no name has yet. */
  next(): number;
  /** Return an item of a list; undefined where it is empty. */
  pick(path: string): Promise<Item | undefined>;
}

const day = (n: number) => new Date(Date.UTC(2026, 6, 1 + n)).toISOString().slice(0, 10);

const allow = (code: string) => (error: Error) => {
  if (!error.message.includes(`"${code}"`)) throw error;
};

/** Units and channels are named by lower numbers at the start. */
let names = 10;

/** Change one thing, by chance. */
async function change(world: World, units: Item[], random: () => number): Promise<void> {
  const below = (most: number) => Math.floor(random() * most);
  const pick = async (path: string) => {
    const items = await loadAll(world, path);
    return items[below(items.length)];
  };
  await CHANGES[below(CHANGES.length)]?.({ world, unit: units[below(units.length)] as Item, below, next: () => ++names, pick });
}

async function compare(world: World, store: Store): Promise<void> {
  const shown = () =>
    [...LISTS.map((list) => store.state.lists[list]), store.state.collections[COLLECTION]].map((items) =>
      withoutVersions(inOrder(items?.values() ?? [])),
    );
  const paths = [...LISTS.map((list) => `/${list}`), `/collections/${COLLECTION}/records`];
  const wanted = await Promise.all(paths.map(async (path) => withoutVersions(await loadAll(world, path))));
  const text = JSON.stringify(wanted);
  await until(() => JSON.stringify(shown()) === text, "the state of a fresh load", 20_000).catch(() =>
    assert.deepEqual(shown(), wanted),
  );
}

/** Return *items* without the number that rises with bookkeeping, too, of which nothing is shown and nobody hears. */
const withoutVersions = (items: Item[]) => items.map(({ version: _, ...rest }) => rest);
