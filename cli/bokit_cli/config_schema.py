"""The JSON Schema of the config file, made from the fields that the code reads: a field without a schema is an error here.

An editor completes and checks a file by it; Bokit itself reads the file with its own readers, whose errors name the path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bokit.core.items import limits as items
from bokit.core.items.api_spec import (
    CLIENT_HEADERS,
    COMMON_PAGE_KEYS,
    JSON_READERS,
    NEEDED_PAGE_KEY,
    PAGE_KEYS,
    PAGE_PLACES,
    PAST_END_STATUSES,
    TimeFormat,
)
from bokit.core.model import limits
from bokit.core.model.catalog import EndsOn
from bokit.core.model.collections import BUILT_IN, OnMissing
from bokit.core.model.documents import RESERVED
from bokit.core.model.field_changes import SchemaPolicy
from bokit.core.model.platform_names import PLATFORM_NAMES
from bokit.core.tables import limits as tables
from bokit.core.tables.spec import TABLE_KEYS
from bokit.engine.catalog.collection_sources import COMMON, SQL_SETTINGS
from bokit.engine.catalog.config.file import (
    COLLECTION_FIELDS,
    PART_KEYS,
    PROPERTY_KEYS,
    SOURCE_FIELDS,
    TOP_KEYS,
    UNIT_KEYS,
)
from bokit.engine.catalog.limits import (
    MAX_CLEANING_MINUTES,
    MAX_CONFIG_ITEMS,
    MAX_NAME_LENGTH,
    MAX_TURNOVER_DAYS,
    MAX_UNIT_PARTS,
)

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
NULL: Schema = {"type": "null"}
FLAG_WORDS = (True, False, "true", "false", "on", "off", "yes", "no", "1", "0", 1, 0)


def any_of(*choices: Schema) -> Schema:
    """Return a schema of alternatives."""
    return {"anyOf": list(choices)}


def text(most: int | None = None, pattern: str = r"\S") -> Schema:
    """Return a schema of a text that is not empty."""
    return {"type": "string", "pattern": pattern, **({"maxLength": most} if most else {})}


def span(least: int = 0) -> Schema:
    """Return a schema of a duration: seconds, or a number with a unit."""
    seconds = {"type": "integer", "minimum": least, "maximum": limits.MAX_SPAN_SECONDS}
    return any_of(seconds, {"type": "string", "pattern": r"^\s*[0-9]+\s*[smhdSMHD]?\s*$", "examples": ["15m", "2h", "7d"]})


def or_null(schema: Schema) -> Schema:
    """Return a schema that also takes null and an empty text, which mean the default."""
    return any_of(schema, {"enum": [None, ""]})


def list_of(item: Schema, most: int = MAX_CONFIG_ITEMS) -> Schema:
    """Return a schema of a list that may be null."""
    return {"type": ["array", "null"], "items": item, "maxItems": most}


def mapping(fields: Mapping[str, Schema], names: Iterable[str], required: Iterable[str] = ()) -> Schema:
    """Return a schema of a mapping of exactly the fields that the code reads, *names*; raises KeyError for one without schema."""
    properties = {name: fields[name] for name in names}
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


def say(about: str, schema: Schema) -> Schema:
    """Return a schema with a description, which editors show."""
    return {"description": about, **schema}


def one_of(words: Iterable[str]) -> Schema:
    """Return a schema of a choice of words."""
    return {"enum": [str(word) for word in words]}


def _any_case(word: str) -> str:
    letters = ("[_-]" if c == "_" else f"[{c.upper()}{c}]" if c.isalpha() else c for c in word)
    return "".join(letters)


PLATFORM = any_of(
    one_of(PLATFORM_NAMES),
    text(pattern=rf"^\s*({'|'.join(map(_any_case, [*PLATFORM_NAMES, 'booking', 'abritel', 'homeaway', 'office365']))})\s*$"),
    text(pattern=rf"^\s*{_any_case('booking')}\.{_any_case('com')}\s*$"),
)
NAME = text(MAX_NAME_LENGTH, r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*\S[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$")
ZONE = or_null(text(limits.MAX_ZONE_NAME_LENGTH))
FLAG: Schema = {"enum": list(FLAG_WORDS)}
PATH = text()
EXPRESSION = text(items.MAX_EXPRESSION_LENGTH)
COLLECTION_NAME: Schema = {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,59}$", "not": {"enum": sorted(BUILT_IN)}}
ON_MISSING = one_of(OnMissing)
COLUMN = text(tables.MAX_COLUMN_NAME_LENGTH)
TURNOVER = any_of(
    {"type": "integer", "minimum": 0, "maximum": MAX_TURNOVER_DAYS},
    {"type": "string", "pattern": r"^\d{1,2}$"},
    {"enum": [None, ""]},
)

CLOCK_TIME = any_of({"type": "string", "pattern": r"^\s*([01]?[0-9]|2[0-3]):[0-5][0-9]\s*$"}, {"enum": [None, ""]})
CLEANING = any_of(
    {"type": "integer", "minimum": 0, "maximum": MAX_CLEANING_MINUTES},
    {"type": "string", "pattern": r"^([0-9]{1,3}|0[0-9]{3}|1[0-3][0-9]{2}|14[0-3][0-9]|1440)$"},
    {"enum": [None, ""]},
)

PLACE: dict[str, Schema] = {
    "name": say("Identifies it: another name is another one.", NAME),
    "timezone": say("An IANA name, as in Europe/Rome; a unit's is its property's if omitted.", ZONE),
    "turnover_days": say("Days between a departure and the next arrival.", TURNOVER),
    "check_in_time": say("When guests may come; 15:00 if nothing says so.", CLOCK_TIME),
    "check_out_time": say("When guests leave; 11:00 if nothing says so.", CLOCK_TIME),
    "cleaning_minutes": say("How long cleaning takes between two guests.", CLEANING),
    "units": say("What is rented as one.", list_of({"$ref": "#/$defs/unit"})),
    "parts": say("Linked units: a night of one is a night of the other.", list_of({"$ref": "#/$defs/part"}, MAX_UNIT_PARTS)),
    "sources": say("Calendars of the unit.", list_of({"$ref": "#/$defs/source"})),
    "property": NAME,
    "unit": NAME,
}
SOURCE: dict[str, Schema] = {
    "name": say("Identifies it within its unit.", NAME),
    "kind": say("A calendar is ical.", NAME),
    "url": say(
        "https://…, or secret:NAME, a secret of the tenant.",
        {**text(limits.MAX_URL_LENGTH), "not": {"enum": ["secret:"]}},
    ),
    "platform": say("Detected if omitted.", or_null(PLATFORM)),
    "interval": say("Between two syncs, as in 15m; the tenant's if omitted.", or_null(span(limits.MIN_INTERVAL_SECONDS))),
    "cancel_after": say("How long a missing stay is held before it is cancelled.", or_null(span())),
    "timezone": say("Of times without one; the unit's if omitted.", ZONE),
    "ends_on": say("What the end of an all-day event is.", or_null(one_of(EndsOn))),
    "ignore_transparent": say('Events marked as "free" hold no nights.', or_null(FLAG)),
    "enabled": say("false: paused; what it holds stays held.", FLAG),
}
COLLECTION: dict[str, Schema] = {
    "name": say("Small letters, digits, - and _.", COLLECTION_NAME),
    "preserve": say(
        "Fields that keep the value they have; dots lead into objects.",
        any_of(text(), {"type": "array", "items": PATH, "maxItems": limits.MAX_PATHS}),
    ),
    "array_keys": say(
        "Arrays whose items are identified by a field.",
        {"type": "object", "additionalProperties": PATH, "maxProperties": limits.MAX_PATHS},
    ),
    "schema": say(
        "A JSON Schema that records must match, or the name of a file beside this one.",
        any_of({"type": "object", "$ref": DRAFT}, text(), {"enum": [True, None]}),
    ),
    "buckets": say(
        "Partitions over which records are spread; fixed once there are any.",
        {"type": "integer", "minimum": 1, "maximum": limits.MAX_BUCKETS},
    ),
    "interval": say("Of its sources; the tenant's if omitted.", or_null(span(limits.MIN_INTERVAL_SECONDS))),
    "schema_policy": say(
        "Where a field vanishes or changes its type in most records at once; hold if omitted.", any_of(one_of(SchemaPolicy), NULL)
    ),
}
HEADERS: Schema = {
    "type": "object",
    "maxProperties": items.MAX_API_HEADERS,
    "propertyNames": {
        "pattern": r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$",
        "not": {"pattern": f"^({'|'.join(map(_any_case, CLIENT_HEADERS))})$"},
    },
    "additionalProperties": any_of(
        {"type": "string", "pattern": r"^[\u0020-\u007e]+$", "maxLength": items.MAX_API_HEADER_LENGTH}, {"type": "integer"}
    ),
}
FIELD_MAP: Schema = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": items.MAX_MAPPED_FIELDS,
    "propertyNames": {"minLength": 1, "maxLength": items.MAX_FIELD_NAME_LENGTH, "not": {"enum": list(RESERVED)}},
    "additionalProperties": EXPRESSION,
}
PARAM = text(100, r"^[^\s&=#?\u0000-\u001f]+$")
SIZE: Schema = {"type": "integer", "minimum": 1, "maximum": items.MAX_PAGE_SIZE}
PAGE_FIELDS: dict[str, Schema] = {
    **dict.fromkeys(("link", "param", "page", "size_param", "offset", "limit_param"), PARAM),
    **dict.fromkeys(("next", "cursor"), EXPRESSION),
    **dict.fromkeys(("size", "limit"), SIZE),
    "first": {**SIZE, "minimum": 0},
    "in": say("Where the parameters go.", one_of(PAGE_PLACES)),
    "total": say("Where the number of all items is, or header:NAME.", EXPRESSION),
    "more": say("Where it says whether there is another page, or header:NAME.", EXPRESSION),
    "past_end": say("The status of a page after the last one.", {"enum": list(PAST_END_STATUSES)}),
    "ignore": say(
        "What means something else here than it seems to, as a run's problem names it.",
        any_of(
            EXPRESSION,
            {"type": "array", "items": EXPRESSION, "minItems": 1, "maxItems": items.MAX_IGNORED},
        ),
    ),
}
FIELD_PATHS = any_of(text(), {"type": "array", "items": PATH, "maxItems": limits.MAX_PATHS})
JSON_SETTINGS: dict[str, Schema] = {
    "method": say("GET if omitted.", one_of(("GET", "POST", "get", "post"))),
    "headers": say("Sent with each request; secret:NAME stands for a secret.", HEADERS),
    "body": say("Of a POST.", {}),
    "items": say("Where the list is (JMESPath); the response itself if omitted.", EXPRESSION),
    "id": say("Where an item's id is (JMESPath); `id` if omitted.", EXPRESSION),
    "fields": say("Record field: where it is in the item; all fields if omitted.", FIELD_MAP),
    "without": say("Fields that are left out; dots lead into objects.", FIELD_PATHS),
    "volatile": say("Fields whose changes alone are not a change; dots lead into objects.", FIELD_PATHS),
    "deleted": say("Where an item says that it is deleted (JMESPath).", EXPRESSION),
    "pages": say(
        "How pages follow one another.",
        any_of(
            *(
                mapping(PAGE_FIELDS, PAGE_KEYS[s], [s, *([NEEDED_PAGE_KEY[s]] if s in NEEDED_PAGE_KEY else [])])
                for s in PAGE_KEYS
            ),
            {**mapping(PAGE_FIELDS, COMMON_PAGE_KEYS), "minProperties": 1},
        ),
    ),
    "updated_since": say(
        "Between two full syncs, ask for changes only.",
        mapping({"param": PARAM, "format": one_of(TimeFormat), "overlap": span()}, ("param", "format", "overlap"), ["param"]),
    ),
    "new_only": say("Only add what is new.", FLAG),
    "on_missing": say("What becomes of a record that the source no longer shows; keep if omitted.", ON_MISSING),
}
TABLE: dict[str, Schema] = {
    "table": say("table, or schema.table.", COLUMN),
    "collection": say("The table's name if omitted.", COLLECTION_NAME),
    "key": say(
        "The columns that identify a row.",
        any_of(
            COLUMN,
            {"type": "array", "items": COLUMN, "minItems": 1, "maxItems": tables.MAX_KEY_COLUMNS, "uniqueItems": True},
        ),
    ),
    "name": say("What --table calls it.", any_of(COLUMN, NULL)),
    "fields": say(
        "Record field: column; every column if omitted.",
        any_of({"type": "object", "minProperties": 1, "additionalProperties": COLUMN}, NULL),
    ),
    "without": say("Record fields that are left out; dots lead into columns of JSON.", any_of(FIELD_PATHS, NULL)),
    "volatile": say("Record fields whose changes alone are not a change.", any_of(FIELD_PATHS, NULL)),
    "deleted": say("The column that says that a row is deleted, or a path inside one of JSON.", any_of(COLUMN, NULL)),
    "where": say("A condition, as in a WHERE.", any_of(text(tables.MAX_FILTER_LENGTH), NULL)),
    "updated_at": say("A column that every change of a row moves on.", any_of(COLUMN, NULL)),
    "overlap": say("How far before the last pass the next one begins.", any_of(span(), NULL)),
    "on_missing": say("The source's if omitted.", any_of(ON_MISSING, NULL)),
}
SQL: dict[str, Schema] = {
    "tables": say(
        "What is read.",
        {"type": "array", "items": mapping(TABLE, TABLE_KEYS, ("table", "key")), "minItems": 1, "maxItems": tables.MAX_TABLES},
    ),
    "on_missing": say("What becomes of the rows that are gone; keep if omitted.", any_of(ON_MISSING, NULL)),
    "allow_writable_account": say("Use an account that could write; nothing is written all the same.", any_of(FLAG, NULL)),
}


def build_config_schema() -> Schema:
    """Return the JSON Schema of the config file."""
    return {
        "$schema": DRAFT,
        "title": "The config file of Bokit",
        "description": "What `bokit config import` reads and `bokit config export` writes.",
        **mapping(
            {
                "properties": say("Houses.", list_of({"$ref": "#/$defs/property"})),
                "collections": say("Records of one sort.", list_of({"$ref": "#/$defs/collection"})),
                "sources": say("Sources of collections.", list_of({"$ref": "#/$defs/collection_source"})),
            },
            TOP_KEYS,
        ),
        "$defs": {
            "property": mapping(PLACE, PROPERTY_KEYS, ["name"]),
            "unit": mapping(PLACE, UNIT_KEYS, ["name"]),
            "part": any_of(say("Of the same property.", NAME), say("Of another one.", mapping(PLACE, PART_KEYS, PART_KEYS))),
            "source": mapping(SOURCE, SOURCE_FIELDS, ["name", "url"]),
            "collection": mapping(COLLECTION, COLLECTION_FIELDS, ["name"]),
            "collection_source": {
                "type": "object",
                "required": ["kind"],
                "properties": {"kind": one_of(("json", "sql"))},
                "if": {"properties": {"kind": {"const": "sql"}}},
                "then": _feeder("sql", SQL, SQL_SETTINGS, ["tables"]),
                "else": _feeder(
                    "json", {name: any_of(s, NULL) for name, s in JSON_SETTINGS.items()}, JSON_READERS, ["collection"]
                ),
            },
        },
    }


def _feeder(kind: str, settings: Mapping[str, Schema], names: Iterable[str], required: Iterable[str]) -> Schema:
    """Return the schema of a source of collections."""
    collection = say("What its records belong to.", COLLECTION_NAME)
    fields = {**{name: SOURCE[name] for name in COMMON}, "kind": {"const": kind}, "collection": collection, **settings}
    schema = mapping(fields, [*COMMON, "collection", *names], ["name", "kind", "url", *required])
    if kind == "json":
        by_post = {"properties": {"method": {"enum": ["POST", "post"]}}, "required": ["method"]}
        schema["if"] = {"required": ["body"], "properties": {"body": {"not": NULL}}}
        schema["then"] = by_post
    return schema
