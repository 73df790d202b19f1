"""Guards of records: which removals of a fetch are held back. What the source shows is never held, unless it is unreadable.

what came                                       what is done now           held, and until when
no JSON of items                                nothing                    everything, until it is readable again
nothing, where records were shown before        nothing                    everything, until it shows some, or a person applies it
pages, or an error beside the items, say that   what is shown              what is not shown, until a list is complete
  there is more
half of the records gone at once, or shown as   what is shown              what is not shown, until fetches agreed on it for
  deleted                                                                  a day, or a person applies it
an item without an id, new, and records gone    what is shown              the same
an item with an id that cannot be used          the others, and what is    nothing: its own record stays as it is
                                                not shown
a field gone from, or of another type in, most  all but that field         the field, likewise (``core.model.field_changes``)
only what changed lately                        what is shown              nothing: what is not in it was not asked for
else                                            everything                 nothing
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bokit.core.items.limits import MAX_RELEASES_SHOWN
from bokit.core.items.paging import INCOMPLETE
from bokit.core.items.planning import RecordContext, plan_absent, plan_removal, removable_at
from bokit.core.items.reader import RowMatches, SeenItem
from bokit.core.model.agreement import EMPTY, PARTIAL, SHRUNKEN, UNREADABLE, Loss, agreeing_since
from bokit.core.model.collections import OnMissing
from bokit.core.model.field_changes import FIELDS
from bokit.core.model.plan import Action, ActionKind, Hold, Plan
from bokit.core.model.records import Json, Presence, Record
from bokit.core.model.source_memory import SourceMemory, read_memory, write_memory
from bokit.core.model.source_rules import Context, Problem, Seen, Verdict
from bokit.values import Value, replace

UNIDENTIFIED, INCOMPLETE_LIST, UNUSABLE = "unidentified-items", "incomplete-list", "unusable-items"
"""Codes of held plans of records alone."""
MESSAGES = {
    UNREADABLE: "The source answered something that is not a list of records; nothing was changed. Check its address.",
    EMPTY: "The source suddenly shows no record at all; every one stays. If it is truly empty, apply the held plan.",
    PARTIAL: "Some items could not be used: no id, the same id twice, too large, or not what the schema asks for. Their records "
    "were left as they are, everything else was taken. The run lists each.",
    UNIDENTIFIED: "Records are gone, and items have come that do not say which they are: perhaps the same ones without an id. "
    "The records stay until the source has agreed with itself for a day. If they are truly deleted, apply the held plan.",
    UNUSABLE: "No item could be used: no id, the same id twice, too large, or not what the schema asks for. Every record stays "
    "as it is. Check the source's `id` and the collection's schema; the run lists the items.",
    INCOMPLETE_LIST: "{what}. What it showed was taken, and nothing else counts as missing.",
    SHRUNKEN: "Half of the records, or more, are gone at once; they stay until the source has agreed with itself for a day. "
    "If they are truly deleted, apply the held plan.",
}
HOLDS_LOSSES = frozenset({SHRUNKEN, UNIDENTIFIED, INCOMPLETE_LIST})
"""Codes with which what is shown is taken, and what is not shown is held."""
AGREEABLE = frozenset({SHRUNKEN, UNIDENTIFIED})
"""Codes that a day of agreement lifts, or a person."""
LOSSES = frozenset({ActionKind.MARK_MISSING, ActionKind.CANCEL})
ACCEPTED = "accepted_empty"
"""In the source's memory: a person confirmed that it is truly empty."""
APPROVED = "a person applied the held plan"


class GuardInput(Value):
    """A plan and the evidence behind it."""

    plan: Plan
    mine: Sequence[Record]
    """The known records of this source."""
    matches: RowMatches
    context: RecordContext
    remembered: SourceMemory

    @property
    def seen(self) -> Seen[SeenItem]:
        """What the fetch shows."""
        return self.matches.seen

    @property
    def fetch(self) -> Context:
        """The context of the fetch."""
        return self.context.fetch

    @property
    def tombstones(self) -> set[str]:
        """Ids of the records that this fetch is the first to show as deleted."""
        shown = {key for key, row in self.matches.rows.items() if row.is_deleted}
        return {str(a.record_id) for a in self.plan.actions if a.kind is ActionKind.CANCEL and a.after.key in shown}

    @property
    def newly_missing(self) -> set[str]:
        """Ids of the records that this fetch is the first not to show, or to show as deleted."""
        return self.tombstones | {str(a.record_id) for a in self.plan.actions if a.kind is ActionKind.MARK_MISSING}

    @property
    def has_new_unidentified(self) -> bool:
        """Whether more items than before do not say which they are: a missing record may be among them."""
        return self.seen.whole and self.matches.unidentified > self.remembered.unidentified

    @property
    def agreed_since(self) -> datetime:
        """Since when fetches agree on which records are missing."""
        return agreeing_since(self.newly_missing, set(self.remembered.absent), self.remembered.agreed_since, self.fetch.at)


def guard_records(plan: Plan, matches: RowMatches, context: RecordContext) -> Plan:
    """Return *plan* with the removals held back that the evidence does not support."""
    fetch, remembered = context.fetch, read_memory(context.fetch.memory)
    mine = [r for r in matches.known.values() if r.source_id == fetch.source_id]
    given = GuardInput(plan=plan, mine=mine, matches=matches, context=context, remembered=remembered)
    if remembered.hold and fetch.approved == remembered.hold.plan_hash and remembered.hold.code != FIELDS:
        return _apply(remembered.hold, given)
    if remembered.hold and fetch.discarded == remembered.hold.plan_hash:
        return replace(plan, actions=(), memory=write_memory(remembered.without_hold()), settle_at=fetch.at)
    code = judge_records(given)
    if fetch.new_only:
        return _guard_new(code, given)
    fields = matches.fields.hold(remembered.hold, fetch.at)
    if code is None and _has_unusable(matches):
        code = PARTIAL
    if fields and code in (None, PARTIAL):
        return _hold(FIELDS, given)
    return _accept(given) if code is None else _hold(code, given)


def _has_unusable(matches: RowMatches) -> bool:
    """Return whether items could not be used."""
    return bool(matches.rejected or matches.unidentified)


def judge_records(given: GuardInput) -> str | None:
    """Return the code of the guard that applies to this fetch, or None if it is trusted."""
    seen, fetch = given.seen, given.fetch
    present = sum(r.presence is Presence.PRESENT for r in given.mine)
    if seen.verdict is Verdict.UNREADABLE:
        return UNREADABLE
    missing = given.newly_missing
    loss = Loss(shown=len(seen.entries), known=present, gone=len(missing), agreed_since=given.agreed_since)
    if seen.whole and loss.is_empty and not fetch.memory.get(ACCEPTED):
        return UNUSABLE if _has_unusable(given.matches) else EMPTY
    is_accepted = bool(fetch.memory.get(ACCEPTED)) and not seen.entries
    if any(problem.code in INCOMPLETE for problem in seen.problems) and not is_accepted:
        return INCOMPLETE_LIST
    if not missing or loss.is_agreed(fetch.at):
        return None
    return SHRUNKEN if loss.is_shrunken else UNIDENTIFIED if given.has_new_unidentified else None


def _accept(given: GuardInput) -> Plan:
    """Return the plan of a trusted fetch. What fetches agreed on while it was held is missing since then."""
    plan, context, remembered = given.plan, given.context, given.remembered
    actions = tuple(_backdate(a, remembered.absent) for a in plan.actions)
    if not given.seen.whole:
        return replace(plan, actions=actions, hold=remembered.hold, memory=given.fetch.memory)
    is_accepted = bool(given.fetch.memory.get(ACCEPTED)) and not given.seen.entries
    times = [plan.settle_at, *(removable_at(a.after, context) for a in actions)]
    settle_at = min((t for t in times if t), default=None)
    memory = write_memory(SourceMemory(unidentified=given.matches.unidentified))
    return replace(plan, actions=actions, settle_at=settle_at, memory={**memory, **({ACCEPTED: True} if is_accepted else {})})


def _backdate(action: Action, absent: Mapping[str, datetime]) -> Action:
    since = absent.get(action.record_id)
    if action.kind is not ActionKind.MARK_MISSING or since is None:
        return action
    return replace(action, after=replace(action.after, missing_since=since))


def _hold(code: str, given: GuardInput) -> Plan:
    """Return what is done with a held fetch: what it shows, or nothing; no record is removed."""
    plan, remembered, at = given.plan, given.remembered, given.fetch.at
    kept = plan.actions
    if code in (UNREADABLE, EMPTY) or given.matches.fields.stops:
        kept = ()
    elif code in HOLDS_LOSSES or code == UNUSABLE:
        kept = tuple(a for a in kept if a.kind not in LOSSES)
    else:
        kept = tuple(_backdate(a, remembered.absent) for a in kept)
    hold = _make_hold(code, given)
    is_settled = code in (PARTIAL, FIELDS)
    unidentified = given.matches.unidentified if is_settled and given.seen.whole else remembered.unidentified
    fields = remembered.fields if code in (UNREADABLE, EMPTY) else given.matches.fields.since
    after = SourceMemory(hold=hold, held_since=remembered.held_since or at, unidentified=unidentified, fields=fields)
    if code in AGREEABLE:
        absent = {record_id: remembered.absent.get(record_id, at) for record_id in sorted(given.newly_missing)}
        deleted = tuple(sorted(given.tombstones))
        after = replace(after, absent=absent, agreed_since=given.agreed_since, tombstones=deleted)
    return replace(plan, actions=kept, hold=hold, refused=True, settle_at=at, memory=write_memory(after))


def _guard_new(code: str | None, given: GuardInput) -> Plan:
    """Return the plan of a fetch that adds new records only: it neither holds nor lifts a hold on removals."""
    plan, remembered = given.plan, given.remembered
    if code is None and _has_unusable(given.matches):
        code = PARTIAL
    if given.matches.fields.stops and code is not UNREADABLE:
        return replace(plan, actions=(), hold=given.matches.fields.hold(remembered.hold, given.fetch.at))
    if code not in (UNREADABLE, UNUSABLE, PARTIAL, INCOMPLETE_LIST):
        return replace(plan, hold=remembered.hold)
    hold = _make_hold(code, given)
    memory = {**given.fetch.memory, **write_memory(replace(remembered, hold=hold))}
    return replace(plan, actions=() if code == UNREADABLE else plan.actions, hold=hold, memory=memory)


def _make_hold(code: str, given: GuardInput) -> Hold:
    """Return the hold to show: which records applying it would remove, and since when it is held."""
    before = given.remembered.hold
    since = before.since if before and before.code == code else given.fetch.at
    if code == FIELDS and (fields := given.matches.fields.hold(before, given.fetch.at)):
        return fields
    lost: list[Record] = []
    if code == EMPTY:
        lost = [r for r in given.mine if r.presence is not Presence.GONE]
    elif code in AGREEABLE:
        lost = [a.before for a in given.plan.actions if a.kind in LOSSES and a.before]
    shown = [_describe_loss(r) for r in sorted(lost, key=lambda r: r.id)]
    if len(shown) > MAX_RELEASES_SHOWN:
        shown = [*shown[:MAX_RELEASES_SHOWN], {"action": "delete", "records": len(shown)}]
    can_apply, message = code in (EMPTY, *AGREEABLE), describe_hold(code, given.seen.problems)
    return Hold(code=code, message=message, since=since, can_apply=can_apply, releases=tuple(shown))


def describe_hold(code: str, problems: Sequence[Problem]) -> str:
    """Return what is held, for the source's owner; of an incomplete list, what makes it so."""
    what = next((problem.message for problem in problems if problem.code in INCOMPLETE), "")
    return MESSAGES[code].format(what=f"{what[:1].upper()}{what[1:]}")


def _describe_loss(record: Record) -> dict[str, Json]:
    return {"action": "delete", "record_id": record.id, "id": record.key}


def _apply(hold: Hold, given: GuardInput) -> Plan:
    """Return the plan that a person approved: by the source's policy, records are kept, marked as missing, or removed."""
    is_empty = hold.code == EMPTY
    present = [r for r in given.mine if r.presence is not Presence.GONE]
    lost = [r for r in present if is_empty or r.id in given.remembered.absent]
    deleted = frozenset(given.remembered.tombstones)
    losses = (plan_approved_loss(r, given.context, is_deleted=r.id in deleted) for r in lost)
    actions = tuple(action for action in losses if action)
    return Plan(actions=actions, settle_at=given.fetch.at, memory={ACCEPTED: True} if is_empty else {})


def plan_approved_loss(record: Record, context: RecordContext, *, is_deleted: bool = False) -> Action | None:
    """Return what becomes of a record whose loss a person approved; *is_deleted*: its source shows it as deleted."""
    if is_deleted or context.settings.on_missing is OnMissing.DELETE:
        return plan_removal(record, APPROVED, context.at)
    return plan_absent(record, context)
