"""The codec alone: every value that the types allow comes back equal."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bokit.core.model.catalog import EndsOn, Property, Source, Tenant, Unit
from bokit.core.model.codec import (
    copy_json,
    copy_record,
    pack,
    read_document,
    read_micros,
    read_schedule_line,
    unpack,
    write_document,
    write_micros,
    write_schedule_line,
)
from bokit.core.model.plan import Action, ActionKind
from bokit.core.model.records import Edit, FieldChange, LoggedChange, Presence, Record
from bokit.core.model.runs import Outcome, Run, RunStatus, RunStep, SourceReport, Trigger
from bokit.core.model.scheduling import Head, SourceSchedule
from bokit.store.dynamo.keys import join, shard_of, state_key
from bokit.store.dynamo.packing import cut_chunks, pack_snapshot, unpack_snapshot
from bokit.store.protocols import Snapshot
from tests.support.builders import NOW

text = st.text(st.characters(), max_size=20)
moments = st.datetimes(timezones=st.just(UTC))
maybe_moments = st.none() | moments
spans = st.timedeltas(timedelta(0), timedelta(days=3660))
leaves = st.none() | st.booleans() | st.integers() | text
json_values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=6
)
fields = st.dictionaries(text, json_values, max_size=4)
edits = st.builds(Edit, value=json_values, base=json_values, by=text, at=moments)
field_changes = st.dictionaries(text, st.builds(FieldChange, before=json_values, after=json_values), max_size=3)
records = st.builds(
    Record,
    id=text,
    tenant=text,
    collection=text,
    scope=text,
    source_id=st.none() | text,
    key=text,
    remote=fields,
    edits=st.dictionaries(text, edits, max_size=2),
    presence=st.sampled_from(Presence),
    missing_since=maybe_moments,
    gone_at=maybe_moments,
    gone_reason=st.none() | text,
    memory=fields,
    version=st.integers(0),
    created_at=moments,
    updated_at=moments,
)
changes = st.builds(
    LoggedChange,
    record_id=text,
    at=moments,
    by=text,
    action=text,
    reason=text,
    fields=field_changes,
    run_id=st.none() | text,
    preserved=field_changes,
)
schedules = st.builds(
    SourceSchedule,
    tenant=text,
    due_at=maybe_moments,
    interval=spans,
    attempted_at=maybe_moments,
    succeeded_at=maybe_moments,
    failures=st.integers(0, 99),
)
sources = st.builds(
    Source,
    id=text,
    tenant=text,
    name=text,
    kind=text,
    url=text,
    collection=text,
    scope=text,
    platform=st.none() | text,
    interval=st.none() | spans,
    cancel_after=st.none() | spans,
    timezone=st.none() | text,
    ends_on=st.sampled_from(EndsOn),
    ignore_transparent=st.booleans(),
    enabled=st.booleans(),
    shard_id=text,
    settings=fields,
    removed_at=maybe_moments,
    version=st.integers(0),
)
heads = st.builds(Head, source=sources, settle_at=maybe_moments, etag=st.none() | text, changed_at=maybe_moments)
actions = st.builds(
    Action, kind=st.sampled_from(ActionKind), before=st.none() | records, after=records, fields=field_changes, reason=text
)
reports = st.builds(
    SourceReport,
    source_id=text,
    name=text,
    outcome=st.sampled_from(Outcome),
    error=st.none() | st.dictionaries(text, text, max_size=2),
    counts=st.dictionaries(text, st.integers(), max_size=3),
    steps=st.lists(st.builds(RunStep, name=text, started_at=moments, duration_ms=st.integers()), max_size=2).map(tuple),
    plan=st.lists(actions, max_size=1).map(tuple),
)
runs = st.builds(
    Run,
    run_id=text,
    tenant=text,
    trigger=st.sampled_from(Trigger),
    status=st.sampled_from(RunStatus),
    started_at=moments,
    finished_at=maybe_moments,
    sources=st.lists(reports, max_size=2).map(tuple),
    dry_run=st.booleans(),
)
values = (
    st.one_of(records, changes, heads, runs, sources)
    | st.builds(Tenant, id=text, name=text, created_at=moments)
    | st.builds(Unit, id=text, tenant=text, property_id=text, name=text, parts=st.lists(text, max_size=3).map(tuple))
    | st.builds(Property, id=text, tenant=text, name=text, timezone=st.none() | text)
)


@given(values)
def test_a_value_comes_back_equal(value: object) -> None:
    """What is written as a document is read back equal, and the document is plain ASCII."""
    document = write_document(value)

    assert read_document(type(value), document) == value
    assert document.isascii()


@given(schedules)
def test_a_line_comes_back_equal(schedule: SourceSchedule) -> None:
    """What is written as a line is read back equal."""
    assert read_schedule_line(write_schedule_line(schedule)) == schedule


@given(st.binary(max_size=200), fields, st.integers(0, 99))
def test_a_snapshot_comes_back_equal(content: bytes, memory: dict[str, object], version: int) -> None:
    """What is packed is unpacked equal, whatever its size of chunks."""
    snapshot = Snapshot(content=content, memory=memory, version=version)
    packed = pack_snapshot(snapshot)

    assert unpack_snapshot(b"".join(cut_chunks(packed, 7)), version) == snapshot


@given(moments)
def test_a_moment_comes_back_to_the_microsecond(moment: datetime) -> None:
    """No moment drifts, not even by a microsecond."""
    assert read_micros(write_micros(moment)) == moment


@given(records)
def test_a_settled_record_is_what_the_table_gives(record: Record) -> None:
    """The memory store settles a record to what the table's codec would give back."""
    assert copy_record(record) == read_document(Record, write_document(record))


@given(st.lists(text, min_size=1, max_size=3), st.lists(text, min_size=1, max_size=3))
def test_two_keys_are_equal_only_of_equal_parts(one: list[str], other: list[str]) -> None:
    """No part of a key can pass for two."""
    assert (join(*one) == join(*other)) == (one == other)


@given(text)
def test_a_shards_key_holds_its_id(shard: str) -> None:
    """The key of a shard's state gives its id back."""
    assert shard_of(state_key(shard)) == shard  # type: ignore[arg-type]


def test_a_moment_of_another_timezone_is_the_same_moment() -> None:
    """A time is stored in UTC, whatever its offset."""
    assert read_micros(write_micros(NOW.astimezone(timezone(timedelta(hours=9))))) == NOW


def test_a_moment_without_a_timezone_is_refused() -> None:
    """A naive moment could be anything, and is not stored."""
    with pytest.raises(TypeError):
        write_micros(NOW.replace(tzinfo=None))


def test_what_equals_its_default_takes_no_room() -> None:
    """A head with default values is small."""
    source = Source(id="s", tenant="t", name="n", kind="ical", url="u", scope="x", shard_id="h")  # type: ignore[arg-type]

    assert json.loads(write_document(Head(source=source))) == {
        "source": {"id": "s", "tenant": "t", "name": "n", "kind": "ical", "url": "u", "scope": "x", "shard_id": "h"}
    }


def test_a_usual_line_is_short() -> None:
    """A line of a source takes at most 80 bytes, its id apart: a hundred of them are rewritten by every batch."""
    hour = timedelta(hours=1)
    schedule = SourceSchedule(tenant="default", due_at=NOW + hour, interval=hour, attempted_at=NOW, succeeded_at=NOW)  # type: ignore[arg-type]

    assert len(write_schedule_line(schedule)) <= 80


def test_packing_and_settling_keep_the_text() -> None:
    """A packed document unpacks equal, and settling copies."""
    value = {"a": [1, {"b": None}]}

    assert unpack(pack(json.dumps(value))) == json.dumps(value)
    assert copy_json(value) == value
    assert copy_json(value)["a"] is not value["a"]
