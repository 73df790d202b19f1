"""Notices: what an owner should know, in one sentence. They wait in the outbox until the alert topic has accepted them."""

from __future__ import annotations

from datetime import datetime

from bokit.core.model.records import Fields, SourceId, TenantId
from bokit.values import Value, field


class Notice(Value):
    """Something an owner should know. Publishing it again repeats its id."""

    id: str
    type: str
    """``source.failing``, ``source.held``, ``source.recovered`` …"""
    tenant: TenantId
    at: datetime
    text: str
    """One sentence for a person, without a URL or a guest."""
    facts: Fields = field(default_factory=dict)
    hold: str | None = None
    """Of a held source: which hold it is, as ``AlertNote`` says it; it is not published."""


class AlertNote(Value):
    """That a notice of a hold was accepted for a person; kept once for a hold, one for a source."""

    tenant: TenantId
    source_id: SourceId
    hold: str
    at: datetime


def name_hold(code: str, since: datetime) -> str:
    """Return by what a source's hold is known, however often its notice is published."""
    return f"{code}/{since.isoformat()}"
