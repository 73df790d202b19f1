"""What a person sees of long steps: that they go on, every few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

Report = Callable[[str], None]
EVERY_SECONDS = 8.0


@dataclass(slots=True)
class _Said:
    """When something was last said: steps that follow each other keep one measure."""

    at: float = 0.0


_LAST = _Said()


@contextmanager
def progress(report: Report, what: Callable[[], str], every: float = EVERY_SECONDS) -> Iterator[None]:
    """Report every few seconds for how long this has been going on, and what *what* says of it then."""
    ended, began = threading.Event(), time.monotonic()
    if began - _LAST.at > every:  # nothing long went before
        _LAST.at = began

    def go_on() -> None:
        while not ended.wait(max(0.0, _LAST.at + every - time.monotonic())):
            _LAST.at = time.monotonic()
            report(f"  … {_LAST.at - began:.0f} s: {what()}")

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
