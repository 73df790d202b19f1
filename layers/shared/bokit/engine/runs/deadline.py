"""When to start no further source, and how fast to start them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from bokit.core.model.records import TenantId


class Deadline:
    """Cancellation by a signal, or the end of the host's time budget."""

    def __init__(self, seconds_left: Callable[[], float] | None = None, *, reserve: float = 30.0) -> None:
        self._event, self._left, self._reserve = threading.Event(), seconds_left, reserve

    @property
    def seconds_left(self) -> Callable[[], float] | None:
        """Returns the host's remaining time; None: unlimited."""
        return self._left

    def set(self) -> None:
        """Start no further source."""
        self._event.set()

    def is_set(self, ahead: float = 0.0) -> bool:
        """Return whether to start no further source, now or *ahead* seconds from now."""
        return self._event.is_set() or (self._left is not None and self._left() < self._reserve + ahead)

    def is_set_before(self, seconds: float) -> bool:
        """Return whether it is set, or the host gives less than *seconds*."""
        return self._event.is_set() or (self._left is not None and self._left() < seconds)

    def wait(self, seconds: float) -> bool:
        """Wait, at most until :meth:`set`; return whether it was set."""
        return self._event.wait(seconds)


class RateLimiter:
    """Spaces a run's requests by ``sync.request_delay``, tenant by tenant, across its threads."""

    def __init__(self, sleep: Callable[[float], object] = time.sleep) -> None:
        self._sleep, self._lock = sleep, threading.Lock()
        self._tenants: dict[TenantId, threading.Lock] = {}
        self._started: set[TenantId] = set()

    def wait(self, tenant: TenantId, delay_ms: int, stop: Deadline | None = None) -> bool:
        """Wait until *tenant*'s next request may start (its first may at once); return False where *stop* is set by then.

        *stop* is checked after waiting in line, since all threads of a batch arrive at once.
        """
        if delay_ms <= 0:
            return not (stop and stop.is_set())
        with self._lock:
            lock = self._tenants.setdefault(tenant, threading.Lock())
        with lock:
            seconds = delay_ms / 1000 if tenant in self._started else 0.0
            if stop and stop.is_set(seconds):
                return False
            if seconds:
                self._sleep(seconds)
            self._started.add(tenant)
            return not (stop and stop.is_set())
