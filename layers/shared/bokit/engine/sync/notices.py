"""What an owner is told of a source: it fails, it is held, it is well again."""

from __future__ import annotations

import hashlib
from datetime import datetime

from bokit.core.model.catalog import Source
from bokit.core.model.plan import Hold
from bokit.core.model.scheduling import Failure, Head
from bokit.outlets.protocols import Notice


def notice_failure(source: Source, failure: Failure, at: datetime) -> Notice:
    """Tell that *source* fails; once for a row of failures."""
    text = f"{source.name} cannot be read: {failure.message}. Its bookings stay as they were."
    return _notice("source.failing", source, at, text, failure.since, code=failure.code)


def notice_hold(source: Source, hold: Hold, at: datetime) -> Notice:
    """Tell that a guard holds what the feed of *source* would free; once for a hold, and once when it is offered anew."""
    since = hold.offered_at or hold.since
    text = f"{source.name}: {hold.message} Nothing was cancelled; `bokit source show {source.id}` tells what waits."
    return _notice("source.held", source, at, text, since, code=hold.code, plan=hold.plan_hash)


def notice_recovery(head: Head, at: datetime) -> Notice | None:
    """Tell that a source is read again; None where its failure was never told."""
    if head.failure is None or not head.failure.told:
        return None
    return _notice("source.recovered", head.source, at, f"{head.source.name} is read again.", head.failure.since)


def _notice(type: str, source: Source, at: datetime, text: str, since: datetime | None, **facts: str) -> Notice:
    """Make a notice whose id repeats when the same thing is told again."""
    same = "/".join([type, source.id, since.isoformat() if since else "never", *facts.values()])
    told = {"source_id": source.id, "source": source.name, **facts}
    id = "ntc_" + hashlib.sha256(same.encode()).hexdigest()[:20]
    return Notice(id=id, type=type, tenant=source.tenant, at=at, text=text, facts=told)
