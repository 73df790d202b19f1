"""The tenants' monitors in the table: one small item each, in the index of what is due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from bokit.core.model.codec import read_document, write_document, write_time
from bokit.core.model.monitor import Monitor
from bokit.core.model.records import TenantId
from bokit.errors import StoreConflictError
from bokit.store.dynamo import keys
from bokit.store.dynamo.catalog import is_version
from bokit.store.dynamo.gateway import Put, Rows
from bokit.store.dynamo.model import Row


class MonitorRows:
    """``MonitorStore`` on the table."""

    _rows: Rows

    def load_monitors(self, tenants: Iterable[TenantId]) -> Mapping[TenantId, Monitor]:
        """Return the monitors that run, by tenant, in one batched read."""
        by_key = {keys.monitor_key(tenant): tenant for tenant in tenants}
        return {by_key[key]: read_monitor(row) for key, row in self._rows.get_all(by_key).items()}

    def save_monitor(self, monitor: Monitor) -> Monitor:
        """Write it if its version is the stored one, and the stored one is this monitor and not a later one.

        time ──────┬────────────────┬────────────────┬──────────────────►
        tick       │ reads it, v1   ·                │ advances it, v1: another monitor, refused
        a person   ·                │ stops it, starts another, v1
        """
        saved = replace(monitor, version=monitor.version + 1)
        unmoved = is_version(monitor.version)
        begun = str(write_time(monitor.started_at))
        the_same = Row.stamp == begun
        attributes = {
            "doc": write_document(saved),
            "version": saved.version,
            "stamp": begun,
            "due_pk": keys.DUE,
            "due_at": write_time(saved.next_at),
        }
        condition = unmoved & the_same if monitor.version else unmoved
        if not self._rows.put(Put(key=keys.monitor_key(monitor.tenant), attributes=attributes, condition=condition)):
            raise StoreConflictError("the monitor was started, stopped or carried on since it was read; read it again")
        return saved

    def delete_monitor(self, tenant: TenantId) -> None:
        """Stop it at once; nothing happens where none runs."""
        self._rows.delete(keys.monitor_key(tenant))


def read_monitor(row: Row) -> Monitor:
    """Return the monitor that its row tells."""
    return read_document(Monitor, row.doc)
