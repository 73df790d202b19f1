"""Full names: one name for everything in every line, and what a person may write in its place."""

from __future__ import annotations

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT, Property, PropertyId, ShardId, Source, Unit, UnitId
from bokit.core.model.full_names import FullNames
from bokit.core.model.limits import MAX_NAMES_SHOWN
from bokit.core.model.records import CollectionName, Scope, SourceId
from bokit.core.model.suggestions import did_you_mean, suggest
from bokit.engine.base.lookup import find_named
from bokit.errors import InputError, UnknownNameError

HOUSES = [Property(id=PropertyId(f"prop_{name}"), tenant=DEFAULT_TENANT, name=name) for name in ("Villa Rosa", "Casa Luna")]


def a_unit(unit_id: str, house: int, name: str) -> Unit:
    return Unit(id=UnitId(unit_id), tenant=DEFAULT_TENANT, property_id=HOUSES[house].id, name=name)


def a_source(source_id: str, scope: str, name: str, collection: str = "bookings") -> Source:
    return Source(
        id=SourceId(source_id),
        tenant=DEFAULT_TENANT,
        name=name,
        kind="ical",
        url="secret:x",
        collection=CollectionName(collection),
        scope=Scope(scope),
        shard_id=ShardId("s"),
    )


UNITS = [a_unit("u1", 0, "Garden flat"), a_unit("u2", 1, "garden flat"), a_unit("u3", 0, "Loft"), a_unit("u4", 0, "Apt 3/4")]
SOURCES = [
    a_source("s1", "u1", "Airbnb"),
    a_source("s2", "u2", "Airbnb"),
    a_source("s3", "u3", "Airbnb"),
    a_source("s4", "u3", "Booking.com"),
    a_source("s5", "clients", "CRM", "clients"),
    a_source("s6", "u4", "VRBO"),
    a_source("s7", "gone", "Airbnb"),
]
NAMES = FullNames(UNITS, HOUSES)


def test_the_property_comes_first_where_two_units_are_called_the_same():
    """In any case; a source of collections, and one whose unit is gone, has its own name alone."""
    assert [NAMES.of(unit) for unit in UNITS] == ["Villa Rosa / Garden flat", "Casa Luna / garden flat", "Loft", "Apt 3/4"]
    assert {s.id: NAMES.of(s) for s in SOURCES} == {
        "s1": "Villa Rosa / Garden flat / Airbnb",
        "s2": "Casa Luna / garden flat / Airbnb",
        "s3": "Loft / Airbnb",
        "s4": "Loft / Booking.com",
        "s5": "CRM",
        "s6": "Apt 3/4 / VRBO",
        "s7": "Airbnb",
    }
    assert [s.id for s in NAMES.sorted(SOURCES)] == ["s7", "s6", "s2", "s5", "s3", "s4", "s1"]
    assert (NAMES.of_unit("u3"), NAMES.of_unit("gone"), NAMES.of(HOUSES[0])) == ("Loft", "gone", "Villa Rosa")


@pytest.mark.parametrize(
    ("word", "ids"),
    [
        ("s3", "s3"),
        ("Loft / Airbnb", "s3"),
        ("loft/airbnb", "s3"),
        ("  Loft /Airbnb", "s3"),
        ("Villa Rosa / Loft / Airbnb", "s3"),
        ("villa rosa/garden flat/AIRBNB", "s1"),
        ("Garden flat / Airbnb", "s1"),
        ("garden flat / airbnb", "s1 s2"),
        ("booking.com", "s4"),
        ("Airbnb", "s7"),
        ("crm", "s5"),
        ("Apt 3/4/vrbo", "s6"),
        ("4 / VRBO", ""),
        ("Villa Rosa / Airbnb", ""),
        ("/ Airbnb", ""),
        ("", ""),
    ],
)
def test_a_source_is_found_by_any_end_of_its_whole_name(word, ids):
    """The whole name wins over an end of another's, and the case as it is written over another one."""
    if len(ids.split()) == 1:
        assert find_named(SOURCES, word, "source", lambda: NAMES).id == ids
    assert [s.id for s in NAMES.find(SOURCES, word)] == ([] if word == ids else ids.split())


def test_an_ambiguous_name_lists_the_full_ones():
    """And says that one of them is what to write; where they are all the same, the id."""
    with pytest.raises(InputError) as caught:
        find_named(SOURCES[:3], "airbnb", "source", lambda: NAMES)
    assert caught.value.stable_code == "ambiguous-name"
    assert caught.value.message == (
        "3 sources have this name: Casa Luna / garden flat / Airbnb, Loft / Airbnb, Villa Rosa / Garden flat / Airbnb; "
        "write one of these names, or an id"
    )

    many = [a_source(f"s{n}", f"gone{n}", "Airbnb") for n in range(MAX_NAMES_SHOWN + 3)]
    with pytest.raises(InputError, match="8 sources have this name: Airbnb; write the id") as caught:
        find_named(many, "Airbnb", "source", lambda: NAMES)
    assert caught.value.facts["ids"].count(",") == MAX_NAMES_SHOWN - 1


@pytest.mark.parametrize(
    ("what", "items", "word", "message"),
    [
        ("source", SOURCES[3:5], "Booking.cm", "no source is called 'Booking.cm'; did you mean 'Loft / Booking.com'?"),
        ("source", SOURCES[2:3], "Airbnbb", "no source is called 'Airbnbb'; did you mean 'Loft / Airbnb'?"),
        ("source", SOURCES, "lift/airbnb", "no source is called 'lift/airbnb'; did you mean 'Loft / Airbnb'?"),
        ("unit", UNITS, "Attic", "no unit is called 'Attic'; `bokit unit list` shows them"),
        ("property", HOUSES, "Villa Rossa", "no property is called 'Villa Rossa'; did you mean 'Villa Rosa'?"),
        ("unit", [], "Loft", "no unit is called 'Loft'; `bokit unit list` shows them"),
    ],
)
def test_a_misspelt_name_gets_the_full_ones_that_are_like_it(what, items, word, message):
    """Else the command that lists them."""
    with pytest.raises(UnknownNameError) as caught:
        find_named(items, word, what, lambda: NAMES)
    assert str(caught.value) == message


def test_a_very_long_name_is_neither_compared_nor_repeated_whole():
    """The time that a comparison takes grows with the square of a name's length."""
    with pytest.raises(UnknownNameError) as caught:
        find_named(SOURCES, "x" * 100_000, "source", lambda: NAMES)
    assert len(caught.value.message) < 200


def test_suggestions_are_few_and_know_no_case():
    """Three at most, the likeliest first."""
    assert suggest("SYNC.INTERVALL", ["sync.interval", "timezone"]) == ["sync.interval"]
    assert suggest("zzz", ["sync.interval"]) == []
    assert did_you_mean(["a", "b", "c"]) == "; did you mean 'a', 'b' or 'c'?"
