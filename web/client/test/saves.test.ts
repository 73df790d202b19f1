import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { ApiError, connect, type Item, type Options, type Store } from "../src/index.ts";
import { FAST, NO_FAULTS, until, World } from "./world.ts";

let world: World;
const stores: Store[] = [];
let number = 0;
/** A record of its own for each test. */
let id = "";

before(async () => {
  world = await World.start();
  await world.ask("POST", "/_test/collections", {
    name: "team",
    array_keys: { members: "email" },
    schema: { type: "object", properties: { age: { type: "integer" } } },
  });
});
after(() => world.stop());
beforeEach(() => {
  id = `r${number++}`;
});
afterEach(() => {
  for (const store of stores.splice(0)) store.close();
  Object.assign(world, { faults: NO_FAULTS, isUp: true, broken: "" });
});

const path = () => `/collections/team/records/${id}`;
const put = (data: object) => world.ask("PUT", path(), data);
const stored = async () => fieldsOf(await world.ask("GET", path()).catch(() => ({})));
const changes = async () => (await world.ask("GET", `${path()}/changes`)).items.length;

/** Return a record's own fields. */
function fieldsOf({ id: _id, createdAt, updatedAt, updatedBy, _meta, ...fields }: any): any {
  return fields;
}

async function open(options: Partial<Options> = {}): Promise<Store> {
  const store = connect({ url: world.url, token: world.tokens.admin, lists: [], timing: FAST, ...options });
  stores.push(store);
  store.watch("collections/team");
  if (world.isUp) await until(() => store.state.connection === "live" && store.state.collections["team"]);
  return store;
}

const shown = (store: Store): Item | undefined => store.state.collections["team"]?.get(id);
const isSaved = (store: Store) => store.state.saves.length === 0;

test("a save is merged into the record, and shows at once", async () => {
  await put({ name: "Ada", mail: { host: "h", port: 25 } });
  const store = await open();

  const result = await store.save("team", id, { mail: { port: 587 } });

  assert.deepEqual(fieldsOf(shown(store)), { name: "Ada", mail: { host: "h", port: 587 } });
  assert.deepEqual([result.changed, result.preserved], [true, []]);
  assert.deepEqual(await stored(), { name: "Ada", mail: { host: "h", port: 587 } });
});

test("an answer that is older than a save does not undo it", async () => {
  await put({ n: 1 });
  const store = await open();
  const seen: unknown[] = [];
  store.subscribe(() => seen.push(shown(store)?.["n"]));

  world.delayMs = 400;
  await put({ n: 2 });
  await until(() => world.paths.some((path) => path.includes(`team.${id}`)));
  await new Promise((resolve) => setTimeout(resolve, 100));
  world.delayMs = 0;
  await store.save("team", id, { n: 3 });
  await new Promise((resolve) => setTimeout(resolve, 500));

  assert.deepEqual([seen.slice(seen.indexOf(3)).filter((n) => n !== 3), shown(store)?.["n"]], [[], 3]);
});

test("fields that are preserved keep their value", async () => {
  await put({ name: "Ada", joined: "2020" });
  const store = await open();

  const { preserved } = await store.save("team", id, { name: "Bob", joined: "2024" }, { preserveFields: ["joined"] });

  assert.deepEqual([preserved, await stored()], [["joined"], { name: "Bob", joined: "2020" }]);
});

test("a refused save throws, with the API's code", async () => {
  const store = await open();

  await assert.rejects(store.save("team", id, { age: "old" }), (error) => error instanceof ApiError && error.code === "schema");
});

test("queued saves of a record become one", async () => {
  const store = await open();

  store.queueSave("team", id, { name: "Ada", mail: { host: "h" } });
  store.queueSave("team", id, { mail: { port: 25 } });
  store.queueSave("team", id, { name: "Eve" });
  assert.deepEqual(
    store.state.saves.map((save) => save.data),
    [{ name: "Eve", mail: { host: "h", port: 25 } }],
  );

  await until(() => isSaved(store));
  assert.deepEqual([await stored(), await changes()], [{ name: "Eve", mail: { host: "h", port: 25 } }, 1]);
});

test("what waits shows at once, and who spreads it into the next save keeps it", async () => {
  await put({ name: "Ada", city: "Rome", mail: { host: "h" } });
  const store = await open();

  store.queueSave("team", id, { ...shown(store), name: "Eve" });
  assert.deepEqual(fieldsOf(shown(store)), { name: "Eve", city: "Rome", mail: { host: "h" } });
  store.queueSave("team", id, { ...shown(store), city: "Oslo", mail: { host: "h", port: 25 } });

  await until(() => isSaved(store));
  assert.deepEqual(await stored(), { name: "Eve", city: "Oslo", mail: { host: "h", port: 25 } });
  assert.deepEqual(fieldsOf(shown(store)), await stored());
});

test("what was refused does not show as if it were saved", async () => {
  await put({ age: 40 });
  const store = await open();

  store.queueSave("team", id, { age: "old" });
  await until(() => store.state.saves[0]?.error);
  assert.deepEqual(fieldsOf(shown(store)), { age: 40 });
});

test("a form sends what it changed alone", async () => {
  await put({ name: "Ada", city: "Rome" });
  const store = await open();

  store.queueSave("team", id, { ...shown(store), city: "Oslo" });
  assert.deepEqual(store.state.saves[0]?.data, { city: "Oslo" });
  await until(() => isSaved(store));
});

test("what waits survives a reload, for the same server and token alone", async () => {
  const storage = {};
  world.isUp = false;
  const before = await open({ storage });
  before.queueSave("team", id, { name: "Ada" });
  before.close();
  world.isUp = true;

  const other = await open({ storage, token: world.tokens.operator });
  assert.deepEqual(other.state.saves, []);
  const after = await open({ storage });
  await until(() => isSaved(after));
  assert.deepEqual(await stored(), { name: "Ada" });
});

test("a new token of the same account sends what waits", async () => {
  const storage = {};
  world.isUp = false;
  const before = await open({ storage, account: "rosa" });
  before.queueSave("team", id, { name: "Ada" });
  before.close();
  world.isUp = true;

  const after = await open({ storage, account: "rosa", token: world.tokens.operator });
  await until(() => isSaved(after));
  assert.deepEqual(await stored(), { name: "Ada" });
});

test("an edit made offline is merged with what others changed meanwhile", async () => {
  await put({ name: "Ada", phone: "1", city: "Rome" });
  const store = await open();
  const form = shown(store) as Item;

  world.isUp = false;
  world.cutSockets();
  await until(() => store.state.connection === "offline");
  store.queueSave("team", id, { ...form, phone: "2" });
  await put({ city: "Oslo" });
  world.isUp = true;

  await until(() => isSaved(store) && shown(store)?.["city"] === "Oslo");
  assert.deepEqual(await stored(), { name: "Ada", phone: "2", city: "Oslo" });
});

test("a form that was filled before another person's change leaves that change alone", async () => {
  await put({ name: "Ada", city: "Rome" });
  const store = await open();
  const form = shown(store) as Item;
  await put({ city: "Oslo" });
  await until(() => shown(store)?.["city"] === "Oslo");

  await store.save("team", id, { ...form, name: "Eve" });

  assert.deepEqual(await stored(), { name: "Eve", city: "Oslo" });
});

test("a field that is set back to what it was is saved, too", async () => {
  await put({ name: "Ada" });
  const store = await open();
  const form = shown(store) as Item;

  await store.save("team", id, { ...form, name: "Eve" });
  await store.save("team", id, { ...form, name: "Ada" });
  assert.deepEqual(await stored(), { name: "Ada" });

  store.queueSave("team", id, { ...form, name: "Eve" });
  await until(() => isSaved(store));
  store.queueSave("team", id, { ...form, name: "Ada" });
  await until(() => isSaved(store));
  assert.deepEqual(await stored(), { name: "Ada" });
});

test("a field that is set back while its save is on its way is saved, too", async () => {
  await put({ name: "Ada" });
  const store = await open();
  const form = shown(store) as Item;

  store.queueSave("team", id, { ...form, name: "Eve" });
  world.delayMs = 100;
  await until(() => world.paths.includes(`/collections/team/records/${id}`));
  store.queueSave("team", id, { ...form, name: "Ada" });
  await until(() => isSaved(store));
  world.delayMs = 0;

  assert.deepEqual([await stored(), await changes()], [{ name: "Ada" }, 3]);
});

test("a save that was answered by nothing is set back all the same", async () => {
  await put({ name: "Ada" });
  const store = await open();
  const form = shown(store) as Item;

  world.faults = { ...NO_FAULTS, fail: 1 };
  world.random = () => 0.6;
  store.queueSave("team", id, { ...form, name: "Eve" });
  await until(async () => (await stored()).name === "Eve");
  store.queueSave("team", id, { ...form, name: "Ada" });
  world.faults = NO_FAULTS;

  await until(() => isSaved(store));
  assert.deepEqual(await stored(), { name: "Ada" });
});

test("an item of a list with a key that was removed here is removed there", async () => {
  await put({ members: [{ email: "a" }, { email: "b" }] });
  const store = await open();
  const form = shown(store) as Item;
  await put({ members: [{ email: "c" }] });

  await store.save("team", id, { ...form, members: [{ email: "b" }] });

  assert.deepEqual((await stored()).members.map((member: Item) => member["email"]).sort(), ["b", "c"]);
});

test("a refused save is kept and shown until somebody retries or discards it", async () => {
  const store = await open();

  store.queueSave("team", id, { age: "old" });
  await until(() => store.state.saves[0]?.error?.code === "schema");
  assert.equal(store.state.saves[0]?.error?.errors?.[0]?.field, "age");
  store.queueSave("team", id, { age: 41 });
  await until(() => isSaved(store));
  assert.deepEqual(await stored(), { age: 41 });

  store.queueSave("team", id, { age: "older" });
  await until(() => store.state.saves[0]?.error);
  store.retrySaves();
  await until(() => store.state.saves[0]?.error === null);
  await until(() => store.state.saves[0]?.error);
  store.discardSave(store.state.saves[0]!);
  assert.deepEqual([store.state.saves, await stored()], [[], { age: 41 }]);
});

test("a record that cannot be saved now keeps no other back", async () => {
  const store = await open();
  world.broken = id;

  store.queueSave("team", id, { name: "Ada" });
  store.queueSave("team", `other-${id}0`, { name: "Grace" });
  await until(() => store.state.saves.length === 1);
  assert.deepEqual(
    store.state.saves.map((save) => [save.id, save.error]),
    [[id, null]],
  );
  world.broken = "";
  await until(() => isSaved(store));
  assert.deepEqual(await stored(), { name: "Ada" });
});

test("a viewer's save fails, and is not tried for ever", async () => {
  const store = await open({ token: world.tokens.viewer });

  store.queueSave("team", id, { name: "Ada" });

  await until(() => store.state.saves[0]?.error?.code === "forbidden");
});

test("a removed record is deleted there, and gone here at once", async () => {
  await put({ name: "Ada" });
  const store = await open();
  const former = store.state.lastSaveTime;

  await store.remove("team", id);

  assert.deepEqual([shown(store), (await world.ask("GET", path()))._meta.presence], [undefined, "gone"]);
  assert.notEqual(store.state.lastSaveTime, former);
  await assert.rejects(store.remove("team", "nobody"), (error) => error instanceof ApiError && error.status === 404);
});

test("a record that somebody else deletes leaves the store, by the event of that record alone", async () => {
  await put({ name: "Ada" });
  await world.ask("PUT", "/collections/team/records/other", { name: "Grace" });
  const store = await open();
  world.paths.length = 0;

  await world.ask("DELETE", path());

  await until(() => !shown(store));
  assert.ok(store.state.collections["team"]?.get("other"));
  assert.deepEqual(
    world.paths.filter((read) => read.includes("records?")),
    [],
  );
});

test("an answer that is older than a removal does not undo it", async () => {
  await put({ n: 1 });
  const store = await open();
  const seen: unknown[] = [];
  store.subscribe(() => seen.push(shown(store)));

  world.delayMs = 400;
  await put({ n: 2 });
  await until(() => world.paths.some((path) => path.includes(`team.${id}`)));
  await new Promise((resolve) => setTimeout(resolve, 100));
  world.delayMs = 0;
  await store.remove("team", id);
  seen.length = 0;
  await new Promise((resolve) => setTimeout(resolve, 500));

  assert.deepEqual([seen.filter(Boolean), shown(store)], [[], undefined]);
});

test("what waits for a removed record is not sent after it, and what is on its way comes before it", async () => {
  await put({ name: "Ada" });
  const store = await open();

  store.queueSave("team", id, { name: "Eve" });
  await store.remove("team", id);
  assert.deepEqual(store.state.saves, []);
  await put({ name: "Ada" });
  await until(() => shown(store));
  world.delayMs = 100;
  store.queueSave("team", id, { name: "Bob" });
  await until(() => world.paths.filter((path) => path === `/collections/team/records/${id}`).length > 1);
  await store.remove("team", id);
  world.delayMs = 0;
  await new Promise((resolve) => setTimeout(resolve, 500));

  assert.deepEqual([store.state.saves, shown(store)], [[], undefined]);
  assert.equal((await world.ask("GET", path()))._meta.presence, "gone");
});

test("a removal that fails leaves the record, and what waits for it", async () => {
  await put({ name: "Ada" });
  const store = await open();

  world.broken = id;
  store.queueSave("team", id, { name: "Eve" });
  await assert.rejects(store.remove("team", id), (error) => error instanceof ApiError && error.isTemporary);
  assert.deepEqual(
    store.state.saves.map((save) => save.data),
    [{ name: "Eve" }],
  );
  world.broken = "";

  await until(() => isSaved(store));
  assert.deepEqual(await stored(), { name: "Eve" });
});

test("a removed record comes back with a save, whatever it held before", async () => {
  await put({ name: "Ada" });
  const store = await open();

  await store.remove("team", id);
  await store.save("team", id, { name: "Ada", city: "Rome" });

  assert.deepEqual(fieldsOf(shown(store)), { name: "Ada", city: "Rome" });
  assert.equal((await world.ask("GET", path()))._meta.presence, "present");
});

test("integers beyond 2^53 are text, and survive in both directions", async () => {
  const text =
    '{"n": 12345678901234567890, "list": [-9007199254740993, 9007199254740991, 0.125], "text": "12345678901234567890"}';
  await world.send("PUT", path(), text);
  const store = await open();

  const record = shown(store) as Item;
  assert.deepEqual(
    [record["n"], record["list"], record["text"]],
    ["12345678901234567890", ["-9007199254740993", 9007199254740991, 0.125], "12345678901234567890"],
  );
  await store.save("team", id, { ...record, n: "12345678901234567891" });
  store.queueSave("team", id, { m: -12345678901234567892n });
  await until(() => isSaved(store));
  const raw = await world.send("GET", path());
  assert.match(raw, /"n":"12345678901234567891",/);
  assert.match(raw, /"m":"-12345678901234567892"/);
  assert.match(raw, /\["-9007199254740993",9007199254740991,0\.125\]/);
});

test("what was saved here and elsewhere at the same time is the same everywhere", async () => {
  const [one, other] = await Promise.all([open(), open()]);

  for (let n = 0; n < 10; n++) {
    one.queueSave("team", id, { mine: n });
    other.queueSave("team", id, { theirs: n });
    await new Promise((resolve) => setTimeout(resolve, 40));
  }

  const wanted = { mine: 9, theirs: 9 };
  await until(() =>
    [one, other].every(
      (store) => isSaved(store) && JSON.stringify(sorted(fieldsOf(shown(store) ?? {}))) === JSON.stringify(wanted),
    ),
  );
  assert.deepEqual(sorted(await stored()), wanted);
});

const sorted = (fields: object) => Object.fromEntries(Object.entries(fields).sort());
