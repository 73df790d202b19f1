"""Retrying a conditional write that met a conflict."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bokit.errors import StoreConflictError

T = TypeVar("T")


def retry_on_conflict(write: Callable[[], T], tries: int) -> T:
    """Call *write*, which loads what it changes; on StoreConflictError call it again, at most *tries* times."""
    for _ in range(tries - 1):
        try:
            return write()
        except StoreConflictError:
            continue
    return write()
