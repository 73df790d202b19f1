"""Runs of many sources: the tick, claimed batches, queued runs, monitors, manual syncs, and their status.

Terms: a *shard* holds up to a hundred sources that one tick *claims* together; its *heartbeat* records unchanged batches; an
*open run* goes through the queue source by source; a *monitor* replaces a tenant's schedule; a *route* names a kind of worker.

May import: core.model, engine.base, engine.sync, errors, observability, outlets, store, values.
"""

__all__ = [
    "batch",
    "dead_letters",
    "deadline",
    "history",
    "limits",
    "manual",
    "messages",
    "monitors",
    "queued_runs",
    "status",
    "tick",
    "traffic",
]
