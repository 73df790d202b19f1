"""A sync of tables that is cut short, wherever, ends as one that was not: by the clock, by death, by another's hand."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import Record, SourceId
from bokit.core.model.runs import Outcome
from bokit.engine.runs.messages import SQL_ROUTE, BatchMessage, Forwarded, RunMessage, read_message
from bokit.outlets.memory import MemoryQueue
from tests.engine.house import Counting, Died
from tests.engine.ledger import CLIENTS, File, Ledger

LINES = {"table": "lines", "collection": "lines", "key": ["scac"]}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of four rows, pages of three, batches of two, a checkpoint at every second chunk."""
    for place in ("core.tables.chunks", "engine.tables.ranges"):
        monkeypatch.setattr(f"bokit.{place}.CHUNK_ROWS", 4)
    for place in ("ranges", "missing", "table"):
        monkeypatch.setattr(f"bokit.engine.tables.{place}.BATCH", 2)
    monkeypatch.setattr("bokit.engine.tables.ranges.CHECKPOINT", 2)
    monkeypatch.setattr("bokit.sources.sql.query.PAGE_ROWS", 3)


@pytest.fixture
def file(tmp_path: Path) -> File:
    """A database with forty clients and twenty lines."""
    made = File(tmp_path)
    made.run("CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT)", "CREATE TABLE lines (scac TEXT PRIMARY KEY, name TEXT)")
    made.run("INSERT INTO clients VALUES (?, ?)", rows=[(n, f"Client {n}") for n in range(40)])
    made.run("INSERT INTO lines VALUES (?, ?)", rows=[(f"L{n:02d}", f"Line {n}") for n in range(20)])
    return made


def change_all_over(file: File) -> None:
    """Change, add and delete rows at the beginning, in the middle and at the end."""
    file.run(
        "UPDATE clients SET name = name || '!' WHERE id % 7 = 0",
        "DELETE FROM clients WHERE id IN (3, 18, 39)",
        "INSERT INTO clients VALUES (100, 'new'), (-5, 'new')",
        "UPDATE lines SET name = 'X' WHERE scac = 'L19'",
        "DELETE FROM lines WHERE scac = 'L00'",
    )


def state_of(ledger: Ledger) -> dict[str, tuple[Any, ...]]:
    """Return all that a reader sees of the records, without times."""

    def told(record: Record) -> tuple[Any, ...]:
        lines = [(c.action, sorted(c.fields)) for c in ledger.changes(record)]
        return dict(record.fields), str(record.presence), sorted(map(str, lines))

    return {r.id: told(r) for name in ("clients", "lines") for r in ledger.records(name).values()}


def truth(file: File) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the states that an undisturbed engine comes to: after the first sync, and after the changes."""
    ledger = Ledger(file.url)
    ledger.add_source(CLIENTS, LINES, on_missing="mark")
    ledger.sync()
    first = state_of(ledger)
    change_all_over(file)
    ledger.sync()
    return first, state_of(ledger)


class Sand:
    """An hourglass: every look at it takes a grain, and it is turned for each worker."""

    def __init__(self, grains: float) -> None:
        self.grains, self.left = grains, grains

    def turn(self) -> Callable[[], float]:
        self.left = self.grains
        return self.look

    def look(self) -> float:
        self.left -= 10
        return self.left


@pytest.mark.parametrize("grains", [100, 150, 400, 2000])
def test_a_sync_goes_on_where_its_worker_ended(file: File, tmp_path: Path, grains: float) -> None:
    """However short workers live, one after the other comes to the same end, and to counts of the whole."""
    ledger = Ledger(file.url, queue=True)
    source = ledger.add_source(CLIENTS, LINES, on_missing="mark")
    glass, states, created = Sand(grains), [], 0
    for _ in range(2):
        ledger.bokit.tick()
        assert ledger.queue is not None
        for _ in range(400):
            if not ledger.queue.bodies:
                break
            message = read_message(ledger.queue.bodies.pop(0))
            assert (message.route, isinstance(message, BatchMessage)) == (SQL_ROUTE, True)
            ledger.bokit.work(message, seconds_left=glass.turn())
        assert not ledger.queue.bodies
        states.append(state_of(ledger))
        run = next(iter(ledger.store.load_runs(DEFAULT_TENANT, limit=1).items))
        assert [s.outcome for s in run.sources] == [Outcome.CHANGED]
        created += run.counts["created"]
        if len(states) == 1:
            assert (run.counts["seen"], run.counts["created"], run.counts["unchanged"]) == (60, 60, 0)
            change_all_over(file)
            ledger.clock.move(minutes=6)
    assert (run.counts["seen"], run.counts["created"], run.counts["updated"], run.counts["missing"]) == (58, 2, 7, 4)
    (tmp_path / "again").mkdir()
    other = File(tmp_path / "again")
    _fill(other)
    assert states == list(truth(other))
    assert not ledger.store.load_snapshot(source).memory


def _fill(made: File) -> None:
    made.run("CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT)", "CREATE TABLE lines (scac TEXT PRIMARY KEY, name TEXT)")
    made.run("INSERT INTO clients VALUES (?, ?)", rows=[(n, f"Client {n}") for n in range(40)])
    made.run("INSERT INTO lines VALUES (?, ?)", rows=[(f"L{n:02d}", f"Line {n}") for n in range(20)])


def test_a_triggered_run_goes_on_too(file: File) -> None:
    """A run through the queue is ended once, by whoever reads the last part."""
    from bokit.engine.runs.manual import SyncRequest

    ledger = Ledger(file.url, queue=True)
    source = ledger.add_source(CLIENTS, LINES)
    ledger.bokit.queued_runs.trigger(SyncRequest(tenant=DEFAULT_TENANT, source_ids=(source.id,)))
    glass, parts = Sand(150), 0
    assert ledger.queue is not None
    while ledger.queue.bodies:
        message = read_message(ledger.queue.bodies.pop(0))
        assert isinstance(message, RunMessage)
        ledger.bokit.work(message, seconds_left=glass.turn())
        parts += 1
        assert parts < 100
    (run,) = ledger.store.load_runs(DEFAULT_TENANT).items
    assert parts > 2
    assert (run.counts["seen"], run.counts["created"]) == (60, 60)


@pytest.mark.parametrize("after", [False, True])
def test_a_death_at_any_write_changes_nothing_in_the_end(file: File, tmp_path: Path, after: bool) -> None:
    """The process dies before, or after, every call that a sync makes: the next one brings about the very same state."""
    (tmp_path / "again").mkdir()
    other = File(tmp_path / "again")
    _fill(other)
    first, second = truth(other)
    deaths = 0
    for at in range(1 + after, 400, 5):
        (tmp_path / f"{at}").mkdir()
        mine = File(tmp_path / f"{at}")
        _fill(mine)
        ledger = Ledger(mine.url)
        ledger.add_source(CLIENTS, LINES, on_missing="mark")
        died = _die_at(ledger, at, after=after)
        ledger.bokit = ledger.assemble()
        ledger.sync(advance=600)
        assert state_of(ledger) == first
        change_all_over(mine)
        died |= _die_at(ledger, at, after=after)
        ledger.bokit = ledger.assemble()
        ledger.sync(advance=600)
        assert state_of(ledger) == second
        assert ledger.report().outcome is Outcome.UNCHANGED
        deaths += died
        if not died:
            break
    assert deaths > 8


def _die_at(ledger: Ledger, at: int, *, after: bool) -> bool:
    """Sync until call number *at*; tell whether the sync came so far."""
    store = Counting(ledger.store)
    store.die_at, store.die_after = at, after
    ledger.bokit = ledger.assemble(store)
    try:
        ledger.sync()
    except Died:
        return True
    return False


@pytest.mark.parametrize("seed", range(6))
def test_rows_that_change_back_after_a_death_are_mended(file: File, seed: int) -> None:
    """Who dies with half of a change written leaves a trace: a table that is what it was before is compared row by row."""
    ledger = Ledger(file.url)
    ledger.add_source(CLIENTS)
    ledger.sync()
    before = {key: r.fields for key, r in ledger.records().items()}
    file.run("UPDATE clients SET name = name || '!'")
    assert _die_at(ledger, random.Random(seed).randint(16, 40), after=True)
    file.run("UPDATE clients SET name = replace(name, '!', '')")
    ledger.bokit = ledger.assemble()
    ledger.sync(advance=600)
    assert {key: r.fields for key, r in ledger.records().items()} == before


def test_a_row_that_moves_between_two_parts_is_not_missed(file: File) -> None:
    """A row whose key moves from what is yet to be read to what was read is not taken for gone, nor doubled."""
    ledger = Ledger(file.url, queue=True)
    ledger.add_source(CLIENTS, on_missing="delete")
    ledger.bokit.tick()
    assert ledger.queue is not None
    glass = Sand(2000)
    ledger.bokit.work(read_message(ledger.queue.bodies.pop()), seconds_left=glass.turn())
    ledger.clock.move(minutes=6)
    file.run("UPDATE clients SET name = 'changed' WHERE id IN (0, 20)")
    ledger.bokit.tick()
    glass.grains = 100
    moved = False
    while ledger.queue.bodies:
        ledger.bokit.work(read_message(ledger.queue.bodies.pop()), seconds_left=glass.turn())
        if not moved:
            file.run("UPDATE clients SET id = -1 WHERE id = 39")
            moved = True
    assert moved
    assert {k for k, presence in ledger.presences().items() if presence != "present"} <= {"39"}
    ledger.clock.move(minutes=6)
    ledger.bokit.tick()
    ledger.bokit.work(read_message(ledger.queue.bodies.pop()))
    assert {k for k, presence in ledger.presences().items() if presence != "present"} == {"39"}
    assert len(ledger.records()) == 41


def test_another_worker_takes_what_the_lease_lost(file: File) -> None:
    """Whose lease runs out while it reads writes nothing more, once another has synced the source."""
    ledger = Ledger(file.url)
    source = ledger.add_source(CLIENTS)
    ledger.sync()
    file.run("UPDATE clients SET name = 'X'")
    slow = Ledger.assemble(ledger)
    sync = slow.source_sync
    real, once = ledger.store.find_records, []

    def find_slowly(*args: Any) -> Any:
        if not once:
            once.append(True)
            ledger.clock.move(minutes=10)
            assert ledger.report().outcome is Outcome.CHANGED
        return real(*args)

    ledger.store.find_records = find_slowly  # type: ignore[method-assign]
    ledger.bokit = slow
    ledger.clock.move(minutes=6)
    report = ledger.report()
    assert sync is slow.source_sync
    assert report.outcome is Outcome.SKIPPED
    assert len(ledger.changes(ledger.records()["1"])) == 2
    assert ledger.store.load_head(source).failure is None


def test_messages_about_databases_are_passed_on(file: File) -> None:
    """A worker without the databases' libraries sends them on as they are; the one that has them syncs."""
    from dataclasses import replace

    ledger = Ledger(file.url, queue=True)
    ledger.add_source(CLIENTS)
    ledger.bokit.tick()
    assert ledger.queue is not None
    (body,) = ledger.queue.bodies
    elsewhere = MemoryQueue()
    plain = type(ledger.bokit)(replace(ledger.bokit._parts, sql_queue=elsewhere))
    assert plain.work(read_message(body)) == Forwarded(route=SQL_ROUTE)
    assert elsewhere.bodies == [body]
    assert ledger.records() == {}
    ledger.bokit.work(read_message(body))
    assert len(ledger.records()) == 40


def test_ids_of_sources_may_look_like_anything() -> None:
    """A message's lane is its shard's, not its source's."""
    message = RunMessage(run_id="run_1", tenant=DEFAULT_TENANT, source_ids=(SourceId("sql_1"),))  # type: ignore[arg-type]
    assert read_message(message.to_json()).route == "shard"
