"""What happened, for those who watch: numbered into event logs, and sent to webhooks, alert channels and open WebSockets.

May import: core.alerts, core.model, engine.base, errors, observability, outlets, store, values.
"""

__all__ = [
    "alert_delivery", "alert_news", "alert_turn", "alerts", "connections", "day_summary", "deliveries", "dispatch", "events",
    "limits", "messages", "notices", "stale", "tickets", "webhooks",
]  # fmt: skip
