"""A store at one of whose calls something else happens: every moment at which two requests may meet."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bokit.errors import StateError, StoreConflictError, UnknownIdError

REFUSED = (StateError, UnknownIdError, StoreConflictError)
"""What a request that is too late raises."""


class InterruptedStore:
    """A store at whose *at*-th call something else happens first, or right after it."""

    def __init__(self, inner: Any, at: int, interrupt: Callable[[], object], *, after: bool) -> None:
        self._inner, self._at, self._interrupt, self._after = inner, at, interrupt, after
        self.calls, self.is_busy = 0, False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not callable(method):
            return method

        def call(*args: Any, **given: Any) -> Any:
            self.calls += not self.is_busy
            is_here = self.calls == self._at and not self.is_busy
            if is_here and not self._after:
                self._act()
            answer = method(*args, **given)
            if is_here and self._after:
                self._act()
            return answer

        return call

    def _act(self) -> None:
        self.is_busy = True
        with suppress(*REFUSED):
            self._interrupt()
        self.is_busy = False
