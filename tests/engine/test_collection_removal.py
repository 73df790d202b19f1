"""A collection is deleted while records are written to it: at every moment of either, no record is left without a collection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from bokit.core.items.edit import WriteMethod
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.collections import scopes_of
from bokit.engine.app import Bokit
from bokit.engine.catalog.collections import WriteRequest
from bokit.errors import StateError
from tests.support.interrupted import REFUSED, InterruptedStore
from tests.support.json_app import JsonApp


def an_app() -> JsonApp:
    app = JsonApp()
    app.bokit.catalog.collections.declare(DEFAULT_TENANT, {"name": "settings"})
    return app


def remove(bokit: Bokit) -> None:
    bokit.catalog.collections.remove(DEFAULT_TENANT, "settings")


def push(bokit: Bokit, key: str = "main") -> None:
    collections = bokit.catalog.collections
    request = WriteRequest(method=WriteMethod.PUT, document={"theme": "dark"}, by="user:rosa")
    collections.write(collections.find(DEFAULT_TENANT, "settings"), key, request)


def is_refused(action: Callable[[Bokit], None], bokit: Bokit) -> bool:
    try:
        action(bokit)
    except REFUSED:
        return True
    return False


def is_left_alone(store: Any) -> bool:
    """Return whether there are records of the collection, but no collection."""
    records = [r for scope in scopes_of("settings", 1) for r in store.load_records(DEFAULT_TENANT, "settings", scope)]
    return bool(records) and "settings" not in {c.name for c in store.load_collections(DEFAULT_TENANT)}


@pytest.mark.parametrize(("one", "other"), [(push, remove), (remove, push)])
@pytest.mark.parametrize("after", [False, True])
def test_no_moment_leaves_a_record_without_its_collection(one, other, after):
    """One happens before or after each call of the store that the other makes; what is too late is refused."""
    tried, refused = 0, 0
    for at in range(1, 100):
        app = an_app()
        interrupted = InterruptedStore(app.store, at, partial(other, app.bokit), after=after)
        refused += is_refused(one, app.assemble(interrupted))
        if interrupted.calls < at:
            break
        tried += 1
        assert not is_left_alone(app.store), at

    assert tried >= 3
    assert refused > 0


def test_many_writers_and_deletions_at_once_leave_no_record_alone():
    """Eight writers and two deletions, started together, forty times."""
    left = []
    for _ in range(40):
        app = an_app()
        gate = threading.Barrier(10)

        def run(number: int, bokit: Bokit = app.bokit, gate: threading.Barrier = gate) -> None:
            gate.wait(10)
            is_refused(remove if number < 2 else partial(push, key=f"key-{number}"), bokit)

        with ThreadPoolExecutor(10) as pool:
            list(pool.map(run, range(10)))
        left.append(is_left_alone(app.store))

    assert left == [False] * 40


def test_a_collection_with_records_stays():
    """Also one whose only record was written a moment ago; more can be written."""
    app = an_app()
    push(app.bokit)

    with pytest.raises(StateError, match="has records"):
        remove(app.bokit)
    push(app.bokit, "other")
