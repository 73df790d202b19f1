"""Retention: guest details go ``guest.keep_days`` after departure, once a day, in bounded parts of the tick.

    a minute of each hour ─► tenants with the option, not done today ─► unit by unit ─► erased as by a person, with a receipt

How far it came is stored after each part, and what is erased already is left out: an interruption costs nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta

from bokit.core.bookings.erasure import is_kept_too_long
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.core.model.documents import write_time
from bokit.core.model.records import Fields, Record, Scope, TenantId
from bokit.engine.base.clock import Clock
from bokit.engine.base.retention import load_state, save_state
from bokit.engine.base.tenant_options import load_all_options
from bokit.engine.bookings.erasing import RETENTION, ErasurePlan, ErasureService
from bokit.engine.bookings.limits import MAX_RETENTION_PART, MAX_RETENTION_SECONDS
from bokit.errors import BokitError
from bokit.store.protocols import Store
from bokit.values import Value

log = logging.getLogger("bokit.retention")
BY = "schedule:guest.keep_days"
"""Who erases, in change logs and receipts."""


class RetentionReport(Value):
    """How many bookings lost their guest, and the first error."""

    count: int = 0
    error: Exception | None = None


class RetentionService:
    """Erases the guests of stays that ended long enough ago."""

    def __init__(self, store: Store, clock: Clock, erasing: Callable[[], ErasureService], defaults: Fields) -> None:
        self.store, self.clock, self.open_erasing, self.defaults = store, clock, erasing, defaults

    def run_due(self) -> RetentionReport:
        """Do a part of what is due; a tenant that fails does not stop the others."""
        ends = self.clock() + timedelta(seconds=MAX_RETENTION_SECONDS)
        tenants = {DEFAULT_TENANT, *(tenant.id for tenant in self.store.load_tenants())}
        options = load_all_options(self.store, tenants, self.defaults)
        count, first = 0, None
        for tenant in sorted(tenant for tenant, own in options.items() if own["guest.keep_days"] is not None):
            try:
                count += self.run(tenant, int(options[tenant]["guest.keep_days"]), limit=MAX_RETENTION_PART - count, ends=ends)
            except Exception as error:
                first = first or error
                self._note_failure(tenant, error)
            if count >= MAX_RETENTION_PART or self.clock() >= ends:
                break
        return RetentionReport(count=count, error=first)

    def run(self, tenant: TenantId, keep_days: int, *, limit: int, ends: datetime | None = None) -> int:
        """Erase at most *limit* of the tenant's guests whose time is over, until *ends*; return how many."""
        now = self.clock()
        state = load_state(self.store, tenant, now)
        today = now.date().isoformat()
        if state.remote.get("done_on") == today:
            return 0
        is_begun = state.remote.get("begun_on") == today
        after, done = str(state.remote.get("after", "")) if is_begun else "", int(state.remote.get("erased", 0))
        count = 0
        for scope in self._scopes_after(tenant, after):
            found = self._find_due(tenant, scope, now.date() - timedelta(days=keep_days))
            part = found[: limit - count]
            if part:
                self.open_erasing().apply(ErasurePlan(tenant=tenant, records=tuple(part)), by=BY, reason=RETENTION)
            count += len(part)
            after = scope if len(part) == len(found) else after
            if count >= limit or (ends is not None and self.clock() >= ends):
                save_state(self.store, state, {"begun_on": today, "after": after, "erased": done + count, "error": None})
                return count
        ended = {"done_on": today, "after": "", "erased": done + count, "ended_at": write_time(self.clock()), "error": None}
        save_state(self.store, state, ended)
        return count

    def _scopes_after(self, tenant: TenantId, after: str) -> list[Scope]:
        return [scope for scope in self.open_erasing().search.find_scopes(tenant) if scope > after]

    def _find_due(self, tenant: TenantId, scope: Scope, last: date) -> list[Record]:
        """Return the unit's records that ended before *last*, and have a guest or may have one in their change logs."""
        return [r for r in self.store.load_records(tenant, BOOKINGS, scope) if is_kept_too_long(r, last)]

    def _note_failure(self, tenant: TenantId, error: Exception) -> None:
        """Keep why it failed, for the status; the tick's own error says it too."""
        shown = error.message if isinstance(error, BokitError) else "an unexpected error; the log has its details"
        log.exception("retention failed", extra={"facts": {"tenant": tenant}})
        try:
            save_state(self.store, load_state(self.store, tenant, self.clock()), {"error": shown})
        except BokitError:
            log.exception("a failure of retention was not noted", extra={"facts": {"tenant": tenant}})
