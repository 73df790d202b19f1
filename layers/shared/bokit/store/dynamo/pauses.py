"""Pauses between two tries: a random part of a time that doubles up to a limit, so that writers who met do not meet again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from bokit.values import Value


class Pauses(Value):
    """How this process waits."""

    sleep: Callable[[float], object] = time.sleep
    chance: Callable[[], float] = random.random
    """Returns a number from 0 up to 1."""

    def wait(self, attempt: int, *, first: float, most: float) -> None:
        """Wait after the try of this number, from 0; *first* and *most* in seconds."""
        self.sleep(self.chance() * min(most, first * 2**attempt))
