"""Pages of lists that the engine returns whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from bokit.core.model.cursors import read_cursor, write_cursor
from bokit.core.model.documents import count_within
from bokit.http.limits import MAX_PAGE_BYTES

T = TypeVar("T")
Key = tuple[str, ...]
SEPARATOR = "\0"  # between the parts of a key: no name or id holds it


def count_fitting(documents: Iterable[Mapping[str, Any]]) -> int:
    """Return how many of *documents*, from the first on, fit into a page; at least one."""
    return max(1, count_within(documents, MAX_PAGE_BYTES))


def cut_page(
    items: Iterable[T], key: Callable[[T], Key], *, list_id: object, limit: int, cursor: str | None
) -> tuple[list[T], str | None]:
    """Return a page of *items*, sorted by *key*, and the cursor of the next one (None: this was the last).

    *list_id* identifies the list (tenant, route and filters); a cursor of another list is refused. Items added or removed
    between two pages move no others: the next page begins after a key, not at a number.
    """
    after = read_position(list_id, cursor)
    ordered = sorted(items, key=key)
    left = [item for item in ordered if after is None or key(item) > after]
    page = left[:limit]
    return page, write_cursor(_write_scope(list_id), SEPARATOR.join(key(page[-1]))) if len(left) > limit else None


def read_position(list_id: object, cursor: str | None) -> Key | None:
    """Return the key after which the page begins; None: it is the first. Raises InputError for another list's cursor."""
    return None if cursor is None else tuple(read_cursor(_write_scope(list_id), cursor).split(SEPARATOR))


def _write_scope(list_id: object) -> str:
    return json.dumps(list_id, default=str)
