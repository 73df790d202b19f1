"""Outgoing calendars and their pages, as they are stored: all that a list of them needs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bokit.core.model.records import CollectionName, Scope, TenantId
from bokit.core.occupancy.out_calendar import OutCalendar, read_calendar
from bokit.store.protocols import PublishedDocument, Store

CALENDARS = CollectionName("calendars")


def load_calendars(store: Store, tenant: TenantId, scopes: Iterable[Scope]) -> list[OutCalendar]:
    """Return the calendars of these units."""
    return load_all_calendars(store, tenant, scopes)[0]


def load_all_calendars(
    store: Store, tenant: TenantId, scopes: Iterable[Scope]
) -> tuple[list[OutCalendar], tuple[OutCalendar, ...]]:
    """Return the calendars of these units, and those that were removed."""
    found = [r for scope in scopes for r in store.load_records(tenant, CALENDARS, scope)]
    removed = tuple(read_calendar(r) for r in found if r.gone_at is not None)
    return [read_calendar(r) for r in found if r.gone_at is None], removed


def load_own_pages(store: Store, calendar: OutCalendar) -> list[PublishedDocument]:
    """Return the pages of *calendar*: under its current path, and under the former one."""
    return [page for token_hash in calendar.hashes if (page := store.find_published(token_hash))]


def last_read(pages: Iterable[PublishedDocument]) -> datetime | None:
    """Return when a calendar with these *pages* was last read."""
    return max((page.read_at for page in pages if page.read_at), default=None)


def load_last_read(store: Store, calendar: OutCalendar) -> datetime | None:
    """Return when *calendar* was last read, under its current path or the former one."""
    return last_read(load_own_pages(store, calendar))
