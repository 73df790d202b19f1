"""A table as release d9eec7f wrote it: how each value is read, and compared with what that release read."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bokit.core.bookings.evidence import read_misses
from bokit.core.bookings.night_history import PLATFORM, read_gains, read_leaves
from bokit.core.bookings.open_nights import read_open
from bokit.core.bookings.stay import GoneReason, held_nights, is_window, read_remote, read_stay
from bokit.core.ical.entries import Entry
from bokit.core.ical.snapshot import unpack_snapshot
from bokit.core.items.api_spec import read_api
from bokit.core.items.guard import ACCEPTED
from bokit.core.items.planning import REFUSED_VALUES
from bokit.core.model.access import TokenId, hash_token
from bokit.core.model.catalog import BOOKINGS, PropertyId, ShardId, Source, UnitId
from bokit.core.model.collections import make_id, read_record_settings
from bokit.core.model.records import CollectionName, Json, Record, RecordId, RunId, Scope, SourceId, TenantId
from bokit.core.model.source_memory import read_memory
from bokit.core.occupancy.conflict_records import CONFLICTS, describe_conflict
from bokit.core.occupancy.out_calendar import OutCalendar, read_calendar
from bokit.core.tables.chunks import unpack_chunk, unpack_manifest
from bokit.core.tables.progress import read_table_memory
from bokit.core.tables.spec import read_table_settings
from bokit.engine.bookings.outgoing import CalendarParts, CalendarService
from bokit.store.dynamo.store import DynamoStore
from bokit.store.protocols import Store
from bokit.values import MISSING, Value, defaults_of, fields_of

FOLDER = Path(__file__).parents[1] / "data" / "stored" / "d9eec7f"

RENAMED: dict[str, str] = {
    "Answered": "IdempotentResponse",
    "Step": "RunStep",
    "Failure.told": "notified",
    "Memory": "BodyContent",
    "Kept": "KeptGroup",
    "Series": "KeptSeries",
    "Remembered": "SourceMemory",
    "Beat": "SourceSchedule",
    "BatchRun": "HeartbeatRun",
    "Shard.beats": "schedules",
    "Gain": "NightsGained",
    "Leave": "NightsLeft",
    "Misses": "MissedFetches",
    "OutCalendar.hash": "token_hash",
    "OutCalendar.turn": "rotation",
    "Published": "PublishedDocument",
    "ChunkNote": "ChunkSummary",
    "ChunkNote.doubted": "unconfirmed",
    "TableState.named": "last_number",
    "TableState.agreed": "agreed_rows",
    "TableState.mark": "watermark",
    "Mark": "RowDigest",
    "Mark.at": "key_values",
    "Mark.hash": "digest",
    "Part": "PassProgress",
    "Pages": "Pagination",
    "Since": "UpdatedSince",
    "SinceFormat": "TimeFormat",
}
"""The names of d9eec7f that are others today. A class: ``"HoldNote": "HoldSummary"``; a field, under the class's former
name: ``"Failure.told": "notified"``. A field that the codec writes needs its stored name in the codec's table as well."""

NEVER_STORED = frozenset({"CalendarText.events", "Problem.field"})
"""Fields of values in the fixture that are left out where they are stored."""

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
TENANT, OTHER = TenantId("rosa"), TenantId("other")
SHARD, SQL_SHARD = ShardId("shard_000001"), ShardId("sql_000002")
ICAL, API, SQL = SourceId("src_airbnb"), SourceId("src_crm"), SourceId("src_billing")
SOURCES = (ICAL, API, SQL)
GARDEN, VILLA, CLIENTS, CALENDARS = (
    Scope("unit_garden"),
    Scope("unit_villa"),
    CollectionName("clients"),
    CollectionName("calendars"),
)
PLACES = (
    (BOOKINGS, GARDEN),
    (BOOKINGS, VILLA),
    (CLIENTS, Scope("clients~0")),
    (CLIENTS, Scope("clients~1")),
    (CONFLICTS, GARDEN),
    (CALENDARS, GARDEN),
)
TOKENS = ("viewer", "operator", "admin")
PAGES = ("current path", "former path", "large path")
KEYS = ("key-1", "key of a large answer", "k" * 900, "former key of nobody")

SECRET = "the stack's secret"

Load = Callable[[Store], object]
"""How one value is read, through the store's public methods and the core's readers alone."""


def source_of(store: Store, source_id: SourceId) -> Source:
    return store.load_source(TENANT, source_id)


def records_of(store: Store) -> list[Record]:
    return [record for place in PLACES for record in store.load_records(TENANT, *place)]


def bookings_of(store: Store) -> dict[RecordId, Record]:
    return {record.id: record for record in records_of(store) if record.collection == BOOKINGS}


def chunk_names(store: Store) -> list[str]:
    states = unpack_manifest(store.load_snapshot(source_of(store, SQL)).content)
    return [note.name for state in states.values() for note in state.chunks]


def describe_conflicts(store: Store) -> list[SimpleNamespace]:
    found = store.load_records(TENANT, CONFLICTS, GARDEN)
    return [SimpleNamespace(**describe_conflict(record, date(2026, 6, 1))) for record in found]


def held_plans(store: Store) -> dict[str, str]:
    memories = {s: store.load_snapshot(source_of(store, s)).memory for s in SOURCES}
    return {s: hold.plan_hash for s, memory in memories.items() if (hold := read_memory(memory).hold)}


def sayings(store: Store) -> dict[str, Json]:
    """Return what rules look up by a name, or compare with a text of theirs."""
    records, memory = records_of(store), store.load_snapshot(source_of(store, API)).memory
    return {
        "accepted": memory.get(ACCEPTED),
        "joined": [record.id for record in records if record.gone_reason == GoneReason.JOINED],
        "said": {record.id: record.memory[REFUSED_VALUES] for record in records if REFUSED_VALUES in record.memory},
        "platform": {record.id: record.memory[PLATFORM] for record in records if PLATFORM in record.memory},
        "windows": [record.id for record in records if is_window(record)],
    }


def entries_of(store: Store) -> list[Entry]:
    memory = unpack_snapshot(store.load_snapshot(source_of(store, ICAL)).content)
    return [entry for kept in memory.groups.values() for entry in kept.entries] if memory else []


def calendars_of(store: Store) -> list[OutCalendar]:
    return [read_calendar(record) for record in store.load_records(TENANT, CALENDARS, GARDEN)]


def tokens_of(store: Store) -> list[str]:
    """Return the tokens of all outgoing calendars' paths: derived again each time, never stored."""
    desk = CalendarService(CalendarParts(store=store, clock=lambda: NOW, key=lambda: SECRET))
    return [desk.token_of(calendar) for calendar in calendars_of(store)]


LOADS: Mapping[str, Load] = {
    "load_tenants": lambda store: store.load_tenants(),
    "load_properties": lambda store: store.load_properties(TENANT),
    "load_property": lambda store: store.load_property(TENANT, PropertyId("prop_rosa")),
    "load_units": lambda store: store.load_units(TENANT),
    "load_unit": lambda store: store.load_unit(TENANT, UnitId("unit_villa")),
    "load_sources": lambda store: store.load_sources(TENANT),
    "load_collections": lambda store: store.load_collections(TENANT),
    "load_options": lambda store: store.load_options([TENANT, OTHER]),
    "pick_shard": lambda store: [store.pick_shard(100), store.pick_shard(100, "sql")],
    "load_due": lambda store: store.load_due(NOW + timedelta(days=9)),
    "load_shards": lambda store: store.load_shards([SHARD, SQL_SHARD]),
    "load_heads": lambda store: store.load_heads(SHARD),
    "load_head": lambda store: store.load_head(source_of(store, SQL)),
    "load_records": lambda store: [store.load_records(TENANT, *place) for place in PLACES],
    "load_record": lambda store: store.load_record(TENANT, BOOKINGS, RecordId("unit_garden.stay")),
    "find_records": lambda store: store.find_records(TENANT, CLIENTS, [r.id for r in records_of(store)]),
    "load_changes": lambda store: {r.id: store.load_changes(TENANT, r.id).items for r in records_of(store)},
    "load_snapshot": lambda store: {s: store.load_snapshot(source_of(store, s)) for s in SOURCES},
    "load_chunks": lambda store: store.load_chunks(source_of(store, SQL), [*chunk_names(store), "plain", "forgotten"]),
    "load_monitors": lambda store: store.load_monitors([TENANT, OTHER]),
    "find_token": lambda store: {name: store.find_token(hash_token(name)) for name in TOKENS},
    "load_token": lambda store: store.load_token(TENANT, TokenId("tok_operator")),
    "load_tokens": lambda store: store.load_tokens(TENANT),
    "find_published": lambda store: {name: store.find_published(hash_token(name)) for name in PAGES},
    "find_answer": lambda store: [store.find_answer(TENANT, key, NOW) for key in KEYS],
    "find_open_run": lambda store: [store.find_open_run(TENANT, RunId(r)) for r in ("run_08", "run_09", "run_01")],
    "load_run": lambda store: store.load_run(TENANT, RunId("run_02")),
    "load_runs": lambda store: store.load_runs(TENANT).items,
    # what the core keeps inside of snapshots, records and settings, in documents of its own
    "held_nights": lambda store: {r: held_nights(record) for r, record in bookings_of(store).items()},
    "read_stay": lambda store: read_stay(bookings_of(store)[RecordId("unit_garden.stay")]),
    "read_gains": lambda store: {r: read_gains(record) for r, record in bookings_of(store).items()},
    "read_leaves": lambda store: {r: read_leaves(record) for r, record in bookings_of(store).items()},
    "read_open": lambda store: {r: sorted(read_open(record).items()) for r, record in bookings_of(store).items()},
    "read_misses": lambda store: {r: read_misses(record, NOW) for r, record in bookings_of(store).items()},
    "describe_conflict": describe_conflicts,
    "read_calendar": calendars_of,
    "token_of": tokens_of,
    "names": sayings,
    "make_id": lambda store: {r.key: make_id(CLIENTS, r.key, 2) for r in records_of(store) if r.collection == CLIENTS},
    "read_memory": lambda store: {s: read_memory(store.load_snapshot(source_of(store, s)).memory) for s in SOURCES},
    "plan_hash": held_plans,
    "read_table_memory": lambda store: read_table_memory(store.load_snapshot(source_of(store, SQL)).memory),
    "unpack_snapshot": lambda store: unpack_snapshot(store.load_snapshot(source_of(store, ICAL)).content),
    "read_remote": lambda store: [read_remote(entry) for entry in (entries_of(store)[0], entries_of(store)[-1])],
    "unpack_manifest": lambda store: unpack_manifest(store.load_snapshot(source_of(store, SQL)).content),
    "unpack_chunk": lambda store: [
        unpack_chunk(chunk) for _, chunk in sorted(store.load_chunks(source_of(store, SQL), chunk_names(store)).items())
    ],
    "read_record_settings": lambda store: read_record_settings(source_of(store, API).settings),
    "read_api": lambda store: [read_api(source.settings) for source in store.load_sources(TENANT) if source.kind == "json"],
    "read_table_settings": lambda store: read_table_settings(source_of(store, SQL).settings),
    "fingerprint": lambda store: [table.fingerprint for table in read_table_settings(source_of(store, SQL).settings).tables],
}


def put_items(dynamo: DynamoStore) -> None:
    """Write the items of d9eec7f."""
    items = read_items()
    for at in range(0, len(items), 25):
        puts = [{"PutRequest": {"Item": item}} for item in items[at : at + 25]]
        answer = dynamo.client.batch_write_item(RequestItems={dynamo.table_name: puts})
        assert not answer.get("UnprocessedItems")


def read_items() -> list[dict[str, dict[str, Any]]]:
    """Return the items as DynamoDB takes them; in the file, bytes are base64."""
    return [{name: _read_attribute(value) for name, value in item.items()} for item in json.loads(_read("items.json"))]


def _read_attribute(attribute: dict[str, Any]) -> dict[str, Any]:
    ((kind, value),) = attribute.items()
    if kind == "B":
        return {kind: base64.b64decode(value)}
    return {kind: {name: _read_attribute(inner) for name, inner in value.items()}} if kind == "M" else attribute


def read_values() -> dict[str, Json]:
    """Return what d9eec7f read from its own table, by the name of the load."""
    found: dict[str, Json] = json.loads(_read("values.json"))
    return found


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="ascii")


# ── comparing by the former names ──


def write_plain(value: object) -> Json:
    """Return *value* as JSON: classes by their fields, enums by value, times in ISO 8601, bytes in base64."""
    if value is None or isinstance(value, bool | int | float | str | Enum):
        return value.value if isinstance(value, Enum) else value
    if names := _names_of(value):
        return {"class": type(value).__name__, **{name: write_plain(getattr(value, name)) for name in names}}
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(name): write_plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [write_plain(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return sorted(map(write_plain, value), key=json.dumps)
    return f"{type(value).__name__} {value}"


def _names_of(value: object) -> list[str]:
    """Return the fields of a value, a NamedTuple or a namespace; none for anything else."""
    if isinstance(value, Value):
        return list(fields_of(type(value)))
    return list(vars(value)) if isinstance(value, SimpleNamespace) else list(getattr(value, "_fields", ()))


def find_differences(then: Json, now: object, path: str) -> Iterator[str]:
    """Yield where *now* says otherwise than d9eec7f did; what today's classes have beyond it is not asked."""
    if isinstance(then, dict) and "class" in then:
        yield from _compare_fields(then, now, path)
    elif isinstance(then, dict) and isinstance(now, Mapping) and set(then) == {str(key) for key in now}:
        for key, value in now.items():
            yield from find_differences(then[str(key)], value, f"{path}[{key}]")
    elif isinstance(then, list) and isinstance(now, list | tuple) and len(then) == len(now):
        for at, value in enumerate(now):
            yield from find_differences(then[at], value, f"{path}[{at}]")
    elif json.dumps(then) != json.dumps(write_plain(now)):
        yield f"{path}: {then!r} is read as {now!r}"


def _compare_fields(then: dict[str, Json], now: object, path: str) -> Iterator[str]:
    former = then["class"]
    if type(now).__name__ != RENAMED.get(former, former):
        yield f"{path}: {former} is read as {type(now).__name__}"
        return
    for name in then.keys() - {"class"}:
        today = RENAMED.get(f"{former}.{name}", name)
        if hasattr(now, today):
            yield from find_differences(then[name], getattr(now, today), f"{path}.{today}")
        else:
            yield f"{path}: {former}.{name} is no field of {type(now).__name__}; if it was renamed, say so in RENAMED"


def find_silent_fields(then: Json, now: object) -> Iterator[tuple[str, bool]]:
    """Yield every field in *then*, and whether *now* has another value there than its default, or nothing at all."""
    if isinstance(then, dict) and "class" in then:
        defaults = _defaults_of(now)
        for name in then.keys() - {"class"}:
            today = RENAMED.get(f"{then['class']}.{name}", str(name))
            value = getattr(now, today)
            yield f"{then['class']}.{name}", value not in (None, "", b"", (), [], {}) and value != defaults.get(today, MISSING)
            yield from find_silent_fields(then[name], value)
    elif isinstance(then, dict) and isinstance(now, Mapping):
        for key, value in now.items():
            yield from find_silent_fields(then[str(key)], value)
    elif isinstance(then, list) and isinstance(now, list | tuple):
        for inner, value in zip(then, now, strict=True):
            yield from find_silent_fields(inner, value)


def _defaults_of(value: Any) -> dict[str, object]:
    return defaults_of(type(value)) if isinstance(value, Value) else {}
