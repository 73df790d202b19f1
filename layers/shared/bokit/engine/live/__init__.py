"""What happened, for those who watch: the outbox is numbered into each tenant's event log, and webhooks are sent its events.

May import: core.model, engine.base, errors, observability, outlets, store.
"""

__all__ = ["deliveries", "dispatch", "events", "limits", "stale", "webhooks"]
