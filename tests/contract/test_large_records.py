"""The largest records that feeds make: a window of seven years, and a stay of ten; each night came at a time of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from bokit.core.bookings.limits import MAX_WINDOW_AHEAD
from bokit.core.bookings.night_history import Times, record_night_history, record_provisional_history
from bokit.core.bookings.nights import nights_of
from bokit.core.bookings.stay import held_nights
from bokit.core.bookings.window import WindowNights, plan_window_change
from bokit.core.ical.limits import MAX_STAY
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.core.model.codec import write_document
from bokit.core.model.records import Record, Scope, SourceId
from bokit.core.model.source_rules import Context
from bokit.errors import StoreConflictError
from bokit.store.limits import MAX_CHUNK_BYTES
from bokit.store.protocols import Store
from tests.support.builders import NOW, a_record

UNIT = Scope("unit_1")
MINUTE = timedelta(minutes=1, microseconds=1)
ITEM = 400 * 1024
"""Bytes of an item that DynamoDB takes."""


def times_of(nights: Iterable[date]) -> dict[date, Times]:
    """Return for each night when it was shown, when it was open, and when another record took it over: none at one time."""
    made = ((night, NOW - number * 3 * MINUTE) for number, night in enumerate(nights))
    return {night: Times(seen, seen - MINUTE, seen + MINUTE) for night, seen in made}


def largest_window() -> Record:
    """Return a window of nights held provisionally, all shown open since; a year more is asked for than it may have."""
    first = NOW.date()
    nights = sorted(nights_of([(first, first + MAX_WINDOW_AHEAD + timedelta(days=365))]))
    context = Context(
        tenant=DEFAULT_TENANT, source_id=SourceId("src_1"), collection=BOOKINGS, scope=UNIT, at=NOW, timezone=ZoneInfo("UTC")
    )
    opened = {night: times.seen for night, times in times_of(nights).items()}
    held = WindowNights(provisional=set(nights))
    first_action = plan_window_change(None, held, context)
    assert first_action
    action = plan_window_change(first_action.after, replace(held, opened=opened), context)
    assert action
    return record_provisional_history(action.after, NOW, times_of(nights))


def longest_stay() -> Record:
    """Return a booking of as many nights as one may have."""
    end = NOW.date() + MAX_STAY
    remote = {"kind": "reservation", "status": "confirmed", "check_in": str(NOW.date()), "check_out": str(end)}
    record = a_record(remote=remote)
    return record_night_history(None, record, at=NOW + MINUTE, last_read=NOW, shown=times_of(sorted(held_nights(record))))


def test_a_window_keeps_seven_years_and_fits_into_an_item():
    """No later night is in it."""
    window = largest_window()

    assert len(held_nights(window)) == MAX_WINDOW_AHEAD.days
    assert max(held_nights(window)) < NOW.date() + MAX_WINDOW_AHEAD
    assert MAX_CHUNK_BYTES < len(write_document(window)) < ITEM


def test_a_stay_may_be_larger_than_an_item():
    """So its document is kept compressed."""
    assert len(write_document(longest_stay())) > ITEM


@pytest.mark.parametrize("make", [largest_window, longest_stay])
def test_the_largest_records_are_stored_and_read_back(store: Store, make):
    """Alone, among others, on their version, and as any other once they are small again."""
    new = make()
    (record,) = store.apply_records([new], [], lease=None)
    with pytest.raises(StoreConflictError):
        store.apply_records([new], [], lease=None)

    assert store.load_record(DEFAULT_TENANT, BOOKINGS, record.id) == record
    assert list(store.load_records(DEFAULT_TENANT, BOOKINGS, UNIT)) == [record]
    assert store.find_records(DEFAULT_TENANT, BOOKINGS, [record.id]) == {record.id: record}
    (small,) = store.apply_records([replace(record, memory={})], [], lease=None)
    assert store.load_record(DEFAULT_TENANT, BOOKINGS, record.id) == small
