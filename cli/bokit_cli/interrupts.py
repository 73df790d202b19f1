"""SIGINT and SIGTERM as requests to stop soon: the current source is finished and the run recorded."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bokit.engine.runs.deadline import Deadline

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While entered, the first signal sets ``stop``; a second one interrupts at once."""

    def __init__(self) -> None:
        from bokit.engine.runs.deadline import Deadline

        self.stop: Deadline = Deadline()
        self.came = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True
        # in its own thread: this one may hold, inside stop.wait(), the lock that set() takes
        threading.Thread(target=self.stop.set, daemon=True).start()
