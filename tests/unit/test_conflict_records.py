"""Conflicts as records: what is opened, changed, closed and acknowledged, and what is not reported."""

from __future__ import annotations

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
from bokit.values import replace
from tests.support.builders import DAY, HOUR, NOW

FOUND = Conflict(
    unit_id=Scope("unit_1"),
    unit_ids=(Scope("unit_1"),),
    nights=(date(2026, 7, 3), date(2026, 7, 4)),
    records=((RecordId("unit_1.a"),), (RecordId("unit_1.b"),)),
    certainty=Certainty.CERTAIN,
)
EARLY = date(2026, 6, 1)


def plan(known, *found, at=NOW, today=EARLY):
    author = ConflictAuthor(tenant="default", at=at, today=today, by="source:src_1", run_id=RunId("run_1"))
    return plan_conflicts(known, found, author)


def opened():
    return replace(plan([], FOUND)[0].record, version=1)


def a_group(names, *days, turnover=False, unit="unit_1"):
    """Return the conflict of bookings with these names, the first first; a name with a slash has two records."""
    return Conflict(
        unit_id=Scope(unit),
        unit_ids=(Scope(unit),),
        nights=tuple(date(2026, 7, day) for day in days),
        records=tuple(tuple(RecordId(f"{unit}.{record}") for record in name.split("/")) for name in names.split()),
        certainty=Certainty.CERTAIN,
        is_turnover=turnover,
        gap="leaves" if turnover else "",
    )


def follow(known, *found, quiet=()):
    """Return the records after one more run, and what it published; *quiet* are acknowledged before."""
    known = [acknowledge_conflict(r, "user:rosa", NOW)[0] if r.remote["bookings"][0] in quiet else r for r in known]
    changes = plan(known, *found, at=NOW + DAY)
    written = {c.record.id: c.record for c in changes}
    after = {r.id: r for r in known} | written
    return list(after.values()), [c.news for c in changes if c.news]


def shown(records):
    """Return the open conflicts: id, bookings and status."""
    docs = [describe_conflict(r, EARLY) for r in records]
    return sorted((d["id"], [b.partition(".")[2] for b in d["bookings"]], d["status"]) for d in docs if d["status"] != "closed")


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


def test_a_closed_conflict_is_not_acknowledged():
    """There is nothing left to know of."""
    closed = plan([opened()])[0].record

    with pytest.raises(StateError, match="closed"):
        acknowledge_conflict(closed, "user:rosa", NOW)


# ── groups over time ──


def test_a_booking_that_joins_an_acknowledged_group_opens_it_again():
    """Under the same id, reported once; one that joins an open group is reported too."""
    (known, _) = follow([], a_group("a b", 3))
    (id_, *_), *_ = shown(known)

    known, news = follow(known, a_group("a b c", 3), quiet=["unit_1.a"])
    assert (shown(known), news) == ([(id_, ["a", "b", "c"], "open")], ["opened"])
    known, news = follow(known, a_group("a b c d", 3))
    assert (shown(known), news) == ([(id_, ["a", "b", "c", "d"], "open")], ["opened"])
    assert follow(known, a_group("a b c d", 3))[1] == []
    assert known[0].remote["opened"] == 3, "each is another notice"


@pytest.mark.parametrize(
    "later",
    [
        a_group("a b", 3, 4),
        a_group("b c", 3, 4),
        a_group("a b c", 4),
        a_group("b/a2 c", 3, 4),
        replace(a_group("a b c", 3, 4), certainty=Certainty.POSSIBLE),
        replace(a_group("c a b", 3, 4), unit_ids=(Scope("unit_1"), Scope("unit_2"))),
    ],
)
def test_an_acknowledgement_survives_a_change_that_adds_nobody(later):
    """A booking leaves, the first one too; a night is free again; another order, certainty or unit: no notice, the same id."""
    known, _ = follow([], a_group("a b c", 3, 4))
    (id_, *_), *_ = shown(known)

    after, news = follow(known, later, quiet=["unit_1.a"])

    assert [(found, status) for found, _, status in shown(after)] == [(id_, "acknowledged")]
    assert news == []


def test_a_joint_booking_is_the_same_when_its_first_record_goes():
    """Another source's record of it is its id then."""
    known, _ = follow([], a_group("a/a2 b", 3))

    after, news = follow(known, a_group("a2 b", 3), quiet=["unit_1.a"])

    assert [status for *_, status in shown(after)] == ["acknowledged"]
    assert news == []


def test_the_first_booking_of_a_group_that_it_left_may_be_in_another():
    """Two conflicts never have one id."""
    known, _ = follow([], a_group("a b c", 3))

    after, news = follow(known, a_group("b c", 3), a_group("a d", 9))

    assert len({id_ for id_, *_ in shown(after)}) == 2
    assert sorted(bookings for _, bookings, _ in shown(after)) == [["a", "d"], ["b", "c"]]
    assert news == ["opened"]
    again, news = follow(after, a_group("b c", 3), a_group("a d", 9))
    assert (shown(again), news) == (shown(after), [])


@pytest.mark.parametrize("quiet", [True, False])
def test_a_group_that_splits_is_two_and_nobody_is_notified(quiet):
    """The part with the first booking keeps the id; what was acknowledged stays so in both."""
    known, _ = follow([], a_group("a b c d", 3, 4))
    (id_, *_), *_ = shown(known)

    after, news = follow(known, a_group("a b", 3), a_group("c d", 4), quiet=["unit_1.a"] * quiet)

    parts = {tuple(bookings): (found == id_, status) for found, bookings, status in shown(after)}
    status = "acknowledged" if quiet else "open"
    assert parts == {("a", "b"): (True, status), ("c", "d"): (False, status)}
    assert news == []


@pytest.mark.parametrize(
    ("quiet", "extra", "status", "news"),
    [
        (["unit_1.a", "unit_1.c"], "", "acknowledged", []),
        (["unit_1.a"], "", "open", []),
        (["unit_1.a", "unit_1.c"], " e", "open", ["opened"]),
        ([], " e", "open", ["opened"]),
        ([], "", "open", []),
    ],
)
def test_groups_that_merge_go_on_as_the_one_that_was_first(quiet, extra, status, news):
    """The other one is closed without a notice, and says where it went; acknowledged only where both were, and nobody came."""
    known, _ = follow([], a_group("a b", 3))
    (id_, *_), *_ = shown(known)
    known, _ = follow(known, a_group("a b", 3), a_group("c d", 4))

    after, published = follow(known, a_group("a b c d" + extra, 3, 4), quiet=quiet)

    assert [(found, state) for found, _, state in shown(after)] == [(id_, status)]
    assert [r.gone_reason for r in after if r.presence is Presence.GONE] == [f"it is a part of the conflict {id_}"]
    assert published == news


def test_a_group_that_left_its_unit_goes_on_in_another():
    """Under another id, since an id names its unit; acknowledged, and without a notice."""
    known, _ = follow([], replace(a_group("a b c", 3), unit_ids=(Scope("unit_1"), Scope("unit_2"))))

    after, news = follow(
        known, replace(a_group("b c", 3), unit_id=Scope("unit_2"), unit_ids=(Scope("unit_2"),)), quiet=["unit_1.a"]
    )

    ((id_, bookings, status),) = shown(after)
    assert (id_.partition(".")[0], bookings, status) == ("unit_2", ["b", "c"], "acknowledged")
    assert [r.gone_reason for r in after if r.presence is Presence.GONE] == [f"it is a part of the conflict {id_}"]
    assert news == []


def test_two_of_its_bookings_make_the_same_conflict_and_one_does_not():
    """What has one booking in common is another conflict: one is closed, and one is opened."""
    known, _ = follow([], a_group("a b", 3))

    after, news = follow(known, a_group("a c", 9), quiet=["unit_1.a"])

    assert [bookings for _, bookings, _ in shown(after)] == [["a", "c"]]
    assert sorted(news) == ["closed", "opened"]


def test_a_gap_between_guests_is_another_kind_of_conflict():
    """The same bookings share a night first, and are too near to each other later."""
    known, _ = follow([], a_group("a b", 3))

    after, news = follow(known, a_group("a b", 5, turnover=True))

    assert [d["is_turnover"] for d in (describe_conflict(r, EARLY) for r in after) if d["status"] == "open"] == [True]
    assert sorted(news) == ["closed", "opened"]


def a_former(name, *bookings, quiet=False):
    """Return a conflict of two bookings as the former release stored it."""
    record = plan([], a_group(" ".join(bookings), 3))[0].record
    remote = {key: value for key, value in record.remote.items() if key != "also"}
    former = replace(record, id=RecordId(f"unit_1.{name}"), key=f"unit_1.{name}", remote=remote)
    return acknowledge_conflict(former, "user:rosa", NOW)[0] if quiet else former


@pytest.mark.parametrize(("quiet", "status"), [((1, 1, 1), "acknowledged"), ((1, 0, 1), "open"), ((0, 0, 0), "open")])
def test_pairs_of_the_former_release_become_a_group(quiet, status):
    """One of them goes on, the others are closed without a notice; acknowledged only where all were."""
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    known = [a_former(f"c{n}", *pair, quiet=bool(quiet[n])) for n, pair in enumerate(pairs)]

    after, news = follow(known, a_group("a b c", 3))

    assert shown(after) == [("unit_1.c0", ["a", "b", "c"], status)]
    assert news == []
    assert plan(after, a_group("a b c", 3)) == []


def test_a_pair_of_the_former_release_needs_no_write():
    """It reads as it is, and keeps its id."""
    known = a_former("c0", "a", "b", quiet=True)

    assert plan([known], a_group("a b", 3)) == []
    assert shown([known]) == [("unit_1.c0", ["a", "b"], "acknowledged")]
