"""Bookings as the engine's rules: how a calendar feed is read, identified, planned and guarded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bokit.core.bookings.edit import read_edit
from bokit.core.bookings.evidence import NO_RELEASE, Evidence, next_settling, weigh_fetch
from bokit.core.bookings.guard import (
    EMPTY,
    OTHER,
    SHRUNKEN,
    UNREADABLE,
    agreed_absent,
    agreeing_since,
    judge_fetch,
    make_hold,
    newly_absent,
    read_domains,
)
from bokit.core.bookings.matching import Matches, match_entries
from bokit.core.bookings.night_history import PLATFORM, read_shown, record_night_history
from bokit.core.bookings.planning import cancel_action, plan_bookings
from bokit.core.bookings.release import release_record
from bokit.core.bookings.stay import Stay, describe_booking, held_nights, is_window, read_stay
from bokit.core.bookings.window import Held, plan_provisional, write_window
from bokit.core.ical.entries import Entry, Status
from bokit.core.ical.entry_json import entry_as_dict
from bokit.core.ical.platforms import Traits, traits_of
from bokit.core.ical.reader import detect_platform, hash_ical, read_ical, recall_entries
from bokit.core.model.plan import RELEASES, Action, ActionKind, Hold, Plan
from bokit.core.model.records import Fields, Json, LoggedChange, Presence, Record
from bokit.core.model.source_memory import Remembered, read_memory, write_memory
from bokit.core.model.source_rules import Context, Seen

__all__ = ["BookingRules", "Stay", "describe_booking", "held_nights", "read_stay"]

STARTS_KEPT = timedelta(days=60)
"""UIDs of first nights are remembered for so long after their night."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedMatches:
    """Which known stay each entry of a feed is, beside what was matched."""

    known: Sequence[Record]
    stays: Sequence[Stay]
    """Of *known*, all but the window."""
    seen: Seen[Entry]
    traits: Traits
    matches: Matches


class BookingRules:
    """The rules of calendar feeds; a value without state, safe to share."""

    def hash_content(self, body: bytes, context: Context) -> str:
        """Return a hash equal for bodies that say the same."""
        zone, days = context.timezone.key, context.horizon.days
        return hash_ical(body, "/".join((zone, context.platform or "", str(days))))

    def read(self, body: bytes, context: Context, snapshot: bytes) -> Seen[Entry]:
        """Return what *body* shows; never raises."""
        return read_ical(
            body,
            at=context.at,
            timezone=context.timezone,
            platform=context.platform,
            host=context.host,
            horizon=context.horizon,
            snapshot=snapshot,
        )

    def recall(self, snapshot: bytes, context: Context) -> Seen[Entry]:
        """Return what the last accepted body showed."""
        return recall_entries(snapshot, at=context.at, timezone=context.timezone, horizon=context.horizon)

    def inspect(self, body: bytes, seen: Seen[Entry], context: Context) -> dict[str, Json]:
        """Return the platform and the entries, as `feed inspect` tells them."""
        platform = context.platform or seen.platform or detect_platform(body, context.host)
        return {"platform": platform, "entries": [entry_as_dict(e) for e in seen.entries]}

    def match(self, known: Sequence[Record], seen: Seen[Entry], context: Context) -> FeedMatches:
        """Return which known stay each entry is."""
        stays, window = _stays(known), next((r for r in known if is_window(r)), None)
        traits = traits_of(seen.platform)
        matches = match_entries(stays, window, seen.entries, traits, local_today(context), context.at)
        return FeedMatches(known=known, stays=stays, seen=seen, traits=traits, matches=matches)

    def plan(self, matches: FeedMatches, context: Context) -> Plan:
        """Return what must change, before any guard."""
        told = read_memory(context.memory)
        return _plan(matches.matches, context, weigh_fetch(matches.matches, context, told))

    def guard(self, plan: Plan, matches: FeedMatches, context: Context) -> Plan:
        """Return *plan* with the releases that the evidence does not carry held back, and every night's trail noted."""
        return record_plan_history(self._guard(plan, matches, context), matches.known, matches.seen, context)

    def _guard(self, plan: Plan, found: FeedMatches, context: Context) -> Plan:
        told, seen, matches, stays = read_memory(context.memory), found.seen, found.matches, found.stays
        if told.hold and context.approved == told.hold.plan_hash:
            return _apply_hold(told.hold, told, found.known, matches, context)
        if told.hold and context.discarded == told.hold.plan_hash:
            return replace(plan, actions=(), memory=write_memory(told.without_hold()), settle_at=context.at)
        code = judge_fetch(seen, matches, stays, found.traits, told, context)
        if code is None:
            return _accept(plan, seen, matches, found.traits, told, context)
        held = _hold(code, seen, matches, stays, told, context)
        return _only_new(held, context) if context.new_only else held

    def read_hold(self, memory: Fields) -> Hold | None:
        """Return the held plan that *memory* keeps, as it was shown."""
        return read_memory(memory).hold

    def read_edit(self, record: Record | None, values: Fields) -> Fields:
        """Return a person's *values* in a booking's types, or raise InputError that says what is wrong."""
        return read_edit(record, values)

    def release(self, record: Record, *, by: str, at: datetime, zone: ZoneInfo) -> tuple[Record, LoggedChange] | None:
        """Return a stay whose nights are let go; the past stays what it was."""
        return release_record(record, by=by, at=at, today=at.astimezone(zone).date())

    def describe(self, record: Record) -> dict[str, Json]:
        """Return *record* as the API and the command line show it."""
        return describe_booking(record)


def record_plan_history(plan: Plan, known: Sequence[Record], seen: Seen[Entry], context: Context) -> Plan:
    """Return *plan* with its records remembering whose feed told them, and when they gained and left each night.

    While a fetch is doubted, nobody knows what the source did not show before it.
    """
    if not plan.actions:
        return plan
    doubted = read_memory(context.memory).held_since or plan.refused
    last_read, shown = None if doubted else context.last_read, read_shown(known, context.at)

    def traced(action: Action) -> Action:
        if is_window(action.after):
            return action
        after = record_night_history(action.before, action.after, at=context.at, last_read=last_read, shown=shown)
        told = {PLATFORM: seen.platform} if seen.platform and PLATFORM not in after.memory else {}
        return replace(action, after=replace(after, memory={**after.memory, **told}))

    return replace(plan, actions=tuple(traced(a) for a in plan.actions))


def local_today(context: Context) -> date:
    """Return the unit's date at the time of the fetch."""
    return context.at.astimezone(context.timezone).date()


def _stays(known: Sequence[Record]) -> list[Stay]:
    return [read_stay(r) for r in known if not is_window(r)]


def _plan(matches: Matches, context: Context, evidence: Evidence) -> Plan:
    """Return the whole plan of an accepted fetch, and when time alone asks for another."""
    actions = plan_bookings(matches, context, evidence)
    plan = Plan(
        actions=tuple(actions),
        seen=matches.seen,
        unchanged=_count_unchanged(matches, actions),
        memory=context.memory,
        settle_at=_settle_at(matches, actions, context, evidence),
    )
    return _only_new(plan, context) if context.new_only else plan


def _only_new(plan: Plan, context: Context) -> Plan:
    """Return *plan* where nothing but what is new may be touched."""
    created = tuple(a for a in plan.actions if a.kind is ActionKind.CREATE)
    return replace(plan, actions=created, hold=read_memory(context.memory).hold, memory=context.memory)


def _count_unchanged(matches: Matches, actions: Sequence[Action]) -> int:
    changed = {a.record_id for a in actions}
    return sum(1 for p in matches.pairs if p.stay and p.stay.record.id not in changed)


def _settle_at(matches: Matches, actions: Sequence[Action], context: Context, evidence: Evidence) -> datetime | None:
    """Return when time alone can change the plan.

    a night was open, or a coded stay missing, for long enough     then
    the source has a window                                        at the next midnight: its nights pass, and roll
    something is let go                                            at once: what it uncovers is looked at anew
    a stay is missing, and the source was doubtful lately          at once: fetches are counted
    """
    known = [p.stay.record for p in matches.pairs if p.stay] + [s.record for s in matches.absent]
    records = {r.id: r for r in [*known, *([matches.window] if matches.window else [])]}
    records |= {a.record_id: a.after for a in actions}
    times = [next_settling(records.values(), context)]
    times += [_next_midnight(context)] if any(is_window(r) for r in records.values()) else []
    counts = evidence.is_doubtful and any(r.presence is Presence.MISSING for r in records.values())
    times += [context.at] if counts or any(a.kind in RELEASES for a in actions) else []
    return min((t for t in times if t), default=None)


def _next_midnight(context: Context) -> datetime:
    tomorrow = local_today(context) + timedelta(days=1)
    return datetime.combine(tomorrow, time(), context.timezone).astimezone(context.at.tzinfo)


def _accept(plan: Plan, seen: Seen[Entry], matches: Matches, traits: Traits, told: Remembered, context: Context) -> Plan:
    """Return the plan of a fetch that no guard holds; held fetches that agreed with it for a day count as evidence."""
    agreed = agreed_absent(matches, told, context.at)
    evidence = weigh_fetch(matches, context, told, agreed)
    if agreed:
        plan = _plan(matches, context, evidence)
    if context.new_only:
        return plan
    learned = _learn(seen.entries, matches, traits, told)
    doubted = context.at if evidence.contradicted_since else told.doubted_at if evidence.is_doubtful else None
    return replace(plan, memory=write_memory(replace(learned, doubted_at=doubted)))


def _learn(entries: Sequence[Entry], matches: Matches, traits: Traits, told: Remembered) -> Remembered:
    """Return what an accepted fetch teaches of its source; nothing is held any more."""
    starts: dict[str, str] = {}
    if traits.uid_tells_start:
        least = (matches.today - STARTS_KEPT).isoformat()
        starts = {day: uid for day, uid in told.starts.items() if day >= least}
        starts |= {e.check_in.isoformat(): e.uid for e in sorted(entries, key=lambda e: e.uid)}
    domains = tuple(sorted(read_domains(entries) | set(told.domains)))
    return Remembered(starts=dict(sorted(starts.items())), domains=domains)


def _hold(code: str, seen: Seen[Entry], matches: Matches, stays: Sequence[Stay], told: Remembered, context: Context) -> Plan:
    """Return what is done of a fetch that a guard holds: closures, and nothing that frees a night."""
    hold = make_hold(code, matches, stays, told, context.at)
    actions: list[Action] = []
    if code == OTHER:
        actions = [a for a in [plan_provisional(matches, seen.entries, context)] if a]
    elif code not in (UNREADABLE, EMPTY):
        actions = plan_bookings(matches, context, NO_RELEASE)
    after = replace(
        told,
        hold=hold,
        held_since=told.held_since or context.at,
        doubted_at=context.at,
        was_empty=told.was_empty or code == EMPTY,
        agreed_since=None,
    )
    if code == SHRUNKEN:
        absent = {id: told.absent.get(id, context.at) for id in newly_absent(matches)}
        after = replace(after, absent=absent, agreed_since=agreeing_since(matches, told, context.at))
    return Plan(
        actions=tuple(actions), hold=hold, seen=matches.seen, refused=True, settle_at=context.at, memory=write_memory(after)
    )


def _apply_hold(hold: Hold, told: Remembered, known: Sequence[Record], matches: Matches, context: Context) -> Plan:
    """Return the releases of a held plan that a person approved, those that still stand.

    Another listing's feed becomes the source's own with that: what told them apart is forgotten.
    """
    released = {str(r["record_id"]) for r in hold.releases}
    actions = [_release(r, matches.today, context) for r in known if r.id in released]
    left = Remembered() if hold.code == OTHER else told.without_hold()
    done = tuple(a for a in actions if a)
    return Plan(actions=done, seen=matches.seen, settle_at=context.at, memory=write_memory(left))


def _release(record: Record, today: date, context: Context) -> Action | None:
    if is_window(record):
        return write_window(record, Held(opened={}), context)
    stay = read_stay(record)
    if stay.is_gone or not stay.nights_from(today):
        return None
    return cancel_action(record, Status.VANISHED, "a person applied the held plan", context.at)
