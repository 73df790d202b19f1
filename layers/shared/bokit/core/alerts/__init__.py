"""Alerts: which events need a person, the messages about them, quiet hours, and what each service is sent. Pure.

A *news item* is an event with the names that a person knows; a *message* is what is sent; a *form* is what one kind of
channel is posted. May import: core.model, errors, values.
"""

__all__ = ["catalogs", "forms", "limits", "messages", "news", "quiet_hours", "settings"]
