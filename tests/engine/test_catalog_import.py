"""The config file: read with the place of every mistake, declared without repeating itself."""

from __future__ import annotations

import copy
from datetime import timedelta

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT, EndsOn
from bokit.engine.catalog.config.file import read_config
from bokit.engine.catalog.config.importing import import_config
from bokit.errors import InputError
from tests.support.catalog_app import CatalogApp

FILE = {
    "properties": [
        {
            "name": "Villa Rosa",
            "timezone": "Europe/Rome",
            "units": [
                {
                    "name": "Garden flat",
                    "sources": [
                        {"name": "Airbnb", "kind": "ical", "url": "https://feeds.example/x.ics", "interval": "15m"},
                        {"name": "Booking.com", "kind": "ical", "url": "secret:bokit/rosa/booking"},
                    ],
                },
                {"name": "Loft"},
                {"name": "Whole villa", "parts": ["Garden flat", "Loft"]},
            ],
        }
    ],
}


def test_a_file_is_declared_once():
    """Importing again changes nothing; what differs, and that alone, is changed."""
    app = CatalogApp()
    first = import_config(app.catalog, DEFAULT_TENANT, read_config(FILE))
    assert {(d["kind"], d["name"]) for d in first.added} == {
        ("source", "Airbnb"),
        ("source", "Booking.com"),
        ("unit", "Loft"),
        ("unit", "Whole villa"),
    }

    again = import_config(app.catalog, DEFAULT_TENANT, read_config(FILE))
    assert (again.added, again.changed, len(again.unchanged)) == ([], [], 6)

    other = copy.deepcopy(FILE)
    other["properties"][0]["units"][0]["sources"][0]["interval"] = 3600
    other["properties"][0]["units"][0]["sources"][0] |= {"ends_on": "last-night", "ignore_transparent": True}
    other["properties"][0]["units"][2]["parts"] = ["Loft"]
    third = import_config(app.catalog, DEFAULT_TENANT, read_config(other))
    assert sorted(d["name"] for d in third.changed) == ["Airbnb", "Whole villa"]
    source = app.catalog.sources.find(DEFAULT_TENANT, "Airbnb")
    assert source.interval == timedelta(hours=1)
    assert (source.ends_on, source.ignore_transparent) == (EndsOn.LAST_NIGHT, True)


def test_linked_units_are_linked_by_name():
    """Parts may be named before or after the unit that they make."""
    app = CatalogApp()
    document = copy.deepcopy(FILE)
    document["properties"][0]["units"].reverse()

    import_config(app.catalog, DEFAULT_TENANT, read_config(document))

    parts = {app.catalog.find_unit(DEFAULT_TENANT, name).id for name in ("Garden flat", "Loft")}
    assert set(app.catalog.find_unit(DEFAULT_TENANT, "Whole villa").parts) == parts


def _set(path, value):
    """Return FILE with *value* at *path*."""
    document = copy.deepcopy(FILE)
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return document


CRM = {"name": "CRM", "kind": "json", "url": "https://crm.example/api", "collection": "clients"}
UNIT = ("properties", 0, "units", 0)
SOURCE = (*UNIT, "sources", 0)


@pytest.mark.parametrize(
    ("document", "start"),
    [
        ([], "the file: not a mapping"),
        (None, "the file: not a mapping"),
        ({"propertys": []}, "the file: unknown key 'propertys'"),
        ({"properties": {}}, "properties: not a list"),
        ({"properties": ["Villa"]}, "properties[0]: not a mapping"),
        ({"properties": [{}]}, "properties[0].name: missing"),
        (_set(("properties", 0, "timezone"), "Rome"), "properties[0].timezone: no such timezone"),
        (_set((*UNIT, "name"), 7), "properties[0].units[0].name: not a name"),
        (_set((*UNIT, "name"), "Loft"), "properties[0].units[1].name: the same name twice"),
        (_set(("properties", 0, "units", 2, "parts"), ["Attic"]), "properties[0].units[2].parts[0]: no unit"),
        (_set(("properties", 0, "units", 2, "parts"), ["Whole villa"]), "properties[0].units[2].parts: a unit cannot"),
        (_set((*SOURCE, "url"), None), "properties[0].units[0].sources[0].url: not a URL"),
        (_set((*SOURCE, "interval"), "5"), "properties[0].units[0].sources[0].interval: must be at least 60 s"),
        (_set((*SOURCE, "platform"), "myspace"), "properties[0].units[0].sources[0].platform: no such platform"),
        (_set((*SOURCE, "enabled"), "perhaps"), "properties[0].units[0].sources[0].enabled: must be true or false"),
        (_set((*SOURCE, "colour"), "red"), "properties[0].units[0].sources[0]: unknown key 'colour'"),
        ({"collections": [{"name": "No Name"}]}, "collections[0].name: a collection's name has"),
        ({"collections": [{"name": "clients", "schema": {"type": "wrong"}}]}, "collections[0].schema: not a JSON Schema"),
        ({"collections": [{"name": "clients", "schema": "x.json"}]}, "collections[0].schema: not a JSON Schema"),
        ({"collections": [{"name": "clients"}, {"name": "clients"}]}, "collections[1].name: the same name twice"),
        ({"sources": [{"name": "CRM", "kind": "json"}]}, "sources[0].url: missing"),
        ({"sources": [{**CRM, "collection": None}]}, "sources[0].collection: missing"),
        ({"sources": [{**CRM, "items": "data["}]}, "sources[0].items: not a JMESPath expression"),
        ({"sources": [{**CRM, "pages": {"offset": "offset"}}]}, "sources[0].pages.limit: missing"),
        ({"sources": [{**CRM, "headers": {"X-Key": "a\nb"}}]}, "sources[0].headers.X-Key: not a header's value"),
        ({"sources": [{**CRM, "on_missing": "perhaps"}]}, "sources[0].on_missing: must be one of keep, mark, delete"),
        ({"sources": [{**CRM, "colour": "red"}]}, "sources[0].colour: unknown"),
        ({"sources": [{**CRM, "kind": "ical"}]}, "sources[0].kind: not one of json, sql"),
    ],
)
def test_an_error_begins_with_the_path_of_the_mistake(document, start):
    """The error begins with the path of what is wrong."""
    with pytest.raises(InputError) as caught:
        read_config(document)

    assert str(caught.value).startswith(start)


@pytest.mark.parametrize(
    ("path", "value", "start"),
    [
        ((*SOURCE, "url"), "http://10.0.0.1/x.ics", "properties[0].units[0].sources[0].url: an address"),
        ((*SOURCE, "kind"), "sql", "properties[0].units[0].sources[0].kind: sources of this kind"),
        ((*SOURCE, "url"), "secret:bokit/rosa/booking", "properties[0].units[0].sources[1].url: the same URL"),
    ],
)
def test_a_source_that_is_refused_stops_the_import_before_it_begins(path, value, start):
    """Every source is judged before the first is written."""
    app = CatalogApp()

    with pytest.raises(InputError) as caught:
        import_config(app.catalog, DEFAULT_TENANT, read_config(_set(path, value)))

    assert str(caught.value).startswith(start)
    assert len(app.catalog.list_units(DEFAULT_TENANT)) == 1
