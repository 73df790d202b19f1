"""The config file both ways: what is exported is imported again, and a plan is what an import then does."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bokit.core.bookings.rules import BookingRules
from bokit.core.items.rules import RecordRules
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, UnitId
from bokit.engine.app import Bokit, EngineParts
from bokit.engine.catalog.config.exporting import write_config
from bokit.engine.catalog.config.file import read_config
from bokit.engine.catalog.config.importing import import_config, plan_import
from bokit.engine.catalog.config.stored import read_stored
from bokit.engine.sync.kinds import SourceKind
from bokit.errors import InputError
from bokit.outlets.memory import MemoryAlerts
from bokit.store.memory.store import MemoryStore
from bokit_cli.config_file import load_text, write_text
from bokit_cli.config_schema import build_config_schema
from tests.support.catalog_app import OneFeed
from tests.support.rows_app import ManualClock


def an_app() -> Bokit:
    """Return an engine with an empty tenant, which takes each kind of source."""
    feed, records = OneFeed(), RecordRules()
    kinds = {
        "ical": SourceKind(fetcher=feed, rules=BookingRules(), collection=BOOKINGS),
        "json": SourceKind(fetcher=feed, rules=records, is_shared=True),
        "sql": SourceKind(fetcher=feed, rules=records, is_shared=True, check_url=lambda url: None),
    }
    numbers = iter(range(1, 1_000_000))
    return Bokit(
        EngineParts(
            store=MemoryStore(),
            kinds=kinds,
            alerts=MemoryAlerts(),
            clock=ManualClock(),
            new_id=lambda kind: f"{kind}_{next(numbers):06d}",
        )
    )


def export(app: Bokit) -> dict[str, Any]:
    return write_config(read_stored(app.catalog, DEFAULT_TENANT))


SCHEMA = Draft202012Validator(build_config_schema())

# ── generated catalogs ──

NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12) | st.sampled_from(
    [
        "Airbnb",
        "Garden flat",
        "yes",
        "null",
        "1e3",
        "2026-07-01",
        "=",
        "- a: b",
        "#",
        "Zoë / Loft",
        "民宿",
        "🏡 Loft",
        "a",
        "A",
        "'\"\\",
    ]
)
FEW = st.sampled_from(["A", "a", "B"])
SPANS = st.sampled_from([60, "15m", "2h", 90, "1d", 86_401])
ZONES = st.sampled_from(["Europe/Rome", "UTC", "America/New_York"])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda v: st.lists(v, max_size=2), max_leaves=4
)
PLACE = {
    "timezone": ZONES,
    "turnover_days": st.integers(0, 30),
    "check_in_time": st.times().map("{:%H:%M}".format),
    "check_out_time": st.sampled_from(["11:00", "9:30", "00:00"]),
    "cleaning_minutes": st.integers(0, 1440),
}
FEED = {
    "platform": st.sampled_from(["airbnb", "booking_com", "vrbo"]),
    "interval": SPANS,
    "cancel_after": st.sampled_from([0, "2d"]),
    "timezone": ZONES,
    "ends_on": st.sampled_from(["departure", "last-night"]),
    "ignore_transparent": st.booleans(),
    "enabled": st.booleans(),
}
API = {
    "interval": SPANS,
    "enabled": st.booleans(),
    "headers": st.just({"Authorization": "Bearer secret:crm", "X-Key": "clear text"}),
    "items": st.sampled_from(["data", "data[].item"]),
    "id": st.sampled_from(["id", "key.number"]),
    "fields": st.just({"name": "name", "städte": "address.city"}),
    "pages": st.sampled_from([{"next": "links.next"}, {"page": "p", "size": 5}, {"cursor": "meta.next", "param": "c"}]),
    "updated_since": st.just({"param": "since", "overlap": "5m"}),
    "on_missing": st.sampled_from(["keep", "mark", "delete"]),
    "new_only": st.booleans(),
}
TABLE = {
    "fields": st.just({"name": "raison_sociale"}),
    "where": st.just("actif = 1 AND name <> 'x'"),
    "updated_at": st.just("modifie_le"),
    "on_missing": st.just("mark"),
}
COLLECTION = {
    "preserve": st.just(["createdAt", "owner.name"]),
    "array_keys": st.just({"addresses": "kind"}),
    "schema": st.fixed_dictionaries({"type": st.just("object"), "default": JSON_VALUES}),
    "buckets": st.integers(1, 4),
    "interval": SPANS,
}


def unlike(names: Any, items: Any, most: int = 3) -> Any:
    """Return lists of items with different names."""
    return st.lists(names, unique=True, max_size=most).flatmap(
        lambda found: st.tuples(*(items(name) for name in found)).map(list)
    )


def with_some(fields: Mapping[str, Any], **fixed: Any) -> Any:
    return st.fixed_dictionaries({name: st.just(value) for name, value in fixed.items()}, optional=dict(fields))


@st.composite
def catalogs(draw: Any, names: Any = NAMES, host: str = "feeds") -> dict[str, Any]:
    """Draw what a config file may declare: the same names under different properties and units, links, collections."""
    urls = iter(range(1, 10_000))

    def a_source(name: str) -> Any:
        n = next(urls)
        return with_some(
            FEED, name=name, kind="ical", url=draw(st.sampled_from([f"https://{host}.example/{n}.ics?s=é", f"secret:{host}{n}"]))
        )

    def a_unit(name: str) -> dict[str, Any]:
        unit = draw(with_some(PLACE, name=name))
        return unit | {"sources": draw(unlike(names, a_source, 2))}

    houses = [draw(with_some(PLACE, name=n)) for n in draw(st.lists(names, unique=True, max_size=3))]
    for house in houses:
        house["units"] = [a_unit(n) for n in draw(st.lists(names, unique=True, max_size=3))]
    places = [(house["name"], unit) for house in houses for unit in house["units"]]
    for at, (_, unit) in enumerate(places):
        if earlier := places[:at]:
            chosen = draw(st.lists(st.sampled_from(range(len(earlier))), unique=True, max_size=2))
            unit["parts"] = [{"property": earlier[n][0], "unit": earlier[n][1]["name"]} for n in chosen]
    document: dict[str, Any] = {"properties": houses}
    document["collections"] = draw(
        unlike(st.sampled_from(["clients", "guests", "services"]), lambda n: with_some(COLLECTION, name=n))
    )
    document["sources"] = draw(unlike(names, lambda n: a_feeder(n, host, next(urls))))
    return document


def a_feeder(name: str, host: str, number: int) -> Any:
    collections = st.sampled_from(["clients", "guests", "implied"])
    api = collections.flatmap(
        lambda c: with_some(API, name=name, kind="json", url=f"https://{host}.example/{number}", collection=c)
    )
    table = with_some(TABLE, table="ventes.clients", key=["id"], collection="clients")
    plain = with_some(TABLE, table="services", key="id")
    tables = st.lists(table, min_size=1, max_size=1) | st.tuples(table, plain).map(list)
    sql = tables.map(
        lambda ts: {"name": name, "kind": "sql", "url": f"secret:{host}{number}", "tables": ts, "on_missing": "delete"}
    )
    return api | sql


SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@SLOW
@given(catalogs(), st.booleans())
def test_an_export_declares_the_same_again(document, as_json):
    """Exported, written, read and imported into an empty tenant, everything is exported as before; the schema takes it."""
    app, other = an_app(), an_app()
    import_config(app.catalog, DEFAULT_TENANT, read_config(document))
    exported = export(app)

    assert [*SCHEMA.iter_errors(document)] == []
    assert [*SCHEMA.iter_errors(exported)] == []
    text = write_text(exported, as_json=as_json)
    read = read_config(load_text(text, "x.json" if as_json else "x.yaml"))
    import_config(other.catalog, DEFAULT_TENANT, read)

    assert export(other) == exported
    again = plan_import(app.catalog, DEFAULT_TENANT, read, prune=True)
    assert (again.added, again.changed, again.removed, again.kept) == ([], [], [], [])


@SLOW
@given(catalogs(FEW), catalogs(FEW, "others"), st.booleans())
def test_a_plan_is_what_the_import_does(first, second, prune):
    """A dry run lists what the import then adds, changes, leaves and removes; what it refuses, the import refuses."""
    app = an_app()
    import_config(app.catalog, DEFAULT_TENANT, read_config(first))
    wanted = read_config(second)
    before = export(app)
    try:
        plan = plan_import(app.catalog, DEFAULT_TENANT, wanted, prune=prune)
    except InputError as error:
        refused = str(error)
        with pytest.raises(InputError, match=re.escape(refused)):
            import_config(app.catalog, DEFAULT_TENANT, wanted, prune=prune)
        event("refused")
        assert export(app) == before
        return
    event(f"{bool(plan.changed)=}, {bool(plan.removed)=}")
    assert export(app) == before

    done = import_config(app.catalog, DEFAULT_TENANT, wanted, prune=prune)

    for how in ("added", "changed", "unchanged", "left", "removed", "kept"):
        assert in_order(getattr(plan, how)) == in_order(getattr(done, how)), how
    if prune:
        left = plan_import(app.catalog, DEFAULT_TENANT, wanted).left
        assert {d["full_name"] for d in left} == {d["full_name"] for d in done.kept}


def in_order(items: list[Any]) -> list[str]:
    """Return items in an order, without the ids that only an import gives, nor why they are kept."""
    return sorted(json.dumps([d["kind"], d["full_name"], d["fields"]], default=str, sort_keys=True) for d in items)


FILE: dict[str, Any] = {
    "properties": [
        {
            "name": "Villa Rosa",
            "units": [
                {"name": "Flat", "sources": [{"name": "Airbnb", "kind": "ical", "url": "https://feeds.example/1.ics"}]},
                {"name": "Whole", "parts": ["Flat"]},
            ],
        },
        {"name": "Villa Blu", "units": [{"name": "Flat", "parts": [{"property": "Villa Rosa", "unit": "Flat"}]}]},
    ],
    "sources": [{"name": "CRM", "kind": "json", "url": "https://crm.example/1", "collection": "clients"}],
}


def test_same_names_are_distinguished_by_full_names():
    """A change is named with its property and unit, and an address is shown as its host."""
    app = an_app()
    import_config(app.catalog, DEFAULT_TENANT, read_config(FILE))
    other = copy.deepcopy(FILE)
    other["properties"][0]["units"][0]["sources"][0] |= {"url": "https://feeds.example/2.ics?s=sentinel", "interval": "15m"}
    other["properties"][1]["units"][0]["turnover_days"] = 2
    other["sources"][0]["headers"] = {"X-Key": "sentinel"}

    plan = plan_import(app.catalog, DEFAULT_TENANT, read_config(other)).as_dict(dry_run=True)

    changed = {d["full_name"]: d["fields"] for d in plan["changed"]}
    assert changed["Villa Blu / Flat"] == {"turnover_days": {"from": None, "to": 2}}
    assert changed["Villa Rosa / Flat / Airbnb"]["interval"] == {"from": None, "to": 900}
    assert set(changed) == {"Villa Blu / Flat", "Villa Rosa / Flat / Airbnb", "CRM"}
    assert "sentinel" not in json.dumps(plan)


def test_what_left_the_file_stays_unless_it_is_pruned():
    """Without prune it is listed; with it sources go, and with them what is empty, the whole before its parts."""
    app = an_app()
    import_config(app.catalog, DEFAULT_TENANT, read_config(FILE))
    less = read_config({"properties": [{"name": "Villa Blu"}]})
    gone = [
        "CRM",
        "Villa Blu / Flat",
        "Villa Rosa",
        "Villa Rosa / Flat",
        "Villa Rosa / Flat / Airbnb",
        "Villa Rosa / Whole",
        "clients",
    ]

    left = import_config(app.catalog, DEFAULT_TENANT, less).left
    assert sorted(d["full_name"] for d in left) == gone

    done = import_config(app.catalog, DEFAULT_TENANT, less, prune=True)
    assert (sorted(d["full_name"] for d in done.removed), done.kept) == (gone, [])
    assert export(app) == {"properties": [{"name": "Villa Blu"}]}


def test_a_part_in_another_property_must_be_in_the_file():
    """A link to a unit that the file does not declare is refused, and so is a circle through another property."""
    other = copy.deepcopy(FILE)
    other["properties"][1]["units"][0]["parts"] = [{"property": "Villa Rosa", "unit": "Attic"}]
    with pytest.raises(InputError, match=r"properties\[1\].units\[0\].parts\[0\]: no unit of property 'Villa Rosa'"):
        read_config(other)

    other = copy.deepcopy(FILE)
    other["properties"][0]["units"][0]["parts"] = [{"property": "Villa Blu", "unit": "Flat"}]
    with pytest.raises(InputError, match="a unit cannot be a part of itself"):
        read_config(other)


def test_a_source_that_stays_keeps_its_address():
    """The URL of a source that is not in the file is refused for another one, before anything is written; pruned, it is free."""
    app = an_app()
    import_config(app.catalog, DEFAULT_TENANT, read_config(FILE))
    vrbo = {"name": "VRBO", "kind": "ical", "url": "https://feeds.example/3.ics"}
    more, less = copy.deepcopy(FILE), copy.deepcopy(FILE)
    more["properties"][0]["units"][1]["sources"] = [vrbo]
    import_config(app.catalog, DEFAULT_TENANT, read_config(more))
    (airbnb,) = less["properties"][0]["units"][0].pop("sources")
    less["properties"][0]["units"][1]["sources"] = [vrbo | {"url": airbnb["url"]}]
    before = export(app)

    with pytest.raises(InputError, match="the same URL as the source Villa Rosa / Flat / Airbnb, which is not in the file"):
        import_config(app.catalog, DEFAULT_TENANT, read_config(less))
    assert export(app) == before

    done = import_config(app.catalog, DEFAULT_TENANT, read_config(less), prune=True)
    assert [d["full_name"] for d in done.removed] == ["Villa Rosa / Flat / Airbnb"]
    assert [d["full_name"] for d in done.changed] == ["Villa Rosa / Whole / VRBO"]


def test_what_keeps_its_address_is_moved_or_renamed():
    """A unit in another property and a source in another unit, or under another name, keep their ids; the plan names it."""
    app = an_app()
    import_config(app.catalog, DEFAULT_TENANT, read_config(FILE))
    sources, catalog = app.catalog.sources, app.catalog
    unit, source = catalog.list_units(DEFAULT_TENANT)[0], sources.list_sources(DEFAULT_TENANT)[-1]
    other = copy.deepcopy(FILE)
    (rosa, blu) = other["properties"]
    [flat] = [u for u in rosa["units"] if u["name"] == "Flat"]
    rosa["units"].remove(flat)
    blu["units"][0] |= {"name": "Both", "parts": ["Loft"]}
    blu["units"] += [{"name": "Loft"}]
    rosa["units"][0] |= {"parts": [], "sources": [flat["sources"][0] | {"name": "Airbnb 2"}]}
    wanted = read_config(other)

    plan = plan_import(catalog, DEFAULT_TENANT, wanted).as_dict(dry_run=True)
    import_config(catalog, DEFAULT_TENANT, wanted)

    (changed,) = (d["fields"] for d in plan["changed"] if d["kind"] == "source")
    assert changed == {
        "name": {"from": "Airbnb", "to": "Airbnb 2"},
        "unit": {"from": "Villa Rosa / Flat", "to": "Villa Rosa / Whole"},
    }
    after = sources.load(DEFAULT_TENANT, source.id)
    assert (after.name, catalog.load_unit(DEFAULT_TENANT, UnitId(after.scope)).name) == ("Airbnb 2", "Whole")

    again = copy.deepcopy(other)
    again["properties"][1]["units"] += [again["properties"][0]["units"].pop()]
    whole = import_config(catalog, DEFAULT_TENANT, read_config(again)).changed[0]
    assert whole["fields"] == {"property": {"from": "Villa Rosa", "to": "Villa Blu"}}
    assert sources.load(DEFAULT_TENANT, source.id) == after
    assert unit.id in {u.id for u in catalog.list_units(DEFAULT_TENANT)}
