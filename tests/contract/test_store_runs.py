"""What every store does with open runs, and with the first answers to requests that come again."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.plan import Action, ActionKind
from bokit.core.model.records import RunId, SourceId, TenantId
from bokit.core.model.runs import IdempotentResponse, OpenRun, Outcome, RunStatus, RunStep, SourceReport
from bokit.errors import InputError, StoreConflictError, UnknownIdError
from bokit.store.protocols import Store
from bokit.values import replace
from tests.support.builders import DAY, HOUR, NAUGHTY_STRINGS, NOW, a_record, a_report, an_answer, an_open_run
from tests.support.steps import OTHER, close

TICK = timedelta(microseconds=1)


def begin(store: Store, open_run: OpenRun, answered: IdempotentResponse | None = None) -> IdempotentResponse | None:
    """Open a run at NOW."""
    return store.open_run(open_run, expires_at=NOW + DAY, answered=answered, now=NOW)


def report_of(source: str, **given: object) -> SourceReport:
    """Return the report of one source."""
    return a_report(source_id=SourceId(source), **given)


def report(store: Store, open_run: OpenRun, *sources: str) -> OpenRun | None:
    """Report *sources* of an open run."""
    return store.report_sources(open_run.run.tenant, open_run.run.run_id, [report_of(source) for source in sources])


def test_an_open_run_comes_back_whole(store: Store) -> None:
    """An open run comes back with all that it was asked, and stands in the history as queued."""
    open_run = an_open_run(
        "a#b",
        "部屋",
        "x.y",
        tenant=TenantId("t#1"),
        run_id=RunId("run#1"),
        new_only=False,
        force=True,
        overdue_at=NOW + TICK,
        dry_run=True,
    )
    assert begin(store, open_run) is None

    assert store.find_open_run(open_run.run.tenant, open_run.run.run_id) == open_run
    assert store.load_run(open_run.run.tenant, open_run.run.run_id) == open_run.run
    assert store.load_runs(open_run.run.tenant).items == (open_run.run,)


def test_a_report_lets_its_source_wait_no_longer(store: Store) -> None:
    """Each report takes its source from those that are waited for; the run is running from the first one on."""
    open_run = an_open_run("a", "b", "c")
    begin(store, open_run)
    first = report(store, open_run, "b")
    second = report(store, open_run, "c", "a")

    assert first == replace(
        open_run, pending=frozenset({"a", "c"}), run=replace(open_run.run, status=RunStatus.RUNNING, sources=(report_of("b"),))
    )
    assert second.is_done
    assert second.run.sources == (report_of("a"), report_of("b"), report_of("c"))
    assert store.find_open_run(DEFAULT_TENANT, open_run.run.run_id) == second
    assert store.load_run(DEFAULT_TENANT, open_run.run.run_id) == second.run == store.load_runs(DEFAULT_TENANT).items[0]


def test_a_report_that_comes_again_is_dropped(store: Store) -> None:
    """The first report of a source stands, and one of a source that is not waited for is nothing."""
    open_run = an_open_run("a", "b")
    begin(store, open_run)
    reported = report(store, open_run, "a")
    late = report_of("a", outcome=Outcome.FAILED)

    for again in ([late], [late, late], [report_of("stranger")], []):
        assert store.report_sources(DEFAULT_TENANT, open_run.run.run_id, again) == reported
    mixed = store.report_sources(DEFAULT_TENANT, open_run.run.run_id, [late, report_of("b"), report_of("stranger"), late])
    assert mixed.run.sources == (report_of("a"), report_of("b"))
    assert mixed.is_done


def test_of_two_reports_in_one_call_the_first_counts(store: Store) -> None:
    """A source that stands twice in one message has one report."""
    open_run = an_open_run("a")
    begin(store, open_run)
    reports = [report_of("a"), report_of("a", outcome=Outcome.FAILED)]

    assert store.report_sources(DEFAULT_TENANT, open_run.run.run_id, reports).run.sources == (report_of("a"),)


def test_a_report_that_nobody_waits_for_begins_nothing(store: Store) -> None:
    """A run stays queued until one of its own sources reports."""
    open_run = an_open_run("a")
    begin(store, open_run)

    assert report(store, open_run, "stranger") == open_run
    assert report(store, open_run) == open_run


def test_a_run_may_wait_for_nobody(store: Store) -> None:
    """A run whose sources were all skipped at once is done when it opens."""
    open_run = an_open_run(sources=(report_of("a", outcome=Outcome.SKIPPED),))
    begin(store, open_run)

    found = store.find_open_run(DEFAULT_TENANT, open_run.run.run_id)
    assert found == open_run
    assert found.is_done
    assert close(store, found)


def test_a_run_is_closed_once(store: Store) -> None:
    """Ending an ended run writes nothing, and a later report finds no run."""
    open_run = an_open_run("a", "b")
    begin(store, open_run)
    reported = report(store, open_run, "a")

    assert close(store, reported, RunStatus.PARTIAL)
    assert not close(store, reported)
    assert report(store, open_run, "b") is None
    assert store.report_sources(DEFAULT_TENANT, open_run.run.run_id, []) is None
    assert store.find_open_run(DEFAULT_TENANT, open_run.run.run_id) is None
    ended = replace(reported.run, status=RunStatus.PARTIAL, finished_at=NOW + HOUR)
    assert store.load_run(DEFAULT_TENANT, open_run.run.run_id) == ended
    assert store.load_runs(DEFAULT_TENANT).items == (ended,)


def test_a_large_run_is_closed_whole(store: Store) -> None:
    """A run whose reports outgrow an item is ended with all of them."""
    open_run = an_open_run("a")
    begin(store, open_run)
    noise = random.Random(1)
    actions = tuple(
        Action(kind=ActionKind.CREATE, before=None, after=a_record(memory={"x": noise.randbytes(400).hex()}), reason="new")
        for _ in range(1000)
    )
    ended = replace(open_run.run, sources=(report_of("a", plan=actions),), status=RunStatus.SUCCEEDED, finished_at=NOW)

    assert store.close_run(ended, expires_at=NOW + DAY)
    assert store.load_run(DEFAULT_TENANT, open_run.run.run_id) == ended == store.load_runs(DEFAULT_TENANT).items[0]


def test_what_was_never_open_is_not_closed(store: Store) -> None:
    """A run that was not opened, or that was written as a whole, is neither closed nor reported to."""
    saved = an_open_run("a")
    store.save_run(saved.run, expires_at=NOW + DAY)
    for open_run in (saved, an_open_run("b")):
        assert not close(store, open_run)
        assert report(store, open_run, "a") is None
    assert store.load_runs(DEFAULT_TENANT).items == (saved.run,)


def test_the_id_of_something_else_finds_no_run(store: Store) -> None:
    """Whatever stands where a run's id should finds no open run."""
    begin(store, an_open_run("a"))
    for text in (*NAUGHTY_STRINGS, "\ud800"):
        assert store.find_open_run(DEFAULT_TENANT, RunId(text)) is None
        assert store.report_sources(DEFAULT_TENANT, RunId(text), [report_of("a")]) is None


def test_a_run_is_opened_once(store: Store) -> None:
    """A run of an id that is there already, open or ended, is a conflict, and nothing of it is kept."""
    open_run = an_open_run("a")
    begin(store, open_run)
    for again in (open_run, an_open_run("b", run_id=open_run.run.run_id)):
        with pytest.raises(StoreConflictError):
            begin(store, again, an_answer())
    close(store, open_run)
    with pytest.raises(StoreConflictError):
        begin(store, open_run)
    assert store.find_answer(DEFAULT_TENANT, "key", NOW) is None


def test_runs_never_cross(store: Store) -> None:
    """Another tenant neither finds, reports to nor closes a run, nor finds its answer."""
    open_run = an_open_run("a")
    begin(store, open_run, an_answer())
    theirs = replace(open_run, run=replace(open_run.run, tenant=OTHER))

    assert store.find_open_run(OTHER, open_run.run.run_id) is None
    assert report(store, theirs, "a") is None
    assert not close(store, theirs)
    assert store.find_answer(OTHER, "key", NOW) is None
    assert store.save_answer(OTHER, an_answer(status=200), NOW) is None
    assert store.find_open_run(DEFAULT_TENANT, open_run.run.run_id) == open_run
    assert store.find_answer(DEFAULT_TENANT, "key", NOW) == an_answer()


def test_the_first_answer_is_repeated(store: Store) -> None:
    """A request under a key that is taken opens no run and gets the first answer."""
    first, second = an_open_run("a"), an_open_run("b")
    mine = an_answer(run_id=first.run.run_id)
    assert begin(store, first, mine) is None

    assert begin(store, second, an_answer(run_id=second.run.run_id, request_hash="other")) == mine
    assert store.find_open_run(DEFAULT_TENANT, second.run.run_id) is None
    assert store.load_runs(DEFAULT_TENANT).items == (first.run,)
    assert store.save_answer(DEFAULT_TENANT, an_answer(status=200), NOW) == mine == store.find_answer(DEFAULT_TENANT, "key", NOW)


def test_an_answer_is_kept_to_its_last_moment(store: Store) -> None:
    """A key is free from the very moment on at which its answer expires, for a run and for a dry one."""
    old = an_answer(expires_at=NOW)
    assert store.save_answer(DEFAULT_TENANT, old, NOW - HOUR) is None

    assert store.find_answer(DEFAULT_TENANT, "key", NOW - TICK) == old
    assert store.save_answer(DEFAULT_TENANT, an_answer(status=200), NOW - TICK) == old
    assert store.find_answer(DEFAULT_TENANT, "key", NOW) is None
    new = an_answer(expires_at=NOW + HOUR)
    assert begin(store, an_open_run("a"), new) is None
    assert store.find_answer(DEFAULT_TENANT, "key", NOW) == new
    last = an_answer(status=200, expires_at=NOW + DAY)
    assert store.save_answer(DEFAULT_TENANT, last, NOW + HOUR) is None
    assert store.find_answer(DEFAULT_TENANT, "key", NOW + HOUR) == last


def test_a_key_is_any_text(store: Store) -> None:
    """Every key is a key of its own, however odd or long; two that differ at their end differ."""
    for n, key in enumerate((*NAUGHTY_STRINGS, "\ud800", "x" * 5001, "部" * 700, "部" * 701)):
        answered = an_answer(key, status=n)
        assert store.save_answer(DEFAULT_TENANT, answered, NOW) is None
        assert store.find_answer(DEFAULT_TENANT, key, NOW) == answered


@pytest.mark.parametrize("size", [0, 1_200_000])
def test_an_answer_comes_back_whole(store: Store, size: int) -> None:
    """An answer comes back with every field and letter, however long its body."""
    body = "\ud800\u2028" + random.Random(size).randbytes(size).hex()
    answered = an_answer(request_hash="#", status=200, body=body, run_id=None, expires_at=NOW + TICK)
    store.save_answer(DEFAULT_TENANT, answered, NOW)

    assert store.find_answer(DEFAULT_TENANT, "key", NOW) == answered
    assert store.save_answer(DEFAULT_TENANT, an_answer(), NOW) == answered


def test_a_removed_tenants_runs_and_answers_are_gone(store: Store) -> None:
    """Nothing is open of a removed tenant, no report is taken, and its keys are free."""
    open_run = an_open_run("a")
    begin(store, open_run, an_answer())
    store.remove_tenant(DEFAULT_TENANT)

    assert store.find_open_run(DEFAULT_TENANT, open_run.run.run_id) is None
    assert report(store, open_run, "a") is None
    assert not close(store, open_run)
    assert store.find_answer(DEFAULT_TENANT, "key", NOW) is None
    assert store.load_runs(DEFAULT_TENANT).items == ()


def test_a_thousand_sources_fit_a_run(shared_store: Store) -> None:
    """A run takes the reports of a thousand sources with all their steps and messages, and keeps the outcome of each."""
    noise = random.Random(1)
    ids = [f"src_{noise.randbytes(9).hex()}" for _ in range(1000)]
    open_run = an_open_run(*ids)
    begin(shared_store, open_run)
    reports = [_a_talkative_report(source, noise) for source in ids]
    for at in range(0, 1000, 100):
        reported = shared_store.report_sources(DEFAULT_TENANT, open_run.run.run_id, reports[at : at + 100])

    assert reported.is_done
    by_id = {given.source_id: given for given in reports}
    assert [kept.source_id for kept in reported.run.sources] == sorted(ids)
    for kept in reported.run.sources:
        given = by_id[kept.source_id]
        assert (kept.outcome, kept.counts, kept.duration_ms) == (given.outcome, given.counts, given.duration_ms)
        assert kept.error
        assert given.error
        assert kept.error["code"] == given.error["code"]
        assert given.name.startswith(kept.name[:40])
        assert kept.name


def test_the_longest_words_of_a_thousand_sources_fit_too(shared_store: Store) -> None:
    """Words that no compression makes shorter hinder no report."""
    noise = random.Random(1)
    ids = [f"{n:04d}" for n in range(1000)]
    open_run = an_open_run(*ids)
    begin(shared_store, open_run)
    words = ["".join(chr(noise.randrange(0x4E00, 0x9FFF)) for _ in range(300)) for _ in ids]
    reports = [
        report_of(source, name=word, error={"code": "c", "message": word}) for source, word in zip(ids, words, strict=True)
    ]
    reported = shared_store.report_sources(DEFAULT_TENANT, open_run.run.run_id, reports)

    assert reported.is_done
    assert all(word.startswith(kept.name[:10]) and kept.name for word, kept in zip(words, reported.run.sources, strict=True))


def _a_talkative_report(source: str, noise: random.Random) -> SourceReport:
    """Return a report of about 3 KB that does not compress."""
    steps = tuple(RunStep(name=noise.randbytes(40).hex(), started_at=NOW, duration_ms=noise.randrange(10**6)) for _ in range(20))
    return a_report(
        source_id=SourceId(source),
        name=noise.randbytes(100).hex(),
        outcome=Outcome.HELD,
        duration_ms=noise.randrange(10**6),
        error={"code": "shrunken-feed", "message": noise.randbytes(200).hex()},
        steps=steps,
        counts={name: noise.randrange(10**4) for name in ("seen", "created", "updated", "unchanged", "refused")},
    )


def test_a_small_run_keeps_its_reports_whole(store: Store) -> None:
    """If there is room, steps and messages are stored unchanged."""
    noise = random.Random(1)
    open_run = an_open_run(*"abcdefghij")
    begin(store, open_run)
    reports = tuple(_a_talkative_report(source, noise) for source in "abcdefghij")

    assert store.report_sources(DEFAULT_TENANT, open_run.run.run_id, reports).run.sources == reports


def test_more_than_a_thousand_sources_are_refused(store: Store) -> None:
    """A run with more sources than it can store reports for is not opened."""
    open_run = an_open_run(*(f"s{n}" for n in range(1001)))
    with pytest.raises(InputError) as caught:
        begin(store, open_run)
    assert caught.value.stable_code == "too-large"
    assert store.load_runs(DEFAULT_TENANT).items == ()


def test_of_many_requests_under_one_key_one_opens_a_run(shared_store: Store) -> None:
    """Eight requests under one key at the same moment: one run is opened, and all the others get its answer."""
    for attempt in range(5):
        opens = [an_open_run("a") for _ in range(8)]
        gate = Barrier(8)

        key = f"key {attempt}"

        def race(n: int, opens: list[OpenRun] = opens, gate: Barrier = gate, key: str = key) -> IdempotentResponse | None:
            gate.wait(timeout=20)
            return begin(shared_store, opens[n], an_answer(key, run_id=opens[n].run.run_id))

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(race, range(8)))
        winners = [open_run.run.run_id for open_run, answer in zip(opens, answers, strict=True) if answer is None]
        assert len(winners) == 1
        assert {answer.run_id for answer in answers if answer} == set(winners)
        found = [open_run for open_run in opens if shared_store.find_open_run(DEFAULT_TENANT, open_run.run.run_id)]
        assert [open_run.run.run_id for open_run in found] == winners


def test_of_many_dry_answers_under_one_key_one_is_kept(shared_store: Store) -> None:
    """Eight dry runs under one key, with large answers: one is kept, and all get that one, every letter of it."""
    noise = random.Random(1)
    mine = [an_answer(status=n, body=noise.randbytes(300_000).hex()) for n in range(8)]
    gate = Barrier(8)

    def race(n: int) -> IdempotentResponse | None:
        gate.wait(timeout=20)
        return shared_store.save_answer(DEFAULT_TENANT, mine[n], NOW)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(race, range(8)))
    [winner] = [n for n, answer in enumerate(answers) if answer is None]
    assert [answer for answer in answers if answer] == [mine[winner]] * 7


def test_a_source_counts_once_however_often_it_is_reported(shared_store: Store) -> None:
    """Thirty-two who report the same sources at the same moment: each counts once, and its whole report is one of theirs."""
    open_run = an_open_run("a", "b", "c")
    begin(shared_store, open_run)
    gate = Barrier(32)

    def race(n: int) -> OpenRun | None:
        gate.wait(timeout=30)
        own = [report_of(source, duration_ms=n, counts={"seen": n}) for source in ("abc", "ab", "cb", "a")[n % 4]]
        return shared_store.report_sources(DEFAULT_TENANT, open_run.run.run_id, own)

    with ThreadPoolExecutor(32) as pool:
        seen = list(pool.map(race, range(32)))
    last = shared_store.find_open_run(DEFAULT_TENANT, open_run.run.run_id)
    assert [reported.source_id for reported in last.run.sources] == ["a", "b", "c"]
    assert all(reported.counts == {"seen": reported.duration_ms} for reported in last.run.sources)
    final = {reported.source_id: reported for reported in last.run.sources}
    assert all(reported == final[reported.source_id] for run in seen for reported in run.run.sources)


def test_side_by_side_reports_lose_none(shared_store: Store) -> None:
    """The reports of sixteen workers at the same time are all stored, and the last one knows that it is the last."""
    open_run = an_open_run(*(f"s{n}" for n in range(32)))
    begin(shared_store, open_run)
    gate = Barrier(16)

    def race(n: int) -> OpenRun | None:
        gate.wait(timeout=30)
        return report(shared_store, open_run, f"s{2 * n}", f"s{2 * n + 1}")

    with ThreadPoolExecutor(16) as pool:
        seen = list(pool.map(race, range(16)))
    assert sum(run.is_done for run in seen) == 1
    assert len(shared_store.find_open_run(DEFAULT_TENANT, open_run.run.run_id).run.sources) == 32


def test_a_run_that_reports_in_groups_is_one_run(store: Store) -> None:
    """How its sources are divided changes nothing: reports come in any mixture, and each source's first counts."""
    open_run = an_open_run("a", "b", "c", "d", "e")
    together = [[SourceId("d"), SourceId("a")], [SourceId("b"), SourceId("d"), SourceId("stranger")]]
    store.open_run(open_run, expires_at=NOW + DAY, answered=None, now=NOW, together=together)
    assert store.find_open_run(DEFAULT_TENANT, open_run.run.run_id) == open_run

    first = report(store, open_run, "e", "a")
    again = report(store, open_run, "a", "b", "stranger")
    last = report(store, open_run, "d", "c", "e")

    assert (first.pending, again.pending, last.pending) == ({"b", "c", "d"}, {"c", "d"}, set())
    assert [r.source_id for r in last.run.sources] == ["a", "b", "c", "d", "e"]
    assert store.load_runs(DEFAULT_TENANT).items == (last.run,)
    assert close(store, last)
    assert report(store, open_run, "a") is None


def test_of_the_last_reports_of_many_groups_one_sees_the_end(shared_store: Store) -> None:
    """Eight workers report a group each at the same moment: at least one sees that the run is done, in every attempt."""
    for _ in range(10):
        open_run = an_open_run(*(f"s{n}" for n in range(16)))
        together = [[SourceId(f"s{2 * n}"), SourceId(f"s{2 * n + 1}")] for n in range(8)]
        shared_store.open_run(open_run, expires_at=NOW + DAY, answered=None, now=NOW, together=together)
        gate = Barrier(8)

        def race(n: int, open_run: OpenRun = open_run, gate: Barrier = gate) -> OpenRun | None:
            gate.wait(timeout=20)
            return report(shared_store, open_run, f"s{2 * n}", f"s{2 * n + 1}")

        with ThreadPoolExecutor(8) as pool:
            seen = list(pool.map(race, range(8)))
        assert any(run.is_done for run in seen)
        assert next(run for run in seen if run.is_done).run.sources == tuple(
            report_of(source) for source in sorted(f"s{n}" for n in range(16))
        )


def test_of_many_closers_exactly_one_wins(shared_store: Store) -> None:
    """Eight who end a run at the same moment, while it is reported to: one ends it, and what it wrote stands."""
    for _ in range(5):
        open_run = an_open_run("a", "b")
        begin(shared_store, open_run)
        gate = Barrier(9)

        def race(n: int, open_run: OpenRun = open_run, gate: Barrier = gate) -> bool:
            gate.wait(timeout=20)
            if n == 8:
                report(shared_store, open_run, "b")
                return False
            ended = replace(open_run.run, status=RunStatus.FAILED, finished_at=NOW + n * HOUR, sources=(report_of("a"),))
            return shared_store.close_run(ended, expires_at=NOW + DAY)

        with ThreadPoolExecutor(9) as pool:
            won = list(pool.map(race, range(9)))
        assert sum(won) == 1
        ended = shared_store.load_run(DEFAULT_TENANT, open_run.run.run_id)
        assert (ended.status, ended.finished_at) == (RunStatus.FAILED, NOW + won.index(True) * HOUR)
        assert ended.sources == (report_of("a"),)


def test_open_and_ended_runs_stand_in_one_history(store: Store) -> None:
    """The history's pages hold runs as they stand, newest first; one that is removed meanwhile is unknown."""
    opens = [an_open_run("a", "b") for _ in range(5)]
    for open_run in opens:
        begin(store, open_run)
    close(store, opens[1])
    report(store, opens[2], "a")
    page = store.load_runs(DEFAULT_TENANT, limit=3)
    rest = store.load_runs(DEFAULT_TENANT, limit=3, cursor=page.cursor)

    queued, running, ended = RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.SUCCEEDED
    assert [run.status for run in (*page.items, *rest.items)] == [queued, queued, running, ended, queued]
    assert [run.run_id for run in (*page.items, *rest.items)] == [open_run.run.run_id for open_run in reversed(opens)]
    with pytest.raises(UnknownIdError):
        store.load_run(OTHER, opens[0].run.run_id)


# ── how long a run goes on ──


def test_a_run_is_put_off_and_what_waits_is_due_at_once(store: Store) -> None:
    """Its reports stay; the tick finds it when it is overdue, and before that while some of its sources wait for the tick."""
    open_run = an_open_run("a", "b", overdue_at=NOW + HOUR, named=True)
    begin(store, open_run)
    reported = report(store, open_run, "a")
    assert reported is not None

    assert store.postpone_run(reported, overdue_at=NOW + 2 * HOUR, waiting=frozenset())
    later = store.find_open_run(DEFAULT_TENANT, open_run.run.run_id)
    assert later == replace(reported, overdue_at=NOW + 2 * HOUR)
    assert (store.load_due(NOW + 2 * HOUR - TICK).runs, store.load_due(NOW + 2 * HOUR).runs) == ((), (later,))

    waiting = frozenset({SourceId("b")})
    assert store.postpone_run(later, overdue_at=later.overdue_at, waiting=waiting)
    waits = replace(later, waiting=waiting)
    assert store.load_due(NOW).runs == (waits,)
    assert store.postpone_run(waits, overdue_at=later.overdue_at, waiting=frozenset())
    assert (store.load_due(NOW).runs, store.find_open_run(DEFAULT_TENANT, open_run.run.run_id)) == ((), later)


def test_a_run_that_was_changed_or_has_ended_is_not_put_off(store: Store) -> None:
    """Who read it before must read it again."""
    open_run = an_open_run("a", overdue_at=NOW + HOUR)
    begin(store, open_run)
    assert store.postpone_run(open_run, overdue_at=NOW + 2 * HOUR, waiting=frozenset())

    assert not store.postpone_run(open_run, overdue_at=NOW + 3 * HOUR, waiting=frozenset())
    found = store.find_open_run(DEFAULT_TENANT, open_run.run.run_id)
    assert found is not None
    assert found.overdue_at == NOW + 2 * HOUR
    close(store, report(store, open_run, "a"))
    assert not store.postpone_run(found, overdue_at=NOW + 3 * HOUR, waiting=frozenset({SourceId("a")}))
    assert store.load_due(NOW + DAY).runs == ()


def test_side_by_side_all_that_waits_is_kept(shared_store: Store) -> None:
    """Eight workers put off the same run, each with a source of its own, until each was stored."""
    names = [f"s{n}" for n in range(8)]
    open_run = an_open_run(*names, run_id=RunId("run_wait"), overdue_at=NOW + HOUR)
    begin(shared_store, open_run)
    together = Barrier(8)

    def wait(name: str) -> None:
        together.wait(10)
        while True:
            found = shared_store.find_open_run(DEFAULT_TENANT, open_run.run.run_id)
            assert found is not None
            if shared_store.postpone_run(found, overdue_at=found.overdue_at, waiting=found.waiting | {SourceId(name)}):
                return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(wait, names))

    found = shared_store.find_open_run(DEFAULT_TENANT, open_run.run.run_id)
    assert found is not None
    assert found.waiting == frozenset(names)
