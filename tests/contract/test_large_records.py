"""The largest records that feeds make: a window of seven years, and a stay of ten; each night came at a time of its own."""

from __future__ import annotations

import random
from collections.abc import Iterable
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
from bokit.core.model.change_sizes import is_cut
from bokit.core.model.codec import write_document
from bokit.core.model.records import (
    CollectionName,
    Edit,
    FieldChange,
    LoggedChange,
    Record,
    RecordId,
    Scope,
    SourceId,
    new_record,
)
from bokit.core.model.source_rules import Context
from bokit.errors import StoreConflictError
from bokit.store.dynamo import keys
from bokit.store.dynamo.store import DynamoStore
from bokit.store.limits import MAX_CHUNK_BYTES
from bokit.store.protocols import Store
from bokit.values import replace
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


# ── records of other collections: what was accepted once can be changed later, in any script ──

SCRIPTS = {
    "ascii": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "accents": "".join(chr(code) for code in range(0xC0, 0x250)),
    "han": "".join(chr(code) for code in range(0x4E00, 0x9FFF)),
    "emoji": "".join(chr(code) for code in range(0x1F300, 0x1F650)),
    "controls": "".join(chr(code) for code in range(1, 32)),
}


def a_text(script: str, seed: int) -> str:
    """Return random text of 250 KB in UTF-8: nothing of it compresses beyond its letters."""
    letters = SCRIPTS[script]
    text = "".join(random.Random(seed).choices(letters, k=250_000))
    return text.encode()[:250_000].decode(errors="ignore")


def a_line(record: Record, before: str | None, after: str) -> LoggedChange:
    """Return the line of a change of the record's text."""
    fields = {"text": FieldChange(before=before, after=after), "n": FieldChange(before=1, after=2)}
    return LoggedChange(record_id=record.id, at=record.updated_at, by="user:rosa", action="edit", reason="edited", fields=fields)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_record_of_the_largest_row_can_be_changed_and_edited(store: Store, script: str) -> None:
    """With its row, a person's value of as much, and what its source said then; the log has what fits, and no part stays."""
    collection, texts = CollectionName("clients"), [a_text(script, seed) for seed in range(3)]
    new = new_record(
        RecordId("clients.7"), DEFAULT_TENANT, collection, NOW, source_id=SourceId("src_1"), remote={"text": texts[0]}
    )
    (first,) = store.apply_records([new], [a_line(new, None, texts[0])], lease=None)
    edit = Edit(value=texts[2], base=texts[0], by="user:rosa", at=NOW)
    (edited,) = store.apply_records([replace(first, edits={"text": edit})], [a_line(first, texts[0], texts[2])], lease=None)
    moved = replace(edited, remote={"text": texts[1]})
    (last,) = store.apply_records([moved], [a_line(edited, texts[0], texts[1])], lease=None)

    assert store.load_record(DEFAULT_TENANT, collection, last.id) == last
    assert list(store.load_records(DEFAULT_TENANT, collection, Scope("clients"))) == [last]
    assert store.find_records(DEFAULT_TENANT, collection, [last.id]) == {last.id: last}
    lines = store.load_changes(DEFAULT_TENANT, last.id).items
    assert [line.fields["n"].after for line in lines] == [2, 2, 2]
    assert all(is_cut(line.fields["text"].after) or line.fields["text"].after in texts for line in lines)
    (small,) = store.apply_records([replace(last, remote={"text": "a"}, edits={})], [], lease=None)
    assert store.load_record(DEFAULT_TENANT, collection, last.id) == small
    if isinstance(store, DynamoStore):
        assert last.in_parts or script == "controls"
        key = keys.record_key(DEFAULT_TENANT, collection, Scope("clients"), last.id)
        assert list(store._table.query_keys(keys.part_partition(key))) == []
