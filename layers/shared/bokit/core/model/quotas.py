"""Quotas: how much each tenant, and the whole stack, may have of what is counted.

A new quota is a line of ``QUOTAS``, its parameters in the template, and the write that counts it (``StoreUsage``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, TypedDict

from bokit.core.model.documents import Count
from bokit.core.model.limits import MAX_INTERVAL, MAX_QUOTA, MIN_INTERVAL_SECONDS
from bokit.errors import QuotaError
from bokit.values import Value, field


class QuotaName(StrEnum):
    """What is counted."""

    SOURCES = "sources"
    UNITS = "units"
    TOKENS = "tokens"
    WEBHOOKS = "webhooks"
    ALERTS = "alerts"
    RECORDS = "records"
    WRITES = "writes"


class QuotaOwner(StrEnum):
    """Whose quota it is."""

    TENANT = "tenant"
    STACK = "stack"


class Quota(Value, kw_only=False):
    """One quota: its defaults, what is counted, and what makes room."""

    counted: QuotaName
    tenant: int
    stack: int | None  # None: only tenants are bounded
    about: str
    remedy: str
    """What else makes room than another quota."""

    def default_of(self, owner: QuotaOwner) -> int | None:
        """Return how much *owner* may have where no parameter says it; None: no bound."""
        return self.tenant if owner is QuotaOwner.TENANT else self.stack


_TABLE = (
    Quota(QuotaName.SOURCES, 10_000, 100_000, "sources that are not removed", "remove one, or "),
    Quota(QuotaName.UNITS, 10_000, 100_000, "units", "remove one, or "),
    Quota(QuotaName.TOKENS, 1_000, 20_000, "tokens that are not revoked, expired ones too", "revoke one, or "),
    Quota(QuotaName.WEBHOOKS, 20, 2_000, "webhooks, those that are off too", "remove one, or "),
    Quota(QuotaName.ALERTS, 20, 2_000, "alert channels, those that are off too", "remove one, or "),
    Quota(
        QuotaName.RECORDS,
        1_000_000,
        None,
        "bookings and other records, cancelled and deleted ones too",
        "",  # records are kept for ever
    ),
    Quota(
        QuotaName.WRITES, 1_000_000, None, "records and lines of change logs written in a day, UTC", "wait for the next day, or "
    ),
)
QUOTAS: Mapping[QuotaName, Quota] = {quota.counted: quota for quota in _TABLE}
_PART = re.compile(r"(tenant|stack)\.([a-z]+)=([0-9]{1,18})")
_INTERVAL_PART = re.compile(r"interval=([0-9]{1,18})")


class QuotaDocument(TypedDict):
    """How much a tenant has of what is counted, and how much it may have."""

    name: str
    used: Count
    limit: Annotated[int | None, "null: no bound."]
    about: str
    resets_at: Annotated[datetime | None, "When counting begins again; null: it does not."]


class Quotas(Value):
    """How much each tenant and the stack may have, and how often a source is synced at most; where none is set: no bound."""

    limits: Mapping[tuple[QuotaOwner, QuotaName], int] = field(default_factory=dict)
    least_interval: timedelta = timedelta(seconds=MIN_INTERVAL_SECONDS)

    def limit_of(self, owner: QuotaOwner, counted: QuotaName) -> int | None:
        """Return how much *owner* may have; None: no bound."""
        return self.limits.get((owner, counted))

    def check(self, owner: QuotaOwner, counted: QuotaName, used: int, more: int = 1) -> None:
        """Raise QuotaError where *owner* has *used* and may not have *more*."""
        limit = self.limit_of(owner, counted)
        if limit is not None and used + more > limit:
            raise quota_error(owner, counted, limit, used)


UNBOUNDED = Quotas()
"""The quotas of a store that nobody bounds: in memory, and in tests."""


def default_quotas() -> Quotas:
    """Return the quotas of a stack whose parameters have their defaults."""
    values = {(owner, quota.counted): quota.default_of(owner) for quota in _TABLE for owner in QuotaOwner}
    return Quotas(limits={place: limit for place, limit in values.items() if limit is not None})


def read_quotas(text: str) -> Quotas:
    """Return the quotas of *text*, over the defaults; raises ValueError.

    >>> read_quotas("tenant.units=7 interval=300").limit_of(QuotaOwner.TENANT, QuotaName.UNITS)
    7
    """
    quotas = default_quotas()
    limits, interval = dict(quotas.limits), quotas.least_interval
    for part in text.split():
        if found := _INTERVAL_PART.fullmatch(part):
            interval = _read_interval(int(found[1]))
        else:
            owner, counted, limit = _read_part(part)
            limits[owner, counted] = limit
    return Quotas(limits=limits, least_interval=interval)


def _read_interval(seconds: int) -> timedelta:
    if not MIN_INTERVAL_SECONDS <= seconds <= MAX_INTERVAL.total_seconds():
        raise ValueError("not an interval")
    return timedelta(seconds=seconds)


def _read_part(part: str) -> tuple[QuotaOwner, QuotaName, int]:
    found = _PART.fullmatch(part)
    if not found:
        raise ValueError("not a quota")
    owner, counted, limit = QuotaOwner(found[1]), QuotaName(found[2]), int(found[3])
    if QUOTAS[counted].default_of(owner) is None or limit > MAX_QUOTA:
        raise ValueError("not a quota")
    return owner, counted, limit


def parameter_of(owner: QuotaOwner, counted: QuotaName) -> str:
    """Return the name of the template's parameter.

    >>> parameter_of(QuotaOwner.TENANT, QuotaName.SOURCES)
    'TenantSources'
    """
    return f"{owner}".capitalize() + f"{counted}".capitalize()


def quota_error(owner: QuotaOwner, counted: QuotaName, limit: int, used: int) -> QuotaError:
    """Return the error that says the limit, what is used, and how to change it."""
    parameter = parameter_of(owner, counted)
    when = " a day" if counted is QuotaName.WRITES else ""
    message = (
        f"the {owner} may have {limit} {counted}{when} and has {used}: {QUOTAS[counted].remedy}raise {parameter}, a parameter "
        "of the stack"
    )
    return QuotaError(message, quota=str(counted), limit=limit, used=used, parameter=parameter)


def describe_quotas(quotas: Quotas, owner: QuotaOwner, used: Mapping[QuotaName, int], now: datetime) -> list[QuotaDocument]:
    """Return what *owner* has *used* of each thing that is counted for it, as the status shows it."""
    shown = [quota for quota in _TABLE if quota.default_of(owner) is not None]
    return [
        {
            "name": str(quota.counted),
            "used": used.get(quota.counted, 0),
            "limit": quotas.limit_of(owner, quota.counted),
            "about": quota.about,
            "resets_at": next_day(now) if quota.counted is QuotaName.WRITES else None,
        }
        for quota in shown
    ]


def day_of(at: datetime) -> date:
    """Return the day to which a write at *at* counts."""
    return at.astimezone(UTC).date()


def next_day(at: datetime) -> datetime:
    """Return when the day's writes are counted from nothing again."""
    return datetime.combine(day_of(at) + timedelta(days=1), time(), UTC)
