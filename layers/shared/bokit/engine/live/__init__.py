"""What happened, for those who watch: the outbox is numbered into each tenant's event log, which clients read.

May import: core.model, engine.base, errors, observability, store.
"""

__all__ = ["events", "limits", "stale"]
