"""The tenants' monitors in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bokit.core.model.monitor import Monitor
from bokit.core.model.records import TenantId
from bokit.errors import StoreConflictError
from bokit.store.memory.state import MemoryState, next_version
from bokit.values import replace


class MemoryMonitors(MemoryState):
    """``MonitorStore`` in memory."""

    def load_monitors(self, tenants: Iterable[TenantId]) -> Mapping[TenantId, Monitor]:
        with self._lock:
            return {tenant: self._monitors[tenant] for tenant in tenants if tenant in self._monitors}

    def save_monitor(self, monitor: Monitor) -> Monitor:
        with self._lock:
            stored = self._monitors.get(monitor.tenant)
            version = next_version(monitor, stored)
            if stored and stored.started_at != monitor.started_at:
                raise StoreConflictError("the monitor was started, stopped or advanced since it was read; read it again")
            saved = self._monitors[monitor.tenant] = replace(monitor, version=version)
            return saved

    def delete_monitor(self, tenant: TenantId) -> None:
        with self._lock:
            self._monitors.pop(tenant, None)
