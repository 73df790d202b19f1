"""What counts against quotas, in memory: the numbers change under the lock of the write that they count."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from bokit.core.model.quotas import QUOTAS, QuotaName, QuotaOwner
from bokit.core.model.records import TenantId
from bokit.store.memory.state import MemoryState


class MemoryUsage(MemoryState):
    """``UsageStore`` in memory."""

    def load_usage(self, tenant: TenantId | None, day: date) -> Mapping[QuotaName, int]:
        owner = QuotaOwner.STACK if tenant is None else QuotaOwner.TENANT
        with self._lock:
            used = {c: self._used[tenant, c] for c in QuotaName if QUOTAS[c].default_of(owner) is not None}
            return used | ({} if tenant is None else {QuotaName.WRITES: self._written[tenant, day]})
