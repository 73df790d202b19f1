"""A config file, and files that are refused."""

from __future__ import annotations

import copy
from typing import Any

FILE: dict[str, Any] = {
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


def change(path, value):
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


REFUSED = [
    ([], "the file: not a mapping"),
    (None, "the file: not a mapping"),
    ({"propertys": []}, "the file: unknown key 'propertys'"),
    ({"properties": {}}, "properties: not a list"),
    ({"properties": ["Villa"]}, "properties[0]: not a mapping"),
    ({"properties": [{}]}, "properties[0].name: missing"),
    (change(("properties", 0, "timezone"), "Rome"), "properties[0].timezone: no such timezone"),
    (change((*UNIT, "check_in_time"), "24:00"), "properties[0].units[0].check_in_time: not a time of day; write HH:MM"),
    (change((*UNIT, "check_out_time"), 660), "properties[0].units[0].check_out_time: not a time of day; write HH:MM"),
    (
        change((*UNIT, "cleaning_minutes"), 1441),
        "properties[0].units[0].cleaning_minutes: not a number of minutes from 0 to 1440",
    ),
    (change((*UNIT, "cleaning_minutes"), "1441"), "properties[0].units[0].cleaning_minutes: not a number of minutes"),
    (change((*UNIT, "name"), 7), "properties[0].units[0].name: not a name"),
    (change((*UNIT, "name"), "Loft"), "properties[0].units[1].name: the same name twice"),
    (change(("properties", 0, "units", 2, "parts"), ["Attic"]), "properties[0].units[2].parts[0]: no unit"),
    (change(("properties", 0, "units", 2, "parts"), ["Whole villa"]), "properties[0].units[2].parts: a unit cannot"),
    (change((*SOURCE, "url"), None), "properties[0].units[0].sources[0].url: not a URL"),
    (change((*SOURCE, "interval"), "5"), "properties[0].units[0].sources[0].interval: must be at least 60 s"),
    (change((*SOURCE, "platform"), "myspace"), "properties[0].units[0].sources[0].platform: no such platform"),
    (change((*SOURCE, "enabled"), "perhaps"), "properties[0].units[0].sources[0].enabled: must be true or false"),
    (change((*SOURCE, "colour"), "red"), "properties[0].units[0].sources[0]: unknown key 'colour'"),
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
]
"""Files that are refused, with the beginning of the error."""
