"""Any feeds after any others: what holds for every plan. The stage checks each step: see ``plays``."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bokit.core.bookings.pairs import MatchReason
from bokit.core.bookings.stay import held_nights
from bokit.core.ical.entries import Entry, Status
from bokit.core.model.plan import RELEASES, ActionKind
from bokit.core.model.records import Presence
from bokit.core.model.source_rules import Verdict
from tests.support.simulated_source import SimulatedSource, block, closure, reservation, window

spans = st.tuples(st.integers(-3, 30), st.integers(1, 8)).map(lambda pair: (pair[0], sum(pair)))
statuses = st.sampled_from([*[Status.CONFIRMED] * 3, Status.TENTATIVE, Status.INQUIRY, Status.CANCELLED])
codes = st.sampled_from("ABCDE").map(lambda letter: f"HM{letter * 8}")
closures = st.builds(lambda span, room: closure(*span, room=room), spans, st.sampled_from(["room", "room", "room", "other"]))
coded = st.builds(lambda span, code, status: reservation(code, *span, status=status), spans, codes, statuses)
blocks = st.builds(lambda span: block(*span), spans)
windows = st.builds(lambda span, far: window(span[0] + far, span[1] + far), spans, st.sampled_from([0, 320]))
feeds = st.lists(st.one_of(closures, coded, blocks, windows), max_size=6)
verdicts = st.sampled_from([None, None, None, None, Verdict.PARTIAL, Verdict.UNREADABLE])
steps = st.lists(st.tuples(feeds, verdicts, st.integers(1, 40)), min_size=1, max_size=6)
platforms = st.sampled_from(["airbnb", "booking_com", "vrbo", "generic"])


def distinct(entries: list[Entry]) -> list[Entry]:
    """Return *entries* with a UID for each, as a reader gives them: one event a UID and day."""
    return list({(e.uid, e.check_in, e.kind): e for e in entries}.values())


def read_by(entries: list[Entry], verdict: Verdict | None) -> tuple[list[Entry], Verdict | None]:
    """Return what a reader can say: an unreadable body shows nothing."""
    return ([] if verdict is Verdict.UNREADABLE else distinct(entries)), verdict


@settings(max_examples=120, deadline=None, derandomize=True)
@given(platform=platforms, life=steps)
def test_any_life_is_planned_once_and_in_any_order(platform, life):
    """A second plan after applying is empty, reversed entries give the same plan, and what a feed closes is held."""
    source = SimulatedSource(platform)
    for feed, verdict, hours in life:
        entries, verdict = read_by(feed, verdict)
        source.see(*entries, verdict=verdict, hours=hours)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(platform=platforms, first=feeds, then=feeds, verdict=verdicts)
def test_a_refused_fetch_lets_nothing_go(platform, first, then, verdict):
    """Whatever a refused fetch shows, no stay goes or is marked missing; only a code that it shows elsewhere moves."""
    source = SimulatedSource(platform)
    source.see(*distinct(first))
    held = source.held()
    entries, verdict = read_by(then, verdict)

    plan = source.see(*entries, verdict=verdict)

    if plan.refused:
        assert not {a.kind for a in plan.actions} & (RELEASES | {ActionKind.MARK_MISSING})
        moved = {n for a in plan.actions if a.before and a.reason == MatchReason.CODE for n in held_nights(a.before)}
        assert held - moved <= source.held()
        assert plan.hold is not None


@settings(max_examples=80, deadline=None, derandomize=True)
@given(platform=platforms, first=feeds, then=feeds)
def test_one_fetch_alone_cancels_only_what_is_said_or_replaced(platform, first, then):
    """A stay goes in one fetch only where the source says so, where another holds its nights, or where it was joined."""
    source = SimulatedSource(platform)
    source.see(*distinct(first))

    plan = source.see(*distinct(then))

    reasons = {a.reason for a in plan.actions if a.kind in RELEASES}
    assert reasons <= {
        "the source says that it is cancelled",
        "another reservation holds its nights",
        "joined with another stay by the feed",
    }


@settings(max_examples=60, deadline=None, derandomize=True)
@given(platform=platforms, life=steps)
def test_no_record_is_ever_forgotten(platform, life):
    """Nothing is deleted: every record of any step is there at the end, gone ones with when and why."""
    source, seen = SimulatedSource(platform), set()
    for feed, verdict, hours in life:
        entries, verdict = read_by(feed, verdict)
        source.see(*entries, verdict=verdict, hours=hours)
        seen |= set(source.records)

    assert seen == set(source.records)
    assert all(r.gone_at and r.gone_reason for r in source.stays(Presence.GONE))
    assert all(r.missing_since for r in source.stays(Presence.MISSING))
