"""The JSON Schema of the config file, held against the code that reads it, both ways."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from bokit.core.items.api_spec import JSON_READERS, NEEDED_PAGE_KEY, PAGE_KEYS
from bokit.core.tables.spec import TABLE_KEYS
from bokit.engine.catalog.collection_sources import SQL_SETTINGS
from bokit.engine.catalog.config.file import COLLECTION_FIELDS, PART_KEYS, PROPERTY_KEYS, SOURCE_FIELDS, UNIT_KEYS, read_config
from bokit.errors import InputError
from bokit_cli import config_schema
from bokit_cli.config_file import load_beside, load_document
from bokit_cli.schemas import build_files, write_schema
from tests.support.config_files import CRM, FILE, REFUSED

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs/schemas"
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
SCHEMA = Draft202012Validator(config_schema.build_config_schema())
UNSAID = (
    "properties[0].timezone: no such timezone",  # which exist is the machine's own table
    "properties[0].units[1].name: the same name twice",  # a schema does not compare items
    "properties[0].units[2].parts",
    "properties[0].units[0].sources[0].interval: must be at least 60 s",  # as text; as a number it is refused
    "collections[0].schema: not a JSON Schema; it is an object",  # a file that is not there
    "collections[1].name: the same name twice",
    "sources[0].items: not a JMESPath expression",
)


@pytest.mark.parametrize("name", sorted(build_files()))
def test_the_schemas_in_docs_are_those_of_the_code(name):
    """Where this fails: `make schemas` writes them."""
    assert (FOLDER / name).read_text(encoding="utf-8") == write_schema(build_files()[name])


def test_it_is_a_schema():
    """It follows the rules of draft 2020-12."""
    Draft202012Validator.check_schema(SCHEMA.schema)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        (config_schema.PLACE, {*PROPERTY_KEYS, *UNIT_KEYS, *PART_KEYS}),
        (config_schema.SOURCE, SOURCE_FIELDS),
        (config_schema.COLLECTION, COLLECTION_FIELDS),
        (config_schema.JSON_SETTINGS, JSON_READERS),
        (config_schema.PAGE_FIELDS, {key for keys in PAGE_KEYS.values() for key in keys}),
        (config_schema.TABLE, TABLE_KEYS),
        (config_schema.SQL, SQL_SETTINGS),
    ],
)
def test_it_has_the_fields_that_the_code_reads_and_no_other(fields, names):
    """A field that is added or removed changes the schema, too."""
    assert set(fields) == set(names)
    assert set(NEEDED_PAGE_KEY.values()) <= set(config_schema.PAGE_FIELDS)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_an_example_names_the_schema_and_matches_it(example):
    """Its comment leads an editor to the schema in this repository; schema and reader take it."""
    first = example.read_text(encoding="utf-8").splitlines()[0]
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert named is not None
    assert (example.parent / named[1]).resolve() == FOLDER / "config.schema.json"

    document = load_document(str(example))
    read_config(document, lambda name: load_beside(str(example), name))
    assert [error.message for error in SCHEMA.iter_errors(document)] == []


@pytest.mark.parametrize(("document", "start"), REFUSED, ids=[start for _, start in REFUSED])
def test_what_the_reader_refuses_the_schema_refuses_where_it_can(document, start):
    """A schema knows no timezones, no other items and no expressions; everything else it refuses as the reader does."""
    with pytest.raises(InputError) as refused:
        read_config(document)

    assert str(refused.value).startswith(start)
    assert SCHEMA.is_valid(document) == str(refused.value).startswith(UNSAID)


FEED = FILE["properties"][0]["units"][0]["sources"][0]
SQL = {"name": "Billing", "kind": "sql", "url": "secret:billing", "tables": [{"table": "a.clients", "key": "id"}]}


@pytest.mark.parametrize(
    "changes",
    [
        *({"platform": word} for word in ("Airbnb", "booking.com", "Booking-com", "abritel", "", None, "office365")),
        *({"interval": span} for span in (60, "60", " 15 M ", "2h", "", None)),
        *({"enabled": flag} for flag in (True, "yes", "off", 0)),
        {"ends_on": "last-night", "ignore_transparent": None, "timezone": None, "cancel_after": 0},
    ],
)
def test_a_feed_that_is_read_matches(changes):
    """Spellings that the reader takes are in the schema."""
    document = {"properties": [{"name": "Villa", "units": [{"name": "Flat", "sources": [{**FEED, **changes}]}]}]}
    read_config(document)

    assert [error.message for error in SCHEMA.iter_errors(document)] == []


@pytest.mark.parametrize(
    "source",
    [
        {**CRM, "method": "post", "body": {"q": 1}, "pages": None, "headers": {"X-Count": 5}},
        {**CRM, "pages": {"offset": "o", "limit": 5, "limit_param": "n"}, "updated_since": {"param": "since", "format": "unix"}},
        {**CRM, "pages": {"page": "p", "size": 5, "first": 0}, "fields": {"name": "a.b"}, "body": None},
        {**CRM, "pages": {"link": "next", "total": "header:X-Total"}, "fields": {"_id": '"_id"'}, "deleted": "gone_at"},
        {**CRM, "pages": {"cursor": "c", "param": "v.after", "in": "body", "more": "m"}, "method": "POST", "body": {}},
        {**CRM, "pages": {"offset": "o", "limit": 5, "past_end": 404}, "without": "a.b, c", "volatile": ["seen"]},
        {**CRM, "pages": {"ignore": ["total"]}, "without": None},
        SQL,
        {**SQL, "collection": "clients", "on_missing": None, "allow_writable_account": True},
    ],
)
def test_a_source_of_records_that_is_read_matches(source):
    """Settings that the reader takes are in the schema."""
    read_config({"sources": [source]})

    assert [error.message for error in SCHEMA.iter_errors({"sources": [source]})] == []


@pytest.mark.parametrize(
    "source",
    [
        {**CRM, "body": {"q": 1}},
        {**CRM, "pages": {"page": "p"}},
        {**CRM, "pages": {"page": "p", "size": 5, "param": "c"}},
        {**CRM, "headers": {"Host": "x"}},
        {**CRM, "headers": {"a b": "x"}},
        {**CRM, "fields": {"_meta": "id"}},
        {**CRM, "fields": {}},
        {**CRM, "updated_since": {"format": "iso"}},
        {**CRM, "tables": []},
        {**SQL, "tables": []},
        {**SQL, "tables": [{"table": "clients"}]},
        {**SQL, "tables": [{"table": "clients", "key": ["id", "id"]}]},
        {**SQL, "tables": [{"table": "clients", "key": "id", "colour": "red"}]},
        {**SQL, "items": "data"},
        {**SQL, "on_missing": "perhaps"},
        {"name": "Bookings", "kind": "json", "url": "https://crm.example/1", "collection": "bookings"},
    ],
)
def test_a_source_of_records_that_is_refused_does_not_match(source):
    """What the reader refuses of it, the schema refuses."""
    with pytest.raises(InputError):
        read_config({"sources": [source]})

    assert not SCHEMA.is_valid({"sources": [source]})
