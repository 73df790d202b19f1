"""The notices that an owner gets about a source: it fails, its feed is held, it is read again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

from bokit.core.model.catalog import Source
from bokit.core.model.notices import Notice, name_hold
from bokit.core.model.plan import Hold
from bokit.core.model.scheduling import Failure, Head
from bokit.values import replace

STANDSTILL = (
    "{name} answers, but with the content of {since:%Y-%m-%d %H:%M} UTC: its calendar stands still. Nothing is cancelled "
    "meanwhile, and new bookings may be missing; it ends by itself when the calendar is new again. Open its address in a "
    "browser, or ask the platform."
)

RENAMES = (
    "{name} calls its bookings by other names at each fetch. The known names are kept, and nothing is logged; nights that it "
    "closes or opens count as in any other calendar. Another export of the platform may help."
)


NameOf = Callable[[Source], str]
"""Finds a source's full name; called where there is a notice."""


def notice_failure(source: Source, failure: Failure, at: datetime, name_of: NameOf) -> Notice:
    """Return the notice that *source* fails; one for a row of failures."""
    name = name_of(source)
    text = f"{name} cannot be read: {failure.message}. Its bookings stay as they were."
    return _notice("source.failing", source, name, at, text, failure.since, code=failure.code)


def notice_part_failure(before: Head, after: Head, at: datetime, name_of: NameOf) -> Notice | None:
    """Return the notice that some tables of a source cannot be read; None where all can, or it was published."""
    failure = after.failure
    if failure is None or not failure.notified or (before.failure and before.failure.notified):
        return None
    name = name_of(after.source)
    text = f"{name} cannot be read as a whole: {failure.message}."
    return _notice("source.failing", after.source, name, at, text, failure.since, code=failure.code)


def notice_hold(head: Head, hold: Hold | None, at: datetime, name_of: NameOf) -> Notice | None:
    """Return the notice of a new hold, or of one offered again; None where the head says that it was published."""
    before = head.hold
    if hold is None or (before and (before.code, before.since, before.offered_at) == (hold.code, hold.since, hold.offered_at)):
        return None
    source, name, since = head.source, name_of(head.source), hold.offered_at or hold.since
    text = f"{name}: {hold.message} Nothing was cancelled; `bokit source show {source.id}` shows what waits."
    notice = _notice("source.held", source, name, at, text, since, code=hold.code, plan=hold.plan_hash)
    return replace(notice, hold=name_hold(hold.code, hold.since))


def notice_stale(before: Head, after: Head, at: datetime, name_of: NameOf) -> Notice | None:
    """Return the notice that a source answers with old content; None where it does not, or it was published."""
    since = after.standstill if before.standstill is None else None
    if since is None:
        return None
    name = name_of(after.source)
    return _notice("source.stale", after.source, name, at, STANDSTILL.format(name=name, since=since), since)


def notice_fresh(before: Head, after: Head, at: datetime, name_of: NameOf) -> Notice | None:
    """Return the notice that a source's content is new again; None where its standstill was never published."""
    since = before.standstill if after.stale is None else None
    if since is None:
        return None
    name = name_of(before.source)
    return _notice("source.recovered", before.source, name, at, f"{name}: its calendar is new again.", since)


def notice_renames(before: Head, after: Head, at: datetime, name_of: NameOf) -> Notice | None:
    """Return the notice that a feed renames its bookings at each fetch; None where it does not, or it was published."""
    since = after.renames_since
    if since is None or since == before.renames_since:
        return None
    name = name_of(after.source)
    return _notice("source.renaming", after.source, name, at, RENAMES.format(name=name), since)


def notice_recovery(head: Head, after: Head, at: datetime, name_of: NameOf) -> Notice | None:
    """Return the notice that a source is read again; None where its failure was never published, or lasts."""
    if head.failure is None or not head.failure.notified or after.failure is not None:
        return None
    name = name_of(head.source)
    return _notice("source.recovered", head.source, name, at, f"{name} is read again.", head.failure.since)


def _notice(kind: str, source: Source, name: str, at: datetime, text: str, since: datetime | None, **facts: str) -> Notice:
    """Return a notice whose id is the same whenever the same event is published again."""
    event = "/".join([kind, source.id, since.isoformat() if since else "never", *facts.values()])
    notice_id = "ntc_" + hashlib.sha256(event.encode()).hexdigest()[:20]
    facts = {"source_id": source.id, "source": name, **facts}
    return Notice(id=notice_id, type=kind, tenant=source.tenant, at=at, text=text, facts=facts)
