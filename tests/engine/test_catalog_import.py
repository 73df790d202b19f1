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
from tests.support.config_files import FILE, REFUSED, SOURCE, change


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


@pytest.mark.parametrize(("document", "start"), REFUSED)
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
        import_config(app.catalog, DEFAULT_TENANT, read_config(change(path, value)))

    assert str(caught.value).startswith(start)
    assert len(app.catalog.list_units(DEFAULT_TENANT)) == 1
