"""Hands out the sources of a batch so that each tenant gets its share of the threads."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Sequence

from bokit.core.model.records import TenantId
from bokit.core.model.scheduling import Head


class HeadQueue:
    """Heads that wait for a thread; safe to share between threads.

    The next one is of the tenant with the fewest sources under way, so that a tenant whose sources are slow holds no more
    threads than the others as long as they have work.
    """

    def __init__(self, heads: Sequence[Head]) -> None:
        self._lock, self._under_way = threading.Lock(), Counter[TenantId]()
        self._waiting: dict[TenantId, deque[Head]] = {}
        for head in heads:
            self._waiting.setdefault(head.source.tenant, deque()).append(head)

    def take(self) -> Head | None:
        """Return the next head, or None: there are no more."""
        with self._lock:
            if not self._waiting:
                return None
            tenant = min(self._waiting, key=self._under_way.__getitem__)
            own = self._waiting.pop(tenant)
            head = own.popleft()
            if own:
                self._waiting[tenant] = own  # behind the others
            self._under_way[tenant] += 1
            return head

    def end(self, head: Head) -> None:
        """Note that a head that was taken is done."""
        with self._lock:
            self._under_way[head.source.tenant] -= 1

    def clear(self) -> None:
        """Hand out no more."""
        with self._lock:
            self._waiting.clear()
