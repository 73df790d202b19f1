"""The tenants' monitors in the table: one small item each, in the index of due items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bokit.core.model.codec import read_document, write_document, write_micros
from bokit.core.model.monitor import Monitor
from bokit.core.model.records import TenantId
from bokit.errors import StoreConflictError
from bokit.store.dynamo import keys
from bokit.store.dynamo.catalog import has_version
from bokit.store.dynamo.gateway import PutItem, TableGateway
from bokit.store.dynamo.model import ItemRow
from bokit.values import replace


class DynamoMonitors:
    """``MonitorStore`` on the table."""

    _table: TableGateway

    def load_monitors(self, tenants: Iterable[TenantId]) -> Mapping[TenantId, Monitor]:
        by_key = {keys.monitor_key(tenant): tenant for tenant in tenants}
        return {by_key[key]: read_monitor(row) for key, row in self._table.get_all(by_key).items()}

    def save_monitor(self, monitor: Monitor) -> Monitor:
        """Write it if the stored one has its version and its start.

        time ──────┬────────────────┬────────────────┬──────────────────►
        tick       │ reads it, v1   ·                │ advances it, v1: another monitor, refused
        a user     ·                │ stops it, starts another, v1
        """
        saved = replace(monitor, version=monitor.version + 1)
        started = str(write_micros(monitor.started_at))
        condition = has_version(monitor.version)
        if monitor.version:
            condition &= ItemRow.stamp == started
        attributes = {
            "doc": write_document(saved),
            "version": saved.version,
            "stamp": started,
            "due_pk": keys.DUE,
            "due_at": write_micros(saved.next_at),
        }
        if not self._table.put(PutItem(key=keys.monitor_key(monitor.tenant), attributes=attributes, condition=condition)):
            raise StoreConflictError("the monitor was started, stopped or advanced since it was read; read it again")
        return saved

    def delete_monitor(self, tenant: TenantId) -> None:
        self._table.delete(keys.monitor_key(tenant))


def read_monitor(row: ItemRow) -> Monitor:
    """Return the monitor of its row."""
    return read_document(Monitor, row.doc)
