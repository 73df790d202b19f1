"""The number of a collection's buckets changes while something is put into them: all of it is found by the number that stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from bokit.core.items.edit import WriteMethod
from bokit.core.model.catalog import DEFAULT_TENANT, Collection
from bokit.core.model.collections import scopes_of
from bokit.core.model.records import Record
from bokit.engine.app import Bokit
from bokit.engine.catalog.collections import WriteRequest
from bokit.engine.catalog.config.file import read_config
from bokit.engine.catalog.config.importing import import_config
from bokit.engine.runs.manual import SyncRequest
from bokit.values import replace
from tests.support.interrupted import REFUSED, InterruptedStore
from tests.support.json_app import CRM, JsonApp

NAME, BUCKETS = "guests", 8
Act = Callable[[Bokit], object]


def an_app() -> JsonApp:
    """An app with an empty collection of one bucket and without a source."""
    app = JsonApp()
    app.bokit.catalog.collections.declare(DEFAULT_TENANT, {"name": NAME})
    return app


def spread(bokit: Bokit) -> None:
    bokit.catalog.sources.parts = replace(bokit.catalog.sources.parts, wait=lambda seconds: None)
    bokit.catalog.collections.declare(DEFAULT_TENANT, {"name": NAME, "buckets": BUCKETS})


def push(bokit: Bokit) -> None:
    collections = bokit.catalog.collections
    request = WriteRequest(method=WriteMethod.PUT, document={"name": "Ada"}, by="user:rosa")
    collections.write(collections.find(DEFAULT_TENANT, NAME), "main", request)


def add_source(bokit: Bokit) -> None:
    import_config(bokit.catalog, DEFAULT_TENANT, read_config({"sources": [{**CRM, "name": "Guests", "collection": NAME}]}))


def sync(bokit: Bokit) -> None:
    bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, everything=True))


def is_refused(act: Act, bokit: Bokit) -> bool:
    try:
        act(bokit)
    except REFUSED:
        return True
    return False


def collection_of(app: JsonApp) -> Collection:
    return app.bokit.catalog.collections.find(DEFAULT_TENANT, NAME)


def list_records(app: JsonApp) -> Sequence[Record]:
    """Return the collection's records as everybody reads them."""
    return app.bokit.catalog.collections.page(collection_of(app), limit=1000).items


def count_hidden(app: JsonApp) -> int:
    """Return how many records are stored where the collection has none, by what it says now."""
    places = {*scopes_of(NAME, 1), *scopes_of(NAME, BUCKETS)}
    stored = {r.id for scope in places for r in app.store.load_records(DEFAULT_TENANT, NAME, scope)}
    return len(stored - {record.id for record in list_records(app)})


@pytest.mark.parametrize("put", [push, add_source])
@pytest.mark.parametrize("is_spread_later", [False, True], ids=["spread first", "spread later"])
@pytest.mark.parametrize("after", [False, True])
def test_no_moment_hides_a_record(put: Act, is_spread_later: bool, after: bool) -> None:
    """A first record is pushed, or a source added and synced, before or after each call of the change, and the reverse."""
    one, other = (put, spread) if is_spread_later else (spread, put)
    tried, refused = 0, 0
    for at in range(1, 100):
        app = an_app()
        interrupted = InterruptedStore(app.store, at, partial(other, app.bokit), after=after)
        refused += is_refused(one, app.assemble(interrupted))
        if interrupted.calls < at:
            break
        tried += 1
        app.sync()
        assert count_hidden(app) == 0, at

    assert tried >= 3
    assert refused > 0 or put is push


@pytest.mark.parametrize("after", [False, True])
def test_no_moment_of_a_first_sync_hides_a_record(after: bool) -> None:
    """It is spread before or after each call of its source's first sync, and a sync runs at each call of the change."""
    seen = Counter[int]()
    for one, other in ((sync, spread), (spread, sync)):
        for at in range(1, 100):
            app = an_app()
            add_source(app.bokit)
            interrupted = InterruptedStore(app.store, at, partial(other, app.bokit), after=after)
            is_refused(one, app.assemble(interrupted))
            if interrupted.calls < at:
                break
            app.clock.move(hours=1)
            app.sync()
            assert count_hidden(app) == 0, (one, at)
            assert len(list_records(app)) == len(app.api.clients)
            seen[collection_of(app).buckets] += 1

    assert seen[1] > 3
    assert seen[BUCKETS] > 3


def test_an_empty_collection_is_spread() -> None:
    """Also where nobody ever used it; what is pushed afterwards lies where the new number says."""
    app = an_app()
    spread(app.bokit)
    push(app.bokit)

    assert collection_of(app).buckets == BUCKETS
    assert count_hidden(app) == 0
    assert len(list_records(app)) == 1
