"""What happened, for those who watch: the outbox is numbered into event logs, of which webhooks and alert channels are sent.

May import: core.alerts, core.model, engine.base, errors, observability, outlets, store.
"""

__all__ = [
    "alert_delivery", "alert_news", "alerts", "day_summary", "deliveries", "dispatch", "events", "limits", "notices", "stale",
    "webhooks",
]  # fmt: skip
