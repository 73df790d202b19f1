import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { connect, type Items, type Lists, type Options, type Store } from "../src/index.ts";
import { FAST, inOrder, loadAll, NO_FAULTS, until, World } from "./world.ts";

let world: World;
const stores: Store[] = [];

before(async () => {
  world = await World.start();
});
after(() => world.stop());
afterEach(() => {
  for (const store of stores.splice(0)) store.close();
  Object.assign(world, { faults: NO_FAULTS, hasSockets: true, isUp: true, unsent: "" });
});

function open(options: Partial<Options> = {}): Store {
  const store = connect({ url: world.url, token: world.tokens.admin, timing: FAST, ...options });
  stores.push(store);
  return store;
}

/** A list as items of any shape. */
const listOf = (store: Store, list: string) => store.state.lists[list as keyof Lists] as Items | undefined;
const isLive = (store: Store) => store.state.connection === "live";
const names = (store: Store, list: string) => [...(listOf(store, list)?.values() ?? [])].map((item) => item["name"]).sort();
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const makeProperty = (name: string) => world.ask("POST", "/properties", { name });

/** Declare a unit with a calendar that shows these stays. */
async function furnish(url: string, events: unknown[]): Promise<{ unit: string; source: string }> {
  await world.ask("POST", "/_test/feeds", { url, events });
  const property = await makeProperty(`Of ${url}`);
  const unit = await world.ask("POST", "/units", { name: "Flat", property_id: property.id });
  const source = await world.ask("POST", "/sources", { name: "Airbnb", unit_id: unit.id, url });
  return { unit: unit.id, source: source.id };
}

const fresh = (list: string) => loadAll(world, list === "status" ? "/sync/status" : `/${list}`);
const shown = (store: Store, list: string) => inOrder(listOf(store, list)?.values() ?? []);

test("it loads the lists, is live, and shows what others change", async () => {
  await makeProperty("Villa Rosa");
  const store = open();

  await until(() => isLive(store) && names(store, "properties").includes("Villa Rosa"));
  const { id } = await makeProperty("Casa Blu");
  await until(() => names(store, "properties").includes("Casa Blu"));
  await world.ask("PATCH", `/properties/${id}`, { name: "Casa Verde" });
  await until(() => names(store, "properties").includes("Casa Verde"));
  await world.ask("DELETE", `/properties/${id}`);
  await until(() => !names(store, "properties").includes("Casa Verde"));
  assert.equal(store.state.error, null);
});

test("without a WebSocket it polls, and changes over once there is one", async () => {
  world.hasSockets = false;
  const store = open();

  await until(() => store.state.connection === "polling");
  await makeProperty("Polled");
  await until(() => names(store, "properties").includes("Polled"));
  world.hasSockets = true;
  await until(() => isLive(store));
});

test("a socket that is never ready is not waited for, whatever else it sends", async () => {
  world.unsent = "ready";
  const store = open({ lists: ["properties"] });

  let made = 0;
  await until(async () => {
    await makeProperty(`Unready ${++made}`);
    await pause(FAST.pongMs / 10);
    return store.state.connection === "polling";
  });
  world.unsent = "";
  await until(() => isLive(store) && names(store, "properties").includes(`Unready ${made}`));
});

test("without an answer it is offline, and afterwards knows what happened meanwhile", async () => {
  const store = open();
  await until(() => isLive(store));

  world.isUp = false;
  world.cutSockets();
  await until(() => store.state.connection === "offline");
  assert.equal(store.state.error?.code, "network");
  await makeProperty("Meanwhile");
  world.isUp = true;
  await until(() => isLive(store) && names(store, "properties").includes("Meanwhile"));
  assert.equal(store.state.error, null);
});

test("a gap that a socket does not send is read from the log", async () => {
  const store = open({ lists: ["properties"] });
  await until(() => isLive(store) && store.state.lists["properties"]);

  world.isUp = false;
  world.cutSockets();
  for (let n = 0; n < 220; n++) await makeProperty(`Gap ${n}`);
  world.isUp = true;
  await until(() => names(store, "properties").includes("Gap 219"));
  assert.deepEqual(shown(store, "properties"), await fresh("properties"));
});

test("a restored table is loaded again, with versions below those that were known", async () => {
  await world.ask("POST", "/_test/collections", { name: "restored" });
  const put = (data: object) => world.ask("PUT", "/collections/restored/records/1", data);
  await put({ n: 1 });
  const store = open({ lists: [] });
  store.watch("collections/restored");
  const shown = () => store.state.collections["restored"]?.get("1");
  await until(() => isLive(store) && shown()?.["n"] === 1);

  await world.ask("POST", "/_test/backup");
  await put({ n: 2 });
  await until(() => shown()?.["n"] === 2);
  await world.ask("POST", "/_test/restore");
  await until(() => shown()?.["n"] === 1);
  assert.equal(shown()?.["_meta"].version, 1);
});

test("a revoked token is said, and nothing more is shown of it", async () => {
  const store = open({ token: world.tokens.viewer });
  await until(() => isLive(store));

  const { token } = await world.ask("POST", "/_test/revoke", { role: "viewer" });
  world.cutSockets();
  await until(() => store.state.connection === "offline");
  assert.equal(store.state.error?.status, 403);
  world.tokens.viewer = token;
});

test("another tenant's token shows none of this one's data", async () => {
  await makeProperty("Ours");
  const store = open({ token: world.tokens.other });
  await until(() => isLive(store) && store.state.lists["properties"]);

  await makeProperty("Ours too");
  await world.ask("POST", "/properties", { name: "Theirs" }, world.tokens.other);
  await until(() => names(store, "properties").includes("Theirs"));
  assert.deepEqual(names(store, "properties"), ["Theirs"]);
});

test("a closed store asks nothing more", async () => {
  const store = open();
  await until(() => isLive(store));
  const state = store.state;

  store.close();
  await until(async () => {
    const { requests } = world.counts;
    await pause(300);
    return world.counts.requests === requests;
  }, "silence");
  assert.equal(store.state, state);
});

test("bookings, conflicts and sources follow a sync", async () => {
  const { unit } = await furnish("https://8.8.8.8/follow.ics", [[1, "2026-07-10", "2026-07-14"]]);
  const store = open();
  await until(() => isLive(store) && store.state.lists["bookings"]);

  await world.ask("POST", "/_test/sync", {});
  const stays = () => [...(store.state.lists["bookings"]?.values() ?? [])].filter((booking) => booking["unit_id"] === unit);
  await until(() => stays().length === 1);
  await world.ask("POST", "/bookings", { unit_id: unit, check_in: "2026-07-12", check_out: "2026-07-15", guest_name: "Ada" });
  await until(() => stays().length === 2);
  await until(() => [...(store.state.lists["conflicts"]?.values() ?? [])].some((conflict) => conflict["unit_id"] === unit));
  for (const list of ["bookings", "conflicts", "units", "sources"]) assert.deepEqual(shown(store, list), await fresh(list), list);
});

test("a run shows while it goes on, and how fresh its sources are afterwards", async () => {
  await furnish("https://8.8.8.8/run.ics", [[2, "2026-08-10", "2026-08-14"]]);
  const store = open({ lists: ["status"] });
  await until(() => isLive(store) && store.state.lists["status"]);

  const { run_id } = await world.ask("POST", "/sync/trigger", {});
  await until(() => store.state.runs.has(run_id));
  await world.ask("POST", "/_test/sync", {});
  await until(() => !store.state.runs.has(run_id));
  await until(async () => JSON.stringify(shown(store, "status")) === JSON.stringify(await fresh("status")));
});

test("what did not change keeps its identity", async () => {
  const { id } = await makeProperty("Same");
  const store = open();
  await until(() => isLive(store) && names(store, "properties").includes("Same"));
  const before = store.state.lists["properties"]?.get(id);

  await makeProperty("Other");
  await until(() => names(store, "properties").includes("Other"));
  assert.equal(store.state.lists["properties"]?.get(id), before);
});
