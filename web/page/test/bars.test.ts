import assert from "node:assert/strict";
import { test } from "node:test";
import { seeded } from "../../client/test/world.ts";
import { layOut, type Row, stopAt, stopBeside, within } from "../src/bars.ts";
import { dateOf, dayOf, isWeekend, weekdayOf } from "../src/days.ts";

const FIRST = dayOf("2026-07-01");

const at = (day: number) => dateOf(FIRST + day);

function booking(id: string, from: number, until: number, more: object = {}): any {
  const dates = { check_in: at(from), check_out: at(until) };
  return { id, kind: "reservation", state: "own", blocks_nights: true, echo_of: [], edits: {}, ...dates, ...more };
}

/** Return what is drawn: a bar's look and nights. */
const drawn = ({ bars }: Row) => bars.map(({ booking, look, from, until }) => [booking.id, look, from - FIRST, until - FIRST]);

test("1,000 units by chance: bars of a lane share no night, and there are as few lanes as can be", () => {
  const random = seeded(7);
  for (let round = 0; round < 1000; round++) {
    const bookings = Array.from({ length: 1 + Math.floor(random() * 12) }, (_, at) => {
      const from = Math.floor(random() * 40);
      return booking(`b${at}`, from, from + 1 + Math.floor(random() * 6));
    });
    const { bars, lanes } = layOut(bookings);
    assert.equal(bars.length, bookings.length);
    const most = Math.max(
      ...Array.from(
        { length: 50 },
        (_, night) => bars.filter((bar) => bar.from <= FIRST + night && FIRST + night < bar.until).length,
      ),
    );
    assert.equal(lanes, Math.max(1, most));
    for (const bar of bars)
      for (const other of bars)
        assert.ok(bar === other || bar.lane !== other.lane || bar.until <= other.from || other.until <= bar.from);
  }
});

test("1,000 units by chance: arrows reach every bar, every mark and every free night, and come back", () => {
  const random = seeded(11);
  for (let round = 0; round < 1000; round++) {
    const bookings = Array.from({ length: 1 + Math.floor(random() * 8) }, (_, at) => {
      const from = 3 + Math.floor(random() * 20);
      return booking(`b${at}`, from, from + 1 + Math.floor(random() * 6));
    });
    const conflict = { id: "c", nights: [at(6), at(7), at(9)], bookings: [], status: "open" } as any;
    const row = layOut(bookings, [conflict]);
    const seen: string[] = [];
    let stop = stopAt(row, FIRST);
    for (; stop.from < FIRST + 40; stop = stopBeside(row, stop, 1)) seen.push(stop.key);
    const free = Array.from({ length: 40 }, (_, day) => FIRST + day).filter(
      (night) =>
        ![...row.bars, ...row.marks.map((mark) => ({ ...mark, until: mark.from + 1 }))].some(
          (stop) => stop.from <= night && night < stop.until,
        ),
    );
    const wanted = [...row.bars, ...row.marks].map(({ key }) => key).concat(free.map(String));
    assert.deepEqual([...seen].sort(), wanted.sort());
    const back: string[] = [];
    for (stop = stopBeside(row, stop, -1); stop.from >= FIRST; stop = stopBeside(row, stop, -1)) back.push(stop.key);
    assert.deepEqual(back.reverse(), seen);
  }
});

test("a conflict marks the bookings that the API names, and its nights", () => {
  const conflict = { id: "c1", nights: [at(2), at(3), at(8)], bookings: ["a", "b"], status: "open" } as any;
  const { bars, marks } = layOut([booking("a", 1, 9), booking("b", 2, 4), booking("d", 2, 4)], [conflict]);
  assert.deepEqual(
    bars.map((bar) => [bar.booking.id, bar.conflict?.id]),
    [
      ["a", "c1"],
      ["b", "c1"],
      ["d", undefined],
    ],
  );
  assert.deepEqual(
    marks.map(({ from, until }) => [from - FIRST, until - FIRST]),
    [
      [2, 4],
      [8, 9],
    ],
  );
});

test("guests who leave and arrive on the same day stand in one lane", () => {
  const { bars, lanes } = layOut([booking("a", 1, 4), booking("b", 4, 6), booking("c", 7, 8)]);
  assert.deepEqual([lanes, ...bars.map((bar) => bar.isTurnover)], [1, false, true, false]);
});

test("echoes are drawn as a part of what they repeat, but for nights that it does not hold", () => {
  const row = layOut([
    booking("original", 1, 3),
    booking("next", 3, 5),
    booking("echo", 1, 3, { state: "echo", echo_of: ["original"] }),
    booking("joined", 1, 5, { state: "echo", echo_of: ["original", "next"] }),
    booking("longer", 1, 7, { state: "echo", echo_of: ["original"] }),
    booking("linked", 8, 9, { state: "echo", echo_of: ["elsewhere"] }),
  ]);
  assert.deepEqual(drawn(row), [
    ["original", "reservation", 1, 3],
    ["longer", "echo", 1, 7],
    ["next", "reservation", 3, 5],
    ["linked", "echo", 8, 9],
  ]);
  assert.deepEqual(
    row.bars[0]?.echoes.map(({ id }) => id),
    ["echo", "joined", "longer"],
  );
});

test("what holds no night is not drawn; a fading booking is", () => {
  const row = layOut([
    booking("cancelled", 7, 9, { blocks_nights: false, state: null }),
    booking("fading", 10, 12, { blocks_nights: false, state: "fading", fading_nights: [at(10)] }),
    booking("backwards", 5, 4),
    { ...booking("dateless", 1, 2), check_in: null },
  ]);
  assert.deepEqual(drawn(row), [["fading", "fading", 10, 12]]);
});

test("nights that are held beyond the dates are drawn, released ones are not", () => {
  const row = layOut([
    booking("shortened", 2, 4, { held_nights: [[at(1), at(6)]] }),
    booking("moved", 10, 12, {
      held_nights: [
        [at(8), at(9)],
        [at(10), at(12)],
      ],
    }),
    booking("released", 14, 18, { held_nights: [[at(14), at(15)]] }),
  ]);
  assert.deepEqual(drawn(row), [
    ["shortened", "held", 1, 2],
    ["shortened", "reservation", 2, 4],
    ["shortened", "held", 4, 6],
    ["moved", "held", 8, 9],
    ["moved", "reservation", 10, 12],
    ["released", "reservation", 14, 15],
  ]);
});

test("a window has a strip of its own, but for nights that a guard keeps closed", () => {
  const row = layOut([
    booking("a", 1, 3),
    {
      ...booking("window", 0, 0, {
        kind: "window",
        state: "window",
        held_nights: [[at(0), at(9)]],
        provisional_nights: [[at(4), at(6)]],
      }),
      check_in: null,
      check_out: null,
    },
  ]);
  assert.deepEqual(drawn(row), [
    ["window", "window", 0, 4],
    ["a", "reservation", 1, 3],
    ["window", "held", 4, 6],
    ["window", "window", 6, 9],
  ]);
  assert.deepEqual([row.lanes, ...row.bars.map(({ lane }) => lane)], [1, -1, 0, 0, -1]);
});

test("bars that did not change are the same objects, whatever else did", () => {
  const [a, b, c] = [booking("a", 0, 2), booking("b", 2, 5), booking("c", 9, 12)];
  const conflict = { id: "c1", nights: [at(9)], bookings: ["c"], status: "open" } as any;
  const before = layOut([a, b, c], [conflict]);
  const kept = (row: Row) => row.bars.filter((bar) => before.bars.includes(bar)).map((bar) => bar.booking.id);
  assert.deepEqual(kept(layOut([a, b, c], [conflict], before)), ["a", "b", "c"]);
  // b no longer arrives when a leaves
  assert.deepEqual(kept(layOut([booking("a", 0, 1), b, c], [conflict], before)), ["c"]);
  assert.deepEqual(kept(layOut([a, { ...b, guest_name: "Eve" }, c], [conflict], before)), ["a", "c"]);
  assert.deepEqual(kept(layOut([a, b, c], [{ ...conflict, status: "acknowledged" }], before)), ["a", "b"]);
  assert.deepEqual(kept(layOut([a, b, c, booking("d", 14, 15)], [conflict], before)), ["a", "b", "c"]);
});

test("only bars with a day in view are drawn", () => {
  const row = layOut([booking("a", 0, 2), booking("b", 2, 5), booking("c", 9, 12)]);
  assert.deepEqual(
    within(row.bars, FIRST + 5, FIRST + 9).map((bar) => bar.booking.id),
    ["b"],
  );
});

test("days are counted as calendars do", () => {
  for (let day = -800_000; day < 800_000; day += 12_345) {
    assert.equal(dayOf(dateOf(Math.max(day, dayOf("0001-01-01")))), Math.max(day, dayOf("0001-01-01")));
    assert.equal(weekdayOf(day), new Date(day * 86_400_000).getUTCDay());
  }
  assert.deepEqual(
    ["2026-07-03", "2026-07-04", "2026-07-05", "2026-07-06"].map((date) => isWeekend(dayOf(date))),
    [false, true, true, false],
  );
});
