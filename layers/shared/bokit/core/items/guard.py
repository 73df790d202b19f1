"""Guards of records: what one fetch may not be believed. They hold what would be let go, never what is shown.

what came                                       what is done now           held, and until when
no JSON of items                                nothing                    all, until it is right again
nothing, where records were shown before        nothing                    all, until it shows some, or a person applies it
some items cannot be used                       those that can             what is not shown, until all can be used
half of the records gone at once                what is shown              what is not shown, until fetches agreed on it for
                                                                           a day, or a person applies it
only what changed lately                        what is shown              nothing: what is not in it was not asked for
else                                            everything                 nothing
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bokit.core.items.planning import Look, let_go, plan_absent, ripens_at
from bokit.core.items.reader import Row
from bokit.core.model.collections import OnMissing, RecordSettings
from bokit.core.model.plan import Action, ActionKind, Hold, Plan
from bokit.core.model.records import Json, Presence, Record
from bokit.core.model.source_memory import Remembered, read_memory, write_memory
from bokit.core.model.source_rules import Context, Seen, Verdict

UNREADABLE, EMPTY, PARTIAL, SHRUNKEN = "unreadable-feed", "empty-feed", "partial-feed", "shrunken-feed"
MESSAGES = {
    UNREADABLE: "The source answered something that is no list of records; nothing was changed. Check its address.",
    EMPTY: "The source suddenly shows no record at all; every one stays. If it is truly empty, apply the held plan.",
    PARTIAL: "Some items could not be used: no id, the same id twice, or not what the schema asks for. They were left as they "
    "are, the others were taken, and what is not shown was not counted as missing. The run tells each.",
    SHRUNKEN: "Half of the records, or more, are gone at once; they stay until the source agreed with itself for a day. "
    "If they are truly deleted, apply the held plan.",
}
SHRINK_LEAST = 3
DAY = timedelta(hours=24)
LOSSES = frozenset({ActionKind.MARK_MISSING, ActionKind.CANCEL})
ACCEPTED = "accepted_empty"
"""In the source's memory: a person said that it is truly empty."""
MOST_SHOWN = 1000
"""Records that a held plan names one by one; all of them are let go."""


def guard_records(plan: Plan, known: Sequence[Record], seen: Seen[Row], context: Context, settings: RecordSettings) -> Plan:
    """Return *plan* with the losses that the evidence does not carry held back."""
    told = read_memory(context.memory)
    if told.hold and context.approved == told.hold.plan_hash:
        return _apply(told.hold, known, context, settings, told)
    if told.hold and context.discarded == told.hold.plan_hash:
        return replace(plan, actions=(), memory=write_memory(told.without_hold()), settle_at=context.at)
    mine = [r for r in known if r.source_id == context.source_id]
    code = judge_records(plan, mine, seen, context, settings, told)
    if context.new_only:
        return _guard_new(code, plan, mine, context, told)
    if code is None:
        return _accept(plan, seen, context, settings, told)
    return _hold(code, plan, mine, context, told)


def judge_records(
    plan: Plan, mine: Sequence[Record], seen: Seen[Row], context: Context, settings: RecordSettings, told: Remembered
) -> str | None:
    """Return the code of the guard that this fetch meets; None: it is good evidence."""
    present = [r for r in mine if r.presence is Presence.PRESENT]
    if seen.verdict is Verdict.UNREADABLE:
        return UNREADABLE
    if seen.whole and not seen.entries and not seen.problems and present and not context.memory.get(ACCEPTED):
        return EMPTY
    if seen.verdict is Verdict.PARTIAL:
        return PARTIAL
    if settings.on_missing is OnMissing.KEEP or not seen.whole:
        return None
    return SHRUNKEN if _is_shrunken(plan, present, context, told) else None


def _is_shrunken(plan: Plan, present: Sequence[Record], context: Context, told: Remembered) -> bool:
    """Return whether half of the records (rounded down), and at least three, are gone at once, and fetches did not yet agree."""
    gone = _newly_gone(plan)
    if len(gone) < SHRINK_LEAST or len(gone) < len(present) // 2:
        return False
    return context.at - _agreeing_since(gone, told, context.at) < DAY


def _newly_gone(plan: Plan) -> set[str]:
    return {str(a.record_id) for a in plan.actions if a.kind is ActionKind.MARK_MISSING}


def _agreeing_since(gone: set[str], told: Remembered, at: datetime) -> datetime:
    """Return since when shrunken fetches, this one among them, agree on exactly which records are gone."""
    return told.agreed_since if told.agreed_since and gone == set(told.absent) else at


def _accept(plan: Plan, seen: Seen[Row], context: Context, settings: RecordSettings, told: Remembered) -> Plan:
    """Return the plan of a fetch that no guard holds. What fetches agreed on while it was held counts as missing since then."""
    actions = tuple(_date_back(a, told.absent) for a in plan.actions)
    if not seen.whole:
        return replace(plan, actions=actions, hold=told.hold, memory=context.memory)
    accepted = bool(context.memory.get(ACCEPTED)) and not seen.entries
    times = [plan.settle_at, *(ripens_at(a.after, settings, context.cancel_after) for a in actions)]
    plan = replace(plan, settle_at=min((t for t in times if t), default=None))
    return replace(plan, actions=actions, memory={ACCEPTED: True} if accepted else {})


def _date_back(action: Action, absent: Mapping[str, datetime]) -> Action:
    since = absent.get(action.record_id)
    if action.kind is not ActionKind.MARK_MISSING or since is None:
        return action
    return replace(action, after=replace(action.after, missing_since=since))


def _hold(code: str, plan: Plan, mine: Sequence[Record], context: Context, told: Remembered) -> Plan:
    """Return what is done of a fetch that a guard holds: nothing, or what is shown; nothing is lost."""
    kept = () if code in (UNREADABLE, EMPTY) else tuple(a for a in plan.actions if a.kind not in LOSSES)
    hold = _make_hold(code, plan, mine, context, told)
    after = Remembered(hold=hold, held_since=told.held_since or context.at)
    if code == SHRUNKEN:
        gone = _newly_gone(plan)
        absent = {id: told.absent.get(id, context.at) for id in sorted(gone)}
        after = replace(after, absent=absent, agreed_since=_agreeing_since(gone, told, context.at))
    return replace(plan, actions=kept, hold=hold, refused=True, settle_at=context.at, memory=write_memory(after))


def _guard_new(code: str | None, plan: Plan, mine: Sequence[Record], context: Context, told: Remembered) -> Plan:
    """Return the plan of a fetch that looks for what is new alone: it settles nothing, and tells what it could not use."""
    if code not in (UNREADABLE, PARTIAL):
        return replace(plan, hold=told.hold)
    hold = _make_hold(code, plan, mine, context, told)
    kept = () if code == UNREADABLE else plan.actions
    return replace(plan, actions=kept, hold=hold, memory={**context.memory, **write_memory(replace(told, hold=hold))})


def _make_hold(code: str, plan: Plan, mine: Sequence[Record], context: Context, told: Remembered) -> Hold:
    """Return the hold to show: what applying it would let go, and since when it is held."""
    before = told.hold if told.hold and told.hold.code == code else None
    since = before.since if before else context.at
    if code == EMPTY:
        lost = [r for r in mine if r.presence is not Presence.GONE]
    else:
        lost = [a.before for a in plan.actions if a.kind in LOSSES and a.before] if code == SHRUNKEN else []
    shown = [_describe_loss(r) for r in sorted(lost, key=lambda r: r.id)]
    if len(shown) > MOST_SHOWN:
        shown = [*shown[:MOST_SHOWN], {"action": "delete", "records": len(shown)}]
    return Hold(code=code, message=MESSAGES[code], since=since, can_apply=code in (EMPTY, SHRUNKEN), releases=tuple(shown))


def _describe_loss(record: Record) -> dict[str, Json]:
    return {"action": "delete", "record_id": record.id, "id": record.key}


def _apply(hold: Hold, known: Sequence[Record], context: Context, settings: RecordSettings, told: Remembered) -> Plan:
    """Return what a person let go: by the source's policy, the records are kept, marked as missing, or gone at once."""
    mine = [r for r in known if r.source_id == context.source_id and r.presence is not Presence.GONE]
    lost = [r for r in mine if hold.code == EMPTY or r.id in told.absent]
    memory = {ACCEPTED: True} if hold.code == EMPTY else {}
    return Plan(actions=tuple(a for r in lost if (a := _lose(r, context, settings))), settle_at=context.at, memory=memory)


def _lose(record: Record, context: Context, settings: RecordSettings) -> Action | None:
    if settings.on_missing is OnMissing.DELETE:
        return let_go(record, "a person applied the held plan", context.at)
    return plan_absent(record, Look(context=context, settings=settings))
