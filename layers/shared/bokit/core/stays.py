"""Bookings as the engine's rules: how a calendar feed is read, identified, planned and guarded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from typing import cast

from bokit.core.booking import Stay, describe_booking, held_nights, is_window, read_stay
from bokit.core.booking_edit import read_edit
from bokit.core.changes import Evidence, cancel_action, next_settling, plan_bookings, plan_window, weigh_fetch
from bokit.core.entries import Entry, Status
from bokit.core.guard import (
    EMPTY,
    OTHER,
    SHRUNKEN,
    UNREADABLE,
    Remembered,
    agreed_absent,
    agreeing_since,
    closed_by,
    judge_fetch,
    make_hold,
    newly_absent,
    read_domains,
    read_memory,
    write_memory,
)
from bokit.core.identity import Matches, match_entries
from bokit.core.plan import RELEASES, Action, ActionKind, Hold, Plan
from bokit.core.platforms import Traits, traits_of
from bokit.core.read_ical import hash_ical, read_ical, recall_entries
from bokit.core.records import Fields, Json, Record
from bokit.core.rules import Context, Seen

__all__ = ["BookingRules", "Stay", "describe_booking", "held_nights", "read_stay"]


class BookingRules:
    """The rules of calendar feeds; a value without state, safe to share."""

    def hash_content(self, body: bytes, context: Context) -> str:
        """Return a hash equal for bodies that say the same."""
        zone, days = context.timezone.key, context.horizon.days
        return hash_ical(body, "/".join((zone, context.platform or "", str(days))))

    def read(self, body: bytes, context: Context, snapshot: bytes) -> Seen:
        """Return what *body* shows; never raises."""
        return read_ical(
            body, at=context.at, timezone=context.timezone, platform=context.platform, host=context.host,
            horizon=context.horizon, snapshot=snapshot,
        )  # fmt: skip

    def recall(self, snapshot: bytes, context: Context) -> Seen:
        """Return what the last accepted body showed."""
        return recall_entries(snapshot, at=context.at, timezone=context.timezone, horizon=context.horizon)

    def match(self, known: Sequence[Record], seen: Seen, context: Context) -> Matches:
        """Return which known stay each entry is."""
        entries = [e for e in seen.entries if isinstance(e, Entry)]
        window = next((r for r in known if is_window(r)), None)
        stays = [read_stay(r) for r in known if not is_window(r)]
        return match_entries(stays, window, entries, traits_of(seen.platform), local_today(context), context.at)

    def plan(self, matches: object, context: Context) -> Plan:
        """Return what must change, before any guard."""
        matches = cast("Matches", matches)
        told = read_memory(context.memory)
        return self._replan(matches, context, weigh_fetch(matches, told.absent, told.held_since))

    def _replan(self, matches: Matches, context: Context, evidence: Evidence) -> Plan:
        actions = plan_bookings(matches, context, evidence)
        if context.new_only:
            actions = [a for a in actions if a.kind is ActionKind.CREATE]
        return _finish(actions, matches, context)

    def guard(self, plan: Plan, known: Sequence[Record], seen: Seen, context: Context) -> Plan:
        """Return *plan* with the releases that the evidence does not carry held back."""
        told = read_memory(context.memory)
        stays = [read_stay(r) for r in known if not is_window(r)]
        matches = self.match(known, seen, context)
        if context.approved and told.hold and context.approved == told.hold.plan_hash:
            return _apply_hold(told, known, matches, context)
        if context.discarded and told.hold and context.discarded == told.hold.plan_hash:
            forgotten = replace(told, hold=None, absent={}, held_since=None, agreed_since=None)
            return replace(plan, actions=(), memory=write_memory(forgotten), settle_at=context.at)
        traits = traits_of(seen.platform)
        code = judge_fetch(seen, matches, stays, traits, told, context)
        if code is None:
            if agreed := agreed_absent(matches, told, context.at):
                evidence = weigh_fetch(matches, told.absent, told.held_since, agreed)
                plan = _finish(plan_bookings(matches, context, evidence), matches, context)
            return replace(plan, memory=write_memory(_learn(seen, matches, traits, told)))
        if context.new_only:
            return replace(plan, actions=() if code in (UNREADABLE, OTHER) else plan.actions, refused=True, memory=context.memory)
        return _hold(code, seen, matches, stays, told, context)

    def read_hold(self, memory: Fields) -> Hold | None:
        """Return the held plan that *memory* keeps, as it was shown."""
        return read_memory(memory).hold

    def read_edit(self, record: Record | None, values: Fields) -> Fields:
        """Return a person's *values* in a booking's types, or raise InputError that says what is wrong."""
        return read_edit(record, values)

    def describe(self, record: Record) -> dict[str, Json]:
        """Return *record* as the API and the command line show it."""
        return describe_booking(record)


def local_today(context: Context) -> date:
    """Return the unit's date at the time of the fetch."""
    return context.at.astimezone(context.timezone).date()


def _finish(actions: Sequence[Action], matches: Matches, context: Context) -> Plan:
    changed = {a.record_id for a in actions}
    records = [a.after for a in actions]
    records += [p.stay.record for p in matches.pairs if p.stay and p.stay.record.id not in changed]
    records += [s.record for s in matches.absent if s.record.id not in changed]
    if matches.window and matches.window.id not in changed:
        records.append(matches.window)
    ripe = next_settling(records, context)
    midnight = _next_midnight(context) if any(is_window(r) for r in records) else None
    again = context.at if any(a.kind in RELEASES for a in actions) else None  # what a release uncovers is looked at anew
    settle_at = min((t for t in (ripe, midnight, again) if t), default=None)
    unchanged = sum(1 for p in matches.pairs if p.stay and p.stay.record.id not in changed)
    return Plan(actions=tuple(actions), seen=matches.seen, unchanged=unchanged, settle_at=settle_at, memory=context.memory)


def _next_midnight(context: Context) -> datetime:
    tomorrow = local_today(context) + timedelta(days=1)
    return datetime.combine(tomorrow, clock_time(), context.timezone).astimezone(context.at.tzinfo)


def _learn(seen: Seen, matches: Matches, traits: Traits, told: Remembered) -> Remembered:
    """Return what an accepted fetch teaches of its source."""
    entries = [e for e in seen.entries if isinstance(e, Entry)]
    starts: dict[str, str] = {}
    if traits.uid_tells_start:
        least = (matches.today - timedelta(days=60)).isoformat()
        starts = {day: uid for day, uid in told.starts.items() if day >= least}
        starts |= {e.check_in.isoformat(): e.uid for e in entries}
    domains = tuple(sorted(read_domains(entries) | set(told.domains)))
    return Remembered(starts=dict(sorted(starts.items())), domains=domains)


def _hold(code: str, seen: Seen, matches: Matches, stays: Sequence[Stay], told: Remembered, context: Context) -> Plan:
    """Return what is done of a fetch that a guard holds: closures, and nothing that frees a night."""
    hold = make_hold(code, matches, stays, told, context.at)
    actions: list[Action] = []
    absent, agreed_since = dict(told.absent), None
    if code == OTHER:
        quiet = replace(matches, pairs=(), windows=())
        provisional = closed_by(seen.entries, matches)
        actions = [a for a in [plan_window(quiet, context, Evidence(releases=False), provisional)] if a]
    elif code not in (UNREADABLE, EMPTY):
        actions = plan_bookings(matches, context, Evidence(releases=False))
    if code == SHRUNKEN:
        absent = {id: told.absent.get(id, context.at) for id in newly_absent(matches)}
        agreed_since = agreeing_since(matches, told, context.at)
    memory = write_memory(
        replace(told, hold=hold, absent=absent, held_since=told.held_since or context.at, agreed_since=agreed_since)
    )
    return Plan(actions=tuple(actions), hold=hold, seen=matches.seen, refused=True, settle_at=context.at, memory=memory)


def _apply_hold(told: Remembered, known: Sequence[Record], matches: Matches, context: Context) -> Plan:
    """Return the releases of a held plan that a person approved, those that still stand."""
    released = {str(r["record_id"]) for r in told.hold.releases} if told.hold else set()
    actions = []
    for record in known:
        if record.id not in released:
            continue
        if is_window(record):
            empty = replace(matches, windows=(), pairs=(), window=record)
            actions.append(plan_window(empty, replace(context, cancel_after=timedelta(0), memory={}), Evidence()))
        elif read_stay(record).nights_from(matches.today) and not read_stay(record).is_gone:
            actions.append(cancel_action(record, Status.VANISHED, "a person applied the held plan", context.at))
    memory = write_memory(replace(told, hold=None, absent={}, held_since=None, agreed_since=None))
    kept = tuple(a for a in actions if a)
    return Plan(actions=kept, seen=matches.seen, settle_at=context.at, memory=memory)
