"""Bookings as the engine's rules: how a calendar feed is read, matched, planned and guarded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bokit.core.bookings.edit import read_edit
from bokit.core.bookings.evidence import NO_RELEASE, Evidence, next_release_at, weigh_fetch
from bokit.core.bookings.guard import absence_agreed_since, agreed_absent, judge_fetch, make_hold, newly_absent, read_domains
from bokit.core.bookings.limits import MAX_START_AGE
from bokit.core.bookings.matching import FeedMatches, Matches, match_entries
from bokit.core.bookings.night_history import PLATFORM, read_shown, record_night_history
from bokit.core.bookings.planning import cancel_action, plan_bookings
from bokit.core.bookings.release import release_record
from bokit.core.bookings.stay import GoneReason, is_window, read_stay
from bokit.core.bookings.uids import UidRoles, learn_uids
from bokit.core.bookings.window import WindowNights, plan_provisional, plan_window_change
from bokit.core.ical.entries import Entry, Status
from bokit.core.ical.entry_json import entry_as_dict
from bokit.core.ical.platforms.registry import traits_of
from bokit.core.ical.reader import ReadSettings, detect_platform, hash_ical, read_ical, recall_entries
from bokit.core.model.agreement import EMPTY, OTHER, SHRUNKEN, UNREADABLE
from bokit.core.model.plan import RELEASES, Action, ActionKind, Hold, Plan
from bokit.core.model.records import Fields, Json, LoggedChange, Presence, Record
from bokit.core.model.source_memory import SourceMemory, UidHistory, read_memory, write_memory
from bokit.core.model.source_rules import Context, Seen


class BookingRules:
    """The rules of calendar feeds; without state, safe to share."""

    def hash_content(self, body: bytes, context: Context) -> str:
        zone, days = context.timezone.key, context.horizon.days
        return hash_ical(body, "/".join((zone, context.platform or "", str(days))))

    def read(self, body: bytes, context: Context, snapshot: bytes) -> Seen[Entry]:
        return read_ical(body, _read_settings(context), snapshot)

    def recall(self, snapshot: bytes, context: Context) -> Seen[Entry]:
        return recall_entries(snapshot, _read_settings(context))

    def inspect(self, body: bytes, seen: Seen[Entry], context: Context) -> dict[str, Json]:
        platform = context.platform or seen.platform or detect_platform(body, context.host)
        return {"platform": platform, "entries": [entry_as_dict(e) for e in seen.entries]}

    def match(self, known: Sequence[Record], seen: Seen[Entry], context: Context) -> FeedMatches:
        window = next((r for r in known if is_window(r)), None)
        stays, traits = [read_stay(r) for r in known if not is_window(r)], traits_of(seen.platform)
        uids = UidRoles(traits=traits, history=read_memory(context.memory).uids, at=context.at)
        matches = match_entries(stays, window, seen.entries, uids, local_today(context), context.at)
        return FeedMatches(known=known, stays=stays, seen=seen, traits=traits, matches=matches)

    def plan(self, matches: FeedMatches, context: Context) -> Plan:
        evidence = weigh_fetch(matches.matches, context, read_memory(context.memory))
        return _plan(matches.matches, context, evidence)

    def guard(self, plan: Plan, matches: FeedMatches, context: Context) -> Plan:
        state = read_memory(context.memory)
        return _with_history(_guard(plan, matches, context, state), matches, context, state)

    def read_hold(self, memory: Fields) -> Hold | None:
        return read_memory(memory).hold

    def read_edit(self, record: Record | None, values: Fields) -> Fields:
        return read_edit(record, values)

    def release(self, record: Record, *, by: str, at: datetime, zone: ZoneInfo) -> tuple[Record, LoggedChange] | None:
        return release_record(record, by=by, at=at, today=at.astimezone(zone).date())


def _read_settings(context: Context) -> ReadSettings:
    return ReadSettings(
        at=context.at,
        timezone=context.timezone,
        platform=context.platform,
        host=context.host,
        horizon=context.horizon,
    )


def local_today(context: Context) -> date:
    """Return the unit's date at the time of the fetch."""
    return context.at.astimezone(context.timezone).date()


def _guard(plan: Plan, found: FeedMatches, context: Context, state: SourceMemory) -> Plan:
    if state.hold and context.approved == state.hold.plan_hash:
        return _apply_hold(state.hold, found, context, state)
    if state.hold and context.discarded == state.hold.plan_hash:
        return replace(plan, actions=(), memory=write_memory(state.without_hold()), settle_at=context.at)
    code = judge_fetch(found, state, context)
    if code is None:
        return _accept(plan, found, context, state)
    held = _hold(code, found, context, state)
    return _only_new(held, context) if context.new_only else held


def _with_history(plan: Plan, found: FeedMatches, context: Context, state: SourceMemory) -> Plan:
    """Return *plan* with each record's night history, and whose feed it came from.

    While fetches are held, what the source did not show before is not known.
    """
    if not plan.actions:
        return plan
    last_read = None if state.held_since or plan.refused else context.last_read
    shown, platform = read_shown(found.known, context.at), found.seen.platform

    def with_history(action: Action) -> Action:
        if is_window(action.after):
            return action
        after = record_night_history(action.before, action.after, at=context.at, last_read=last_read, shown=shown)
        added = {PLATFORM: platform} if platform and PLATFORM not in after.memory else {}
        return replace(action, after=replace(after, memory={**after.memory, **added}))

    return replace(plan, actions=tuple(with_history(a) for a in plan.actions))


def _plan(matches: Matches, context: Context, evidence: Evidence) -> Plan:
    """Return the whole plan of an accepted fetch, and when time alone asks for another."""
    actions = plan_bookings(matches, context, evidence)
    changed = {a.record_id for a in actions}
    plan = Plan(
        actions=tuple(actions),
        seen=matches.seen,
        unchanged=sum(1 for p in matches.pairs if p.stay and p.stay.record.id not in changed),
        memory=context.memory,
        settle_at=_settle_at(matches, actions, context, evidence),
    )
    return _only_new(plan, context) if context.new_only else plan


def _only_new(plan: Plan, context: Context) -> Plan:
    """Return *plan* with its new stays alone."""
    created = tuple(a for a in plan.actions if a.kind is ActionKind.CREATE)
    return replace(plan, actions=created, hold=read_memory(context.memory).hold, memory=context.memory)


def _settle_at(matches: Matches, actions: Sequence[Action], context: Context, evidence: Evidence) -> datetime | None:
    """Return when time alone can change the plan.

    a night was open, or a coded stay missing, for long enough     then
    the source has a window                                        at the next midnight: its nights pass, and roll
    something is released                                          at once: what it uncovers is planned again
    a stay is missing, and the source was doubtful lately          at once: fetches are counted
    """
    known = [p.stay.record for p in matches.pairs if p.stay] + [s.record for s in matches.absent]
    records = {r.id: r for r in [*known, *([matches.window] if matches.window else [])]}
    records |= {a.record_id: a.after for a in actions}
    times = [next_release_at(records.values(), context)]
    times += [_next_midnight(context)] if any(is_window(r) for r in records.values()) else []
    counts = evidence.is_doubtful and any(r.presence is Presence.MISSING for r in records.values())
    times += [context.at] if counts or any(a.kind in RELEASES for a in actions) else []
    return min((t for t in times if t), default=None)


def _next_midnight(context: Context) -> datetime:
    tomorrow = local_today(context) + timedelta(days=1)
    return datetime.combine(tomorrow, time(), context.timezone).astimezone(context.at.tzinfo)


def _accept(plan: Plan, found: FeedMatches, context: Context, state: SourceMemory) -> Plan:
    """Return the plan of a fetch that no guard holds; held fetches that agreed with it for a day count as evidence."""
    agreed = agreed_absent(found.matches, state, context.at)
    evidence = weigh_fetch(found.matches, context, state, agreed)
    if agreed:
        plan = _plan(found.matches, context, evidence)
    if context.new_only:
        return plan
    doubted = context.at if evidence.contradicted_since else state.doubted_at if evidence.is_doubtful else None
    return replace(plan, memory=write_memory(replace(_learn(found, state, context), doubted_at=doubted)))


def _learn(found: FeedMatches, state: SourceMemory, context: Context) -> SourceMemory:
    """Return what an accepted fetch teaches of its source; nothing is held any more."""
    starts: dict[str, str] = {}
    entries = found.seen.entries
    if found.traits.uid_has_start:
        least = (found.matches.today - MAX_START_AGE).isoformat()
        starts = {day: uid for day, uid in state.starts.items() if day >= least}
        starts |= {e.check_in.isoformat(): e.uid for e in sorted(entries, key=lambda e: e.uid)}
    domains = tuple(sorted(read_domains(entries) | set(state.domains)))
    return SourceMemory(starts=dict(sorted(starts.items())), domains=domains, uids=_learn_uids(found, state.uids, context))


def _learn_uids(found: FeedMatches, history: UidHistory, context: Context) -> UidHistory:
    """Return what an accepted fetch teaches of the UIDs of a feed whose platform does not say it."""
    if found.traits.reservation_uids is not None:
        return history
    matches = found.matches
    pairs = [(p.stay, p.entry) for p in matches.pairs if p.stay and not p.stay.is_gone and p.stay.check_out > matches.today]
    is_new = any(p.stay is None or p.stay.span != (p.entry.check_in, p.entry.check_out) for p in matches.pairs)
    changed = is_new or any(s.record.missing_since is None for s in matches.absent)
    return learn_uids(pairs, history, matches.today, context.at, changed=changed)


def _hold(code: str, found: FeedMatches, context: Context, state: SourceMemory) -> Plan:
    """Return the plan of a fetch that a guard holds: closures, and nothing that frees a night."""
    matches, at = found.matches, context.at
    hold = make_hold(code, found, state, at)
    actions: list[Action] = []
    if code == OTHER:
        actions = [a for a in [plan_provisional(matches, found.seen.entries, context)] if a]
    elif code not in (UNREADABLE, EMPTY):
        actions = plan_bookings(matches, context, NO_RELEASE)
    after = replace(
        state,
        hold=hold,
        held_since=state.held_since or at,
        doubted_at=at,
        was_empty=state.was_empty or code == EMPTY,
        agreed_since=None,
    )
    if code == SHRUNKEN:
        absent = {stay: state.absent.get(stay, at) for stay in newly_absent(matches)}
        after = replace(after, absent=absent, agreed_since=absence_agreed_since(matches, state, at))
    memory = write_memory(after)
    return Plan(actions=tuple(actions), hold=hold, seen=matches.seen, refused=True, settle_at=at, memory=memory)


def _apply_hold(hold: Hold, found: FeedMatches, context: Context, state: SourceMemory) -> Plan:
    """Return the releases of a held plan that a person approved, those that still stand.

    Another listing's feed becomes the source's own with that: what distinguished them is forgotten.
    """
    matches, released = found.matches, {str(r["record_id"]) for r in hold.releases}
    actions = [_release(r, matches.today, context) for r in found.known if r.id in released]
    left = SourceMemory() if hold.code == OTHER else state.without_hold()
    done = tuple(a for a in actions if a)
    return Plan(actions=done, seen=matches.seen, settle_at=context.at, memory=write_memory(left))


def _release(record: Record, today: date, context: Context) -> Action | None:
    if is_window(record):
        return plan_window_change(record, WindowNights(opened={}), context)
    stay = read_stay(record)
    if stay.is_gone or not stay.nights_from(today):
        return None
    return cancel_action(record, Status.VANISHED, GoneReason.APPLIED, context.at)
