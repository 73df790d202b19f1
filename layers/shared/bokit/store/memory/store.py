"""The store in memory, which passes the same contract suite as the table."""

from __future__ import annotations

from bokit.store.memory.access import MemoryAccess
from bokit.store.memory.alerts import MemoryAlerts
from bokit.store.memory.catalog import MemoryCatalog
from bokit.store.memory.connections import MemoryConnections
from bokit.store.memory.events import MemoryEvents
from bokit.store.memory.monitors import MemoryMonitors
from bokit.store.memory.records import MemoryRecords
from bokit.store.memory.runs import MemoryRuns
from bokit.store.memory.schedule import MemorySchedule
from bokit.store.memory.schema import MemorySchema
from bokit.store.memory.usage import MemoryUsage
from bokit.store.memory.webhooks import MemoryWebhooks


class MemoryStore(
    MemoryCatalog,
    MemorySchedule,
    MemoryRecords,
    MemoryRuns,
    MemoryMonitors,
    MemoryAccess,
    MemoryUsage,
    MemoryEvents,
    MemoryWebhooks,
    MemoryAlerts,
    MemoryConnections,
    MemorySchema,
):
    """All of ``Store``, in dictionaries behind one lock."""
