"""Records read page by page, and deleted for good: the same of every store."""

from __future__ import annotations

import pytest

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.core.model.quotas import QuotaName
from bokit.core.model.records import Record, RecordId, Scope
from bokit.errors import StoreConflictError
from bokit.store.protocols import Store
from bokit.values import replace
from tests.support.builders import NOW, a_change, a_record

UNIT = Scope("unit_1")
IDS = ["unit_1.c", "unit_1.a", "unit_1.=2Eb", "unit_1.B", "unit_1.é", "unit_1.a-", "unit_1.=h0"]


def read_all(store: Store, limit: int, after: RecordId | None = None) -> list[Record]:
    """Return the records of a scope, page by page."""
    found: list[Record] = []
    for _ in range(100):
        page = store.load_record_page(DEFAULT_TENANT, BOOKINGS, UNIT, limit=limit, after=after)
        assert len(page.items) <= limit
        found += page.items
        if page.cursor is None:
            return found
        after = RecordId(page.cursor)
    raise AssertionError("the records do not end")


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
def test_pages_have_every_record_once(store: Store, limit: int) -> None:
    """In an order that is the same for every size of a page, and on from any record, also one that is gone by then."""
    saved = store.apply_records([a_record(id=RecordId(i)) for i in IDS], [], lease=None)
    store.apply_records([a_record(scope=Scope("unit_2"))], [], lease=None)

    found = read_all(store, limit)

    assert sorted(found, key=lambda r: r.id) == sorted(saved, key=lambda r: r.id)
    assert found == read_all(store, 3)
    store.delete_records(found[2:3])
    assert read_all(store, limit, after=found[2].id) == found[3:]
    assert store.load_record_page(DEFAULT_TENANT, BOOKINGS, Scope("none"), limit=limit).items == ()


def test_large_records_come_a_megabyte_at_a_time(store: Store) -> None:
    """Also those that are stored in parts: a page has one at least."""
    text = "".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(150_000))
    made = (a_record(id=RecordId(f"unit_1.{n}"), remote={"a": text[n:]}) for n in range(6))
    saved = [store.apply_records([record], [], lease=None)[0] for record in made]

    assert read_all(store, 100) == saved


def test_deleted_records_leave_nothing(store: Store) -> None:
    """Neither the record, nor its change log, nor its place in the quota; one that is not there is left out."""
    record, other = a_record(), a_record(id=RecordId("unit_1.other"))
    saved = store.apply_records([record, other], [a_change(record), a_change(other)], lease=None, counted={record.id, other.id})

    store.delete_records([saved[0]])
    store.delete_records([saved[0]])

    assert read_all(store, 10) == [saved[1]]
    assert store.load_changes(DEFAULT_TENANT, record.id).items == ()
    assert len(store.load_changes(DEFAULT_TENANT, other.id).items) == 1
    assert store.load_usage(DEFAULT_TENANT, NOW.date())[QuotaName.RECORDS] == 1


def test_records_that_count_against_no_quota_are_deleted_without_it(store: Store) -> None:
    """What Bokit keeps for itself, such as door codes, was never counted."""
    record, own = a_record(), a_record(id=RecordId("unit_1.codes"))
    saved = store.apply_records([record, own], [], lease=None, counted={record.id})

    store.delete_records([saved[1]], counted=False)

    assert read_all(store, 10) == [saved[0]]
    assert store.load_usage(DEFAULT_TENANT, NOW.date())[QuotaName.RECORDS] == 1


def test_a_record_that_was_changed_is_not_deleted(store: Store) -> None:
    """A deletion is on the version that was read."""
    first = store.apply_records([a_record()], [], lease=None)[0]
    second = store.apply_records([replace(first, key="second")], [], lease=None)[0]

    with pytest.raises(StoreConflictError):
        store.delete_records([first])
    assert read_all(store, 10) == [second]


def test_a_long_change_log_goes_with_its_record(store: Store) -> None:
    """Longer than one transaction takes."""
    record = store.apply_records([a_record()], [], lease=None)[0]
    for n in range(110):
        record = store.apply_records([replace(record, key=f"{n}")], [a_change(record)], lease=None)[0]

    store.delete_records([record])

    assert (read_all(store, 10), store.load_changes(DEFAULT_TENANT, record.id).items) == ([], ())
