"""The cursor of a paged list: opaque, and valid for one list alone."""

from __future__ import annotations

import base64
import binascii
import hashlib

from bokit.errors import InputError

MAX_CURSOR_LENGTH = 4096  # characters
_SEAL_BYTES = 8


def write_cursor(list_id: str, position: str) -> str:
    """Return the cursor of the page of *list_id* that begins after *position*."""
    sealed = _seal(list_id) + position.encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def read_cursor(list_id: str, cursor: str, *, max_length: int = MAX_CURSOR_LENGTH) -> str:
    """Return the position that *cursor* holds; raises InputError where it is not a cursor of *list_id*."""
    try:
        sealed = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        position = sealed[_SEAL_BYTES:].decode()
    except (binascii.Error, ValueError):
        position = ""
    if not position or len(cursor) > max_length or sealed[:_SEAL_BYTES] != _seal(list_id):
        raise InputError("not a cursor of this list; leave it out to begin at the first page", code="bad-cursor")
    return position


def _seal(list_id: str) -> bytes:
    return hashlib.sha256(list_id.encode("utf-8", "surrogatepass")).digest()[:_SEAL_BYTES]
