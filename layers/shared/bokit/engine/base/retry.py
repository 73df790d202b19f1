"""Retrying a conditional write that met a conflict."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bokit.errors import StaleFenceError, StoreConflictError

T = TypeVar("T")


def retry_on_conflict(write: Callable[[], T], tries: int, pause: Callable[[int], object] | None = None) -> T:
    """Call *write*, which loads what it changes; on StoreConflictError call it again, at most *tries* times.

    *pause* is called in between with the number of the try. A stale fence is raised at once: no retry gets the lease back.
    """
    for attempt in range(1, tries):
        try:
            return write()
        except StaleFenceError:
            raise
        except StoreConflictError:
            if pause:
                pause(attempt)
    return write()
