"""A sync of tables that is cut short, wherever, ends as one that was not: by the clock, by death, by another's hand."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import Record, SourceId
from bokit.core.model.runs import Outcome
from bokit.engine.runs.messages import SQL_ROUTE, BatchMessage, Forwarded, RunMessage, read_message
from bokit.outlets.memory import MemoryQueue
from bokit.values import replace
from tests.support.rows_app import CallCounter, Died
from tests.support.sql_app import CLIENTS, SqlApp, SqliteFile, TimeBudget, shrink_tables

LINES = {"table": "lines", "collection": "lines", "key": ["scac"]}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small chunks, pages and batches."""
    shrink_tables(monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> SqliteFile:
    """A database with forty clients and twenty lines."""
    made = SqliteFile(tmp_path)
    made.run("CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT)", "CREATE TABLE lines (scac TEXT PRIMARY KEY, name TEXT)")
    made.run("INSERT INTO clients VALUES (?, ?)", rows=[(n, f"Client {n}") for n in range(40)])
    made.run("INSERT INTO lines VALUES (?, ?)", rows=[(f"L{n:02d}", f"Line {n}") for n in range(20)])
    return made


def change_all_over(file: SqliteFile) -> None:
    """Change, add and delete rows at the beginning, in the middle and at the end."""
    file.run(
        "UPDATE clients SET name = name || '!' WHERE id % 7 = 0",
        "DELETE FROM clients WHERE id IN (3, 18, 39)",
        "INSERT INTO clients VALUES (100, 'new'), (-5, 'new')",
        "UPDATE lines SET name = 'X' WHERE scac = 'L19'",
        "DELETE FROM lines WHERE scac = 'L00'",
    )


def state_of(app: SqlApp) -> dict[str, tuple[Any, ...]]:
    """Return all that a reader sees of the records, without times."""

    def content(record: Record) -> tuple[Any, ...]:
        lines = [(c.action, sorted(c.fields)) for c in app.changes(record)]
        return dict(record.fields), str(record.presence), sorted(map(str, lines))

    return {r.id: content(r) for name in ("clients", "lines") for r in app.records(name).values()}


def truth(file: SqliteFile) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the states that an undisturbed engine comes to: after the first sync, and after the changes."""
    app = SqlApp(file.url)
    app.add_source(CLIENTS, LINES, on_missing="mark")
    app.sync()
    first = state_of(app)
    change_all_over(file)
    app.sync()
    return first, state_of(app)


@pytest.mark.parametrize("seconds", [100, 150, 400, 2000])
def test_a_sync_goes_on_where_its_worker_ended(file: SqliteFile, tmp_path: Path, seconds: float) -> None:
    """However short the workers' time is, one after the other reaches the same end and the same total counts."""
    app = SqlApp(file.url, queue=True)
    source = app.add_source(CLIENTS, LINES, on_missing="mark")
    budget, states, created = TimeBudget(seconds), [], 0
    for _ in range(2):
        app.bokit.tick()
        assert app.queue is not None
        for _ in range(400):
            if not app.queue.bodies:
                break
            message = read_message(app.queue.bodies.pop(0))
            assert (message.route, isinstance(message, BatchMessage)) == (SQL_ROUTE, True)
            app.bokit.work(message, seconds_left=budget.start())
        assert not app.queue.bodies
        states.append(state_of(app))
        run = next(iter(app.store.load_runs(DEFAULT_TENANT, limit=1).items))
        assert [s.outcome for s in run.sources] == [Outcome.CHANGED]
        created += run.counts["created"]
        if len(states) == 1:
            assert (run.counts["seen"], run.counts["created"], run.counts["unchanged"]) == (60, 60, 0)
            change_all_over(file)
            app.clock.move(minutes=6)
    assert (run.counts["seen"], run.counts["created"], run.counts["updated"], run.counts["missing"]) == (58, 2, 7, 4)
    (tmp_path / "again").mkdir()
    other = SqliteFile(tmp_path / "again")
    _fill(other)
    assert states == list(truth(other))
    assert not app.store.load_snapshot(source).memory


def _fill(made: SqliteFile) -> None:
    made.run("CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT)", "CREATE TABLE lines (scac TEXT PRIMARY KEY, name TEXT)")
    made.run("INSERT INTO clients VALUES (?, ?)", rows=[(n, f"Client {n}") for n in range(40)])
    made.run("INSERT INTO lines VALUES (?, ?)", rows=[(f"L{n:02d}", f"Line {n}") for n in range(20)])


def test_a_triggered_run_goes_on_too(file: SqliteFile) -> None:
    """A run through the queue is ended once, by the process that reads the last part."""
    from bokit.engine.runs.manual import SyncRequest

    app = SqlApp(file.url, queue=True)
    source = app.add_source(CLIENTS, LINES)
    app.bokit.queued_runs.trigger(SyncRequest(tenant=DEFAULT_TENANT, source_ids=(source.id,)))
    budget, parts = TimeBudget(75), 0
    assert app.queue is not None
    while app.queue.bodies:
        message = read_message(app.queue.bodies.pop(0))
        assert isinstance(message, RunMessage)
        app.bokit.work(message, seconds_left=budget.start())
        parts += 1
        assert parts < 100
    (run,) = app.store.load_runs(DEFAULT_TENANT).items
    assert parts > 2
    assert (run.counts["seen"], run.counts["created"]) == (60, 60)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_a_death_at_any_write_changes_nothing_in_the_end(file: SqliteFile, tmp_path: Path, after: bool) -> None:
    """The process dies before, or after, every call that a sync makes: the next one reaches the same state."""
    (tmp_path / "again").mkdir()
    other = SqliteFile(tmp_path / "again")
    _fill(other)
    first, second = truth(other)
    deaths = 0
    for at in range(1 + after, 400, 5):
        (tmp_path / f"{at}").mkdir()
        mine = SqliteFile(tmp_path / f"{at}")
        _fill(mine)
        app = SqlApp(mine.url)
        app.add_source(CLIENTS, LINES, on_missing="mark")
        died = _die_at(app, at, after=after)
        app.bokit = app.assemble()
        app.sync(advance=600)
        assert state_of(app) == first
        change_all_over(mine)
        died |= _die_at(app, at, after=after)
        app.bokit = app.assemble()
        app.sync(advance=600)
        assert state_of(app) == second
        assert app.report().outcome is Outcome.UNCHANGED
        deaths += died
        if not died:
            break
    assert deaths > 8


def _die_at(app: SqlApp, at: int, *, after: bool) -> bool:
    """Sync until call number *at*; return whether the sync came so far."""
    store = CallCounter(app.store)
    store.die_at, store.die_after = at, after
    app.bokit = app.assemble(store)
    try:
        app.sync()
    except Died:
        return True
    return False


@pytest.mark.parametrize("seed", range(6))
def test_rows_that_change_back_after_a_death_are_corrected(file: SqliteFile, seed: int) -> None:
    """After a crash with half of a change written, the next sync compares the whole table, even if it is unchanged."""
    app = SqlApp(file.url)
    app.add_source(CLIENTS)
    app.sync()
    before = {key: r.fields for key, r in app.records().items()}
    file.run("UPDATE clients SET name = name || '!'")
    assert _die_at(app, random.Random(seed).randint(16, 40), after=True)
    file.run("UPDATE clients SET name = replace(name, '!', '')")
    app.bokit = app.assemble()
    app.sync(advance=600)
    assert {key: r.fields for key, r in app.records().items()} == before


def test_a_row_that_moves_between_two_parts_is_not_missed(file: SqliteFile) -> None:
    """A row whose key moves from what is yet to be read to what was read is not taken for gone, nor doubled."""
    app = SqlApp(file.url, queue=True)
    app.add_source(CLIENTS, on_missing="delete")
    app.bokit.tick()
    assert app.queue is not None
    budget = TimeBudget(2000)
    app.bokit.work(read_message(app.queue.bodies.pop()), seconds_left=budget.start())
    app.clock.move(minutes=6)
    file.run("UPDATE clients SET name = 'changed' WHERE id IN (0, 20)")
    app.bokit.tick()
    budget.seconds = 100
    moved = False
    while app.queue.bodies:
        app.bokit.work(read_message(app.queue.bodies.pop()), seconds_left=budget.start())
        if not moved:
            file.run("UPDATE clients SET id = -1 WHERE id = 39")
            moved = True
    assert moved
    assert {k for k, presence in app.presences().items() if presence != "present"} <= {"39"}
    app.clock.move(minutes=6)
    app.bokit.tick()
    app.bokit.work(read_message(app.queue.bodies.pop()))
    assert {k for k, presence in app.presences().items() if presence != "present"} == {"39"}
    assert len(app.records()) == 41


def test_another_worker_takes_what_the_lease_lost(file: SqliteFile) -> None:
    """Whose lease runs out while it reads writes nothing more, once another has synced the source."""
    app = SqlApp(file.url)
    source = app.add_source(CLIENTS)
    app.sync()
    file.run("UPDATE clients SET name = 'X'")
    slow = SqlApp.assemble(app)
    sync = slow.source_sync
    real, once = app.store.find_records, []

    def find_slowly(*args: Any) -> Any:
        if not once:
            once.append(True)
            app.clock.move(minutes=10)
            assert app.report().outcome is Outcome.CHANGED
        return real(*args)

    app.store.find_records = find_slowly  # type: ignore[method-assign]
    app.bokit = slow
    app.clock.move(minutes=6)
    report = app.report()
    assert sync is slow.source_sync
    assert report.outcome is Outcome.SKIPPED
    assert len(app.changes(app.records()["1"])) == 2
    assert app.store.load_head(source).failure is None


def test_messages_about_databases_are_passed_on(file: SqliteFile) -> None:
    """A worker without the databases' libraries sends them on, one hop further; the one that has them syncs."""
    app = SqlApp(file.url, queue=True)
    app.add_source(CLIENTS)
    app.bokit.tick()
    assert app.queue is not None
    (body,) = app.queue.bodies
    elsewhere = MemoryQueue()
    plain = type(app.bokit)(replace(app.bokit._parts, sql_queue=elsewhere))
    assert plain.work(read_message(body)) == Forwarded(route=SQL_ROUTE)
    assert [read_message(sent) for sent in elsewhere.bodies] == [replace(read_message(body), hops=1)]
    assert app.records() == {}
    app.bokit.work(read_message(body))
    assert len(app.records()) == 40


def test_ids_of_sources_may_look_like_anything() -> None:
    """A message's queue is its shard's, not its source's."""
    message = RunMessage(run_id="run_1", tenant=DEFAULT_TENANT, source_ids=(SourceId("sql_1"),))  # type: ignore[arg-type]
    assert read_message(message.to_json()).route == "shard"


class Meeting:
    """A store on which two workers acquire one lease one after the other, and the later one ends before the earlier goes on."""

    def __init__(self, store: Any) -> None:
        self.store, self.is_there, self.is_over = store, threading.Event(), threading.Event()
        self.later = threading.Thread()

    def earlier(self) -> Any:
        return _Meets(self.store, self._acquire_first)

    def _acquire_first(self, *args: Any, **given: Any) -> Any:
        self.later.start()
        assert self.is_there.wait(20)
        lease = self.store.acquire_lease(*args, **given)
        self.is_over.set()
        self.later.join(20)
        return lease

    def _acquire_next(self, *args: Any, **given: Any) -> Any:
        self.is_there.set()
        assert self.is_over.wait(20)
        return self.store.acquire_lease(*args, **given)


class _Meets:
    """One worker's side: its first lease is acquired as *acquire* does."""

    def __init__(self, inner: Any, acquire: Callable[..., Any]) -> None:
        self._inner, self._first = inner, {"acquire_lease": acquire}

    def __getattr__(self, name: str) -> Any:
        return self._first.pop(name, None) or getattr(self._inner, name)


def test_a_message_in_two_hands_is_worked_by_one_of_them(file: SqliteFile) -> None:
    """Each takes the lease from the other, and what both have read may be old: one begins again, the other one ends."""
    app = SqlApp(file.url, queue=True)
    source = app.add_source(CLIENTS)
    app.bokit.tick()
    assert app.queue is not None
    message = read_message(app.queue.bodies.pop())
    assert isinstance(message, BatchMessage)
    meeting, reports = Meeting(app.store), []
    later = app.assemble(store=_Meets(app.store, meeting._acquire_next))
    meeting.later = threading.Thread(target=lambda: reports.append(later.work(message)))

    report = app.assemble(store=meeting.earlier()).work(message)

    outcomes = sorted(str(run.sources[0].outcome) for made in (*reports, report) for run in made.runs)
    assert outcomes == ["changed", "skipped"]
    assert (app.schedule(source).failures, app.alerts.notices) == (0, {})
    assert [len(app.changes(record)) for record in app.records().values()] == [1] * 40


def test_rows_that_another_worker_has_read_since_are_not_written_back(file: SqliteFile) -> None:
    """A worker has read a row, another one reads and stores the row's next state: the first one stores nothing of the old."""
    app = SqlApp(file.url)
    app.add_source(CLIENTS)
    app.sync()
    file.run("UPDATE clients SET name = 'first' WHERE id = 7")

    def change_and_sync(*args: Any, **given: Any) -> Any:
        file.run("UPDATE clients SET name = 'second' WHERE id = 7")
        app.sync(advance=0)
        return app.store.acquire_lease(*args, **given)

    app.clock.move(minutes=6)
    app.queue = MemoryQueue()
    slow = app.assemble(store=_Meets(app.store, change_and_sync))
    slow.tick()
    slow.work(read_message(app.queue.bodies.pop()))

    record = next(r for r in app.records().values() if r.fields["id"] == 7)
    names = [change.fields["name"].after for change in app.changes(record)]
    assert record.fields["name"] == "second"
    assert names == ["second", "Client 7"]
