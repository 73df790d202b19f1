"""Lists in pages. A cursor says behind which key the next page begins, and is good for one tenant and one list alone."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from bokit.errors import InputError

T = TypeVar("T")
Key = tuple[str, ...]
LONGEST = 4096


def page_of(
    items: Iterable[T], key: Callable[[T], Key], *, of: tuple[object, ...], limit: int, cursor: str | None
) -> tuple[list[T], str | None]:
    """Return a page of *items*, sorted by *key*, and the cursor of the next one (None: this was the last).

    *of* tells the list: tenant, route and filters; a cursor of another list is refused. What is added or goes between two
    pages moves nothing else: the next page begins behind a key, not at a number.
    """
    behind = None if cursor is None else read_cursor(cursor, of)
    found = sorted(((key(item), at, item) for at, item in enumerate(items)), key=lambda row: row[:2])
    left = [(k, item) for k, _, item in found if behind is None or k > behind]
    page = left[:limit]
    more = len(left) > limit
    return [item for _, item in page], make_cursor(page[-1][0], of) if more else None


def make_cursor(key: Key, of: tuple[object, ...]) -> str:
    """Return an opaque cursor that stands behind *key* in the list *of*."""
    told = _seal(of) + json.dumps(key, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(told).decode().rstrip("=")


def read_cursor(cursor: str, of: tuple[object, ...]) -> Key:
    """Return the key that *cursor* stands behind; raises InputError where it is none of this list's."""
    try:
        told = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key: Any = json.loads(told[8:])
    except (binascii.Error, ValueError, RecursionError):
        raise _refuse() from None
    if len(cursor) > LONGEST or told[:8] != _seal(of) or not isinstance(key, list) or not all(isinstance(k, str) for k in key):
        raise _refuse()
    return tuple(key)


def _seal(of: tuple[object, ...]) -> bytes:
    return hashlib.sha256(json.dumps(of, default=str).encode()).digest()[:8]


def _refuse() -> InputError:
    return InputError("not a cursor of this list; leave it out to begin at the first page", code="bad-cursor")
