"""Guards of records: which removals of a fetch are held back. What the source shows is never held, unless it is unreadable.

what came                                       what is done now           held, and until when
no JSON of items                                nothing                    everything, until it is readable again
nothing, where records were shown before        nothing                    everything, until it shows some, or a person applies it
some items cannot be used                       those that can             what is not shown, until all can be used
half of the records gone at once                what is shown              what is not shown, until fetches agreed on it for
                                                                           a day, or a person applies it
only what changed lately                        what is shown              nothing: what is not in it was not asked for
else                                            everything                 nothing
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bokit.core.items.limits import MAX_RELEASES_SHOWN
from bokit.core.items.planning import RecordContext, plan_absent, plan_removal, removable_at
from bokit.core.items.reader import RowMatches, SeenItem
from bokit.core.model.agreement import EMPTY, PARTIAL, SHRUNKEN, UNREADABLE, Loss, agreeing_since
from bokit.core.model.collections import OnMissing
from bokit.core.model.plan import Action, ActionKind, Hold, Plan
from bokit.core.model.records import Json, Presence, Record
from bokit.core.model.source_memory import SourceMemory, read_memory, write_memory
from bokit.core.model.source_rules import Context, Seen, Verdict

MESSAGES = {
    UNREADABLE: "The source answered something that is not a list of records; nothing was changed. Check its address.",
    EMPTY: "The source suddenly shows no record at all; every one stays. If it is truly empty, apply the held plan.",
    PARTIAL: "Some items could not be used: no id, the same id twice, or not what the schema asks for. They were left as they "
    "are, the others were taken, and what is not shown was not counted as missing. The run lists each.",
    SHRUNKEN: "Half of the records, or more, are gone at once; they stay until the source has agreed with itself for a day. "
    "If they are truly deleted, apply the held plan.",
}
LOSSES = frozenset({ActionKind.MARK_MISSING, ActionKind.CANCEL})
ACCEPTED = "accepted_empty"
"""In the source's memory: a person confirmed that it is truly empty."""
APPROVED = "a person applied the held plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardInput:
    """A plan and the evidence behind it."""

    plan: Plan
    mine: Sequence[Record]
    """The known records of this source."""
    seen: Seen[SeenItem]
    context: RecordContext
    remembered: SourceMemory

    @property
    def fetch(self) -> Context:
        """The context of the fetch."""
        return self.context.fetch

    @property
    def newly_missing(self) -> set[str]:
        """Ids of the records that this fetch is the first not to show."""
        return {str(a.record_id) for a in self.plan.actions if a.kind is ActionKind.MARK_MISSING}

    @property
    def agreed_since(self) -> datetime:
        """Since when fetches agree on which records are missing."""
        return agreeing_since(self.newly_missing, set(self.remembered.absent), self.remembered.agreed_since, self.fetch.at)


def guard_records(plan: Plan, matches: RowMatches, context: RecordContext) -> Plan:
    """Return *plan* with the removals held back that the evidence does not support."""
    fetch, remembered = context.fetch, read_memory(context.fetch.memory)
    mine = [r for r in matches.known.values() if r.source_id == fetch.source_id]
    given = GuardInput(plan=plan, mine=mine, seen=matches.seen, context=context, remembered=remembered)
    if remembered.hold and fetch.approved == remembered.hold.plan_hash:
        return _apply(remembered.hold, given)
    if remembered.hold and fetch.discarded == remembered.hold.plan_hash:
        return replace(plan, actions=(), memory=write_memory(remembered.without_hold()), settle_at=fetch.at)
    code = judge_records(given)
    if fetch.new_only:
        return _guard_new(code, given)
    return _accept(given) if code is None else _hold(code, given)


def judge_records(given: GuardInput) -> str | None:
    """Return the code of the guard that applies to this fetch, or None if it is trusted."""
    seen, fetch = given.seen, given.fetch
    present = sum(r.presence is Presence.PRESENT for r in given.mine)
    if seen.verdict is Verdict.UNREADABLE:
        return UNREADABLE
    missing = given.newly_missing
    loss = Loss(shown=len(seen.entries), known=present, gone=len(missing), agreed_since=given.agreed_since)
    if seen.whole and loss.is_empty and not seen.problems and not fetch.memory.get(ACCEPTED):
        return EMPTY
    if seen.verdict is Verdict.PARTIAL:
        return PARTIAL
    if given.context.settings.on_missing is OnMissing.KEEP or not seen.whole:
        return None
    return SHRUNKEN if loss.is_shrunken and not loss.is_agreed(fetch.at) else None


def _accept(given: GuardInput) -> Plan:
    """Return the plan of a trusted fetch. What fetches agreed on while it was held is missing since then."""
    plan, context, remembered = given.plan, given.context, given.remembered
    actions = tuple(_backdate(a, remembered.absent) for a in plan.actions)
    if not given.seen.whole:
        return replace(plan, actions=actions, hold=remembered.hold, memory=given.fetch.memory)
    is_accepted = bool(given.fetch.memory.get(ACCEPTED)) and not given.seen.entries
    times = [plan.settle_at, *(removable_at(a.after, context) for a in actions)]
    settle_at = min((t for t in times if t), default=None)
    return replace(plan, actions=actions, settle_at=settle_at, memory={ACCEPTED: True} if is_accepted else {})


def _backdate(action: Action, absent: Mapping[str, datetime]) -> Action:
    since = absent.get(action.record_id)
    if action.kind is not ActionKind.MARK_MISSING or since is None:
        return action
    return replace(action, after=replace(action.after, missing_since=since))


def _hold(code: str, given: GuardInput) -> Plan:
    """Return what is done with a held fetch: what it shows, or nothing; no record is removed."""
    plan, remembered, at = given.plan, given.remembered, given.fetch.at
    kept = () if code in (UNREADABLE, EMPTY) else tuple(a for a in plan.actions if a.kind not in LOSSES)
    hold = _make_hold(code, given)
    after = SourceMemory(hold=hold, held_since=remembered.held_since or at)
    if code == SHRUNKEN:
        absent = {record_id: remembered.absent.get(record_id, at) for record_id in sorted(given.newly_missing)}
        after = replace(after, absent=absent, agreed_since=given.agreed_since)
    return replace(plan, actions=kept, hold=hold, refused=True, settle_at=at, memory=write_memory(after))


def _guard_new(code: str | None, given: GuardInput) -> Plan:
    """Return the plan of a fetch that adds new records only: it neither holds nor lifts a hold on removals."""
    plan, remembered = given.plan, given.remembered
    if code not in (UNREADABLE, PARTIAL):
        return replace(plan, hold=remembered.hold)
    hold = _make_hold(code, given)
    memory = {**given.fetch.memory, **write_memory(replace(remembered, hold=hold))}
    return replace(plan, actions=() if code == UNREADABLE else plan.actions, hold=hold, memory=memory)


def _make_hold(code: str, given: GuardInput) -> Hold:
    """Return the hold to show: which records applying it would remove, and since when it is held."""
    before = given.remembered.hold
    since = before.since if before and before.code == code else given.fetch.at
    lost: list[Record] = []
    if code == EMPTY:
        lost = [r for r in given.mine if r.presence is not Presence.GONE]
    elif code == SHRUNKEN:
        lost = [a.before for a in given.plan.actions if a.kind in LOSSES and a.before]
    shown = [_describe_loss(r) for r in sorted(lost, key=lambda r: r.id)]
    if len(shown) > MAX_RELEASES_SHOWN:
        shown = [*shown[:MAX_RELEASES_SHOWN], {"action": "delete", "records": len(shown)}]
    return Hold(code=code, message=MESSAGES[code], since=since, can_apply=code in (EMPTY, SHRUNKEN), releases=tuple(shown))


def _describe_loss(record: Record) -> dict[str, Json]:
    return {"action": "delete", "record_id": record.id, "id": record.key}


def _apply(hold: Hold, given: GuardInput) -> Plan:
    """Return the plan that a person approved: by the source's policy, records are kept, marked as missing, or removed."""
    is_empty = hold.code == EMPTY
    present = [r for r in given.mine if r.presence is not Presence.GONE]
    lost = [r for r in present if is_empty or r.id in given.remembered.absent]
    actions = tuple(a for r in lost if (a := plan_approved_loss(r, given.context)))
    return Plan(actions=actions, settle_at=given.fetch.at, memory={ACCEPTED: True} if is_empty else {})


def plan_approved_loss(record: Record, context: RecordContext) -> Action | None:
    """Return what becomes of a record whose loss a person approved."""
    if context.settings.on_missing is OnMissing.DELETE:
        return plan_removal(record, APPROVED, context.at)
    return plan_absent(record, context)
