"""What matching costs: pairs that are judged, and steps, of calendars of every shape; counted, not timed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bokit.core.bookings import matching, planning
from bokit.core.bookings.feed_owner import OwnerEvidence
from bokit.core.bookings.rules import BookingRules
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.core.model.limits import MAX_LIVE_BOOKINGS
from bokit.core.model.plan import Plan
from bokit.core.model.records import Record, RecordId, Scope, SourceId
from bokit.core.model.source_rules import BookingLimits, Context
from bokit.values import replace
from tests.support.feed_shapes import SHAPES, FeedShape, ShapedEvent, write

AT = datetime(2026, 11, 20, 10, 20, tzinfo=UTC)
RULES = BookingRules()
JUDGEMENTS = ((matching, "_judge"), (matching, "_has_same_uid"), (planning, "_has_joined"), (OwnerEvidence, "_names_differ"))
"""Functions that compare one entry with one stay."""
MAX_JUDGED = 8  # for each entry and stay
MANY, EVENTS = 10_000, 200
BY_NAME = {shape.name: shape for shape in SHAPES}


class Fetches:
    """One source of a shape, fetched again and again; what each fetch wrote is known at the next."""

    def __init__(self, limits: BookingLimits) -> None:
        self.context = Context(
            tenant=DEFAULT_TENANT,
            source_id=SourceId("src_1"),
            collection=BOOKINGS,
            scope=Scope("unit_1"),
            at=AT,
            timezone=ZoneInfo("Europe/Rome"),
            interval=timedelta(hours=1),
            limits=limits,
        )
        self.known: dict[RecordId, Record] = {}

    def fetch(self, body: bytes, run: Callable[[Callable[[], Plan]], Plan]) -> int:
        """Read *body*, match, plan and guard it by *run*; return how many entries and stays there were."""
        context = replace(self.context, at=self.context.at + timedelta(hours=1), last_read=self.context.at)
        seen, known = RULES.read(body, context, b""), list(self.known.values())

        def step() -> Plan:
            matches = RULES.match(known, seen, context)
            RULES.needs_elsewhere(matches, context)
            return RULES.guard(RULES.plan(matches, context), matches, context)

        plan = run(step)
        self.known |= {a.record_id: a.after for a in plan.actions}
        self.context = replace(context, memory=plan.memory)
        return len(seen.entries) + len(known)


def bodies(shape: FeedShape, count: int) -> list[bytes]:
    """Return the first fetch of a shape, one that changes all of it, and one that a guard may hold: another event, and half."""
    half = [*list(shape.events(count, 1))[: count // 2 - 1], ShapedEvent("other@z", 1, 2)]
    return [shape.body(count), shape.body(count, 1), write(half, shape.prodid)]


@contextmanager
def counted_calls(counts: list[int]) -> Iterator[None]:
    """Add how many calls of Python functions are made within."""
    counts.append(0)

    def note(frame: Any, event: str, _: Any) -> None:
        counts[-1] += event == "call"

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


@contextmanager
def counted_judgements(counts: list[int]) -> Iterator[None]:
    """Add how many pairs of an entry and a stay are judged within."""
    counts.append(0)

    def counting(judge: Callable[..., Any]) -> Callable[..., Any]:
        def count(*given: Any, **named: Any) -> Any:
            counts[-1] += 1
            return judge(*given, **named)

        return count

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in JUDGEMENTS:
            patch.setattr(owner, name, counting(getattr(owner, name)))
        yield


Counting = Callable[[list[int]], AbstractContextManager[None]]


def count_fetches(shape: FeedShape, count: int, limits: BookingLimits, counting: Counting) -> list[tuple[int, int]]:
    """Return for each fetch of *count* events how many entries and stays there were, and what *counting* counted."""
    source, counts, sizes = Fetches(limits), list[int](), list[int]()

    def run(step: Callable[[], Plan]) -> Plan:
        with counting(counts):
            return step()

    for body in bodies(shape, count):
        sizes.append(source.fetch(body, run))
    return list(zip(sizes, counts, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_NAME)
def test_ten_thousand_events_are_judged_as_few_pairs(name):
    """The first, the second and a held fetch judge at most eight pairs for each entry and stay."""
    fetches = count_fetches(BY_NAME[name], MANY, BookingLimits(), counted_judgements)

    assert all(size >= MANY // 2 - 1 for size, _ in fetches)
    assert [judged / size for size, judged in fetches if judged > MAX_JUDGED * size] == []


@pytest.mark.parametrize("name", BY_NAME)
def test_judged_pairs_stay_few_without_a_limit_on_bookings(name):
    """So it is where a former release stored a booking for each event."""
    fetches = count_fetches(BY_NAME[name], EVENTS, BookingLimits(live=EVENTS), counted_judgements)

    assert [judged / size for size, judged in fetches if judged > MAX_JUDGED * size] == []


@pytest.mark.parametrize("name", BY_NAME)
def test_four_times_the_events_cost_four_times_the_steps(name):
    """No step is a product: with four times the events, and no limit on bookings, no fetch makes much more than that many calls.

    How many nights a plan keeps apart depends on what it judges, so a factor is left; a product of both would give sixteen.
    """
    limits = BookingLimits(live=10 * MAX_LIVE_BOOKINGS)
    once = count_fetches(BY_NAME[name], EVENTS, limits, counted_calls)
    more = count_fetches(BY_NAME[name], 4 * EVENTS, limits, counted_calls)

    growth = [after / before for (_, before), (_, after) in zip(once, more, strict=True)]
    assert max(growth) < 7, growth
