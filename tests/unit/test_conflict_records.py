"""Conflicts as records: what is opened, changed, closed and acknowledged, and what is not reported."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from bokit.core.model.records import Presence, RecordId, RunId, Scope
from bokit.core.occupancy.conflict_records import (
    NO_LONGER_SHARED,
    PAST,
    ConflictAuthor,
    acknowledge_conflict,
    describe_conflict,
    is_open,
    plan_conflicts,
)
from bokit.core.occupancy.conflicts import Certainty, Conflict
from bokit.errors import StateError
from tests.support.builders import DAY, HOUR, NOW

FOUND = Conflict(
    id=RecordId("unit_1.c1"),
    unit_id=Scope("unit_1"),
    unit_ids=(Scope("unit_1"),),
    nights=(date(2026, 7, 3), date(2026, 7, 4)),
    bookings=(RecordId("unit_1.a"), RecordId("unit_1.b")),
    certainty=Certainty.CERTAIN,
)
EARLY = date(2026, 6, 1)


def plan(known, *found, at=NOW, today=EARLY):
    author = ConflictAuthor(tenant="default", at=at, today=today, by="source:src_1", run_id=RunId("run_1"))
    return plan_conflicts(known, found, author)


def opened():
    return replace(plan([], FOUND)[0].record, version=1)


def test_a_found_conflict_is_opened_once():
    """The second look finds nothing to write."""
    (change,) = plan([], FOUND)

    assert (change.news, change.line.action, change.line.run_id) == ("opened", "open", "run_1")
    doc = describe_conflict(change.record, EARLY)
    assert (doc["status"], doc["nights"], doc["first"]) == ("open", ["2026-07-03", "2026-07-04"], "unit_1.a")
    assert plan([change.record], FOUND) == []


def test_a_conflict_that_is_not_found_any_more_is_closed_and_may_open_again():
    """Closed with the reason, and reported; the next opening is another one."""
    known = opened()

    (closed,) = plan([known], at=NOW + HOUR)
    (again,) = plan([closed.record], FOUND, at=NOW + DAY)

    assert (closed.news, closed.record.presence, closed.record.gone_reason) == ("closed", Presence.GONE, NO_LONGER_SHARED)
    assert describe_conflict(closed.record, EARLY)["status"] == "closed"
    assert (again.news, again.record.remote["opened"], again.record.created_at) == ("opened", 2, NOW)
    assert plan([closed.record]) == []


def test_nights_that_pass_are_no_change_and_the_last_one_closes_it():
    """Time alone writes nothing until the last shared night is over, and every view agrees."""
    known, later = opened(), replace(FOUND, nights=(date(2026, 7, 4),))

    assert plan([known], later, today=date(2026, 7, 4)) == []
    assert not is_open(known, date(2026, 7, 5))
    assert describe_conflict(known, date(2026, 7, 5))["closed_reason"] == PAST
    assert plan([known], today=date(2026, 7, 5))[0].record.gone_reason == PAST


def test_an_acknowledged_conflict_is_quiet_until_it_changes():
    """The same nights stay muted; other nights reopen it, and are reported."""
    quiet, line = acknowledge_conflict(opened(), "user:rosa", NOW + HOUR)
    other = replace(FOUND, nights=(date(2026, 7, 4), date(2026, 7, 5)))

    assert line.action == "acknowledge"
    assert describe_conflict(quiet, EARLY)["status"] == "acknowledged"
    assert acknowledge_conflict(quiet, "user:rosa", NOW + DAY) == (quiet, None)
    assert plan([quiet], FOUND) == []
    (woken,) = plan([quiet], other, at=NOW + DAY)
    assert (woken.news, woken.record.remote["acknowledged_at"], woken.record.remote["opened"]) == ("opened", None, 2)
    (changed,) = plan([opened()], other)
    assert (changed.news, changed.line.action) == (None, "change"), "what nobody acknowledged is not reported twice"


def test_another_certainty_alone_wakes_nobody():
    """It is kept, and stays quiet."""
    quiet, _ = acknowledge_conflict(opened(), "user:rosa", NOW + HOUR)

    (change,) = plan([quiet], replace(FOUND, certainty=Certainty.LIKELY))

    assert (change.news, change.record.remote["acknowledged_by"]) == (None, "user:rosa")


def test_a_doubtful_conflict_is_not_opened_and_an_open_one_stays():
    """A booking that its feed shows no more was most likely cancelled."""
    doubtful = replace(FOUND, is_doubtful=True)

    assert plan([], doubtful) == []
    assert plan([opened()], doubtful) == []


def test_a_closed_conflict_is_not_acknowledged():
    """There is nothing left to know of."""
    closed = plan([opened()])[0].record

    with pytest.raises(StateError, match="closed"):
        acknowledge_conflict(closed, "user:rosa", NOW)
