"""How a sync goes on over a quota: newly closed nights are held and published at once, the rest waits."""

from __future__ import annotations

from bokit.core.model.plan import Hold, Plan
from bokit.core.model.quotas import QuotaName, next_day
from bokit.core.model.scheduling import Head
from bokit.core.model.source_rules import Context
from bokit.engine.base.reconcile import earliest
from bokit.errors import QuotaError, StoreConflictError
from bokit.values import Value, replace

QUOTA = "quota"
USAGE_BUSY = "usage-busy"
WAITS = "{error}. Newly closed nights are held and published; new bookings and other changes wait until more is allowed."


class PlanLimit(Value):
    """What a plan may write: at most so many new records; None: nothing but the nights."""

    records: int | None
    error: QuotaError | None = None
    """The quota that is used up; None: others count the tenant's records at this moment, and the next sync tries again."""

    def bound(self, plan: Plan, head: Head, context: Context) -> Plan:
        """Return *plan*, bounded already, as one that is not agreed, with the hold of which the owner is notified."""
        if plan.hold is not None:
            return plan
        if self.error is None:
            return replace(plan, refused=True, memory=context.memory, settle_at=context.at)
        known = head.hold is not None and head.hold.code == QUOTA
        since = head.hold.since if head.hold and known else context.at
        hold = Hold(code=QUOTA, message=WAITS.format(error=self.error.message), since=since, can_apply=False)
        again = earliest(plan.settle_at, next_day(context.at))
        return replace(plan, refused=True, memory=context.memory, hold=hold, settle_at=again, held_until=again)


def read_quota_hold(head: Head) -> Hold | None:
    """Return what a quota holds of a source; there is nothing to apply or to discard. None: no quota holds it."""
    note = head.hold
    if note is None or note.code != QUOTA:
        return None
    return Hold(code=QUOTA, message=note.message, since=note.since, can_apply=False)


def find_limit(error: QuotaError | StoreConflictError, before: PlanLimit | None) -> PlanLimit:
    """Return what may be written after *error*, less each time; raises any other conflict."""
    if isinstance(error, StoreConflictError):
        if error.stable_code != USAGE_BUSY:
            raise error
        return PlanLimit(records=0)
    if error.facts["quota"] == str(QuotaName.WRITES):
        return PlanLimit(records=None, error=error)
    left = max(0, error.facts["limit"] - error.facts["used"])
    return PlanLimit(records=left if before is None else 0, error=error)
