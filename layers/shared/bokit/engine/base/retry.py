"""Writing again where others were faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bokit.errors import StoreConflictError

T = TypeVar("T")


def again(write: Callable[[], T], tries: int) -> T:
    """Do *write*, and do it anew of what others left where they were faster; the last of *tries* raises."""
    for _ in range(tries - 1):
        try:
            return write()
        except StoreConflictError:
            continue
    return write()
