"""Bookings as the engine's rules: how a calendar feed is read, matched, planned and guarded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bokit.core.bookings.booking_limits import explain_rest
from bokit.core.bookings.bounds import bound_plan
from bokit.core.bookings.edit import read_edit
from bokit.core.bookings.evidence import (
    NO_RELEASE,
    SURE_REASONS,
    Evidence,
    contradicted_by_held,
    last_doubted_at,
    next_release_at,
    was_missed_before,
    weigh_fetch,
)
from bokit.core.bookings.feed_owner import OwnerEvidence
from bokit.core.bookings.guard import MESSAGES, TRUSTED, WRONG_PASTE, Judgement, judge_fetch, make_hold
from bokit.core.bookings.habits import learn_habits
from bokit.core.bookings.hold_release import (
    count_empty,
    end_empty,
    is_trial_over,
    may_release_by_empty,
    newly_absent,
    releasable_by_empty,
    with_agreement,
)
from bokit.core.bookings.hold_waiting import held_until
from bokit.core.bookings.known_ends import with_known_ends
from bokit.core.bookings.limits import MAX_FEED_PROBLEMS, MAX_START_AGE, TRIAL_TIME
from bokit.core.bookings.local_days import local_today, next_midnight
from bokit.core.bookings.marks import own_marks, stay_marks
from bokit.core.bookings.masking import mask_content, recognise
from bokit.core.bookings.matching import FeedMatches, Matches, match_entries
from bokit.core.bookings.names import NameReader
from bokit.core.bookings.night_history import PLATFORM, read_shown, record_night_history, record_provisional_history
from bokit.core.bookings.nights import DAY
from bokit.core.bookings.open_nights import read_open
from bokit.core.bookings.planning import cancel_action, plan_bookings
from bokit.core.bookings.platform_change import is_in_question, known_platform, learn_platform
from bokit.core.bookings.release import release_record
from bokit.core.bookings.renames import UID, believed_at, keep_names, kept_parts, notified_since, role_traits
from bokit.core.bookings.rolling import ClosureRules
from bokit.core.bookings.staleness import follows_fetches, learn_roll, learn_stamps, next_roll_at, note_stale, stale_since
from bokit.core.bookings.stay import GoneReason, Stay, held_nights, held_spans, is_window, read_stay
from bokit.core.bookings.uids import UidRoles, learn_uids
from bokit.core.bookings.window import closed_nights, plan_provisional
from bokit.core.ical.entries import Entry, Status
from bokit.core.ical.entry_json import entry_as_dict
from bokit.core.ical.groups import NOTES
from bokit.core.ical.lexer import read_stamp
from bokit.core.ical.platforms.registry import traits_of
from bokit.core.ical.reader import ReadSettings, detect_platform, hash_ical, read_ical, recall_entries
from bokit.core.ical.suggestions import suggest_settings
from bokit.core.model.agreement import EMPTY, OTHER, OWN, PARTIAL, SHRUNKEN, SUDDEN, UNREADABLE
from bokit.core.model.catalog import EndsOn
from bokit.core.model.plan import RELEASES, Action, ActionKind, Hold, Plan
from bokit.core.model.records import Fields, Json, LoggedChange, Presence, Record
from bokit.core.model.source_memory import RenameHistory, SourceMemory, UidHistory, read_memory, write_memory
from bokit.core.model.source_rules import ADVICE, Context, Problem, Seen, Verdict
from bokit.values import replace

if TYPE_CHECKING:
    from bokit.core.model.undo import UndoStep, UndoTerms

CUT = frozenset({"truncated", "too-many-events", "broken-event"})
"""Problems of a body of which more than single events is missing."""


class BookingRules:
    """The rules of calendar feeds; without state, safe to share."""

    plans_current_body = True

    def needs_body(self, hold: Hold) -> bool:
        return True

    def hash_content(self, body: bytes, context: Context) -> str:
        zone, days = context.timezone.key, context.horizon.days
        return hash_ical(body, "/".join((zone, context.platform or "", str(days), *_chosen(context))))

    def read(self, body: bytes, context: Context, snapshot: bytes) -> Seen[Entry]:
        return replace(read_ical(body, _read_settings(context), snapshot), made_at=read_stamp(body))

    def recall(self, snapshot: bytes, context: Context) -> Seen[Entry]:
        return replace(recall_entries(snapshot, _read_settings(context)), repeats=True)

    def read_stamp(self, body: bytes) -> datetime | None:
        return read_stamp(body)

    def inspect(self, body: bytes, seen: Seen[Entry], context: Context) -> dict[str, Json]:
        platform = context.platform or seen.platform or detect_platform(body, context.host)
        entries = [entry_as_dict(e) for e in seen.entries]
        return {"platform": platform, "entries": entries, "suggested": suggest_settings(seen, context.ends_on)}

    def match(self, known: Sequence[Record], seen: Seen[Entry], context: Context) -> FeedMatches:
        window = next((r for r in known if is_window(r)), None)
        stays = recognise([read_stay(r) for r in known if not is_window(r)], seen.entries)
        traits = traits_of(seen.platform)
        seen, state, today = with_known_ends(seen, stays), read_memory(context.memory), local_today(context)
        seen, renames = keep_names(seen, stays, state.renames, today, context)
        accepted_at = state.read_at if state.held_since else context.last_read
        is_new_day = accepted_at is None or accepted_at.astimezone(context.timezone).date() < today
        used = role_traits(traits, renames.history)
        uids = UidRoles(traits=used, history=state.uids, at=context.at, is_new_day=is_new_day)
        closures = ClosureRules(seen.entries, traits, state.habits, today, context)
        matches = match_entries(stays, window, seen.entries, uids, closures, today, context.at, context.limits)
        matches, rolls, history = renames.take_over(matches), closures.rolls, renames.history
        return FeedMatches(
            known=known,
            stays=stays,
            seen=seen,
            traits=traits,
            rolls=rolls,
            matches=matches,
            renames=history,
            unproven=renames.unproven,
        )

    def plan(self, matches: FeedMatches, context: Context) -> Plan:
        evidence = weigh_fetch(matches.matches, context, read_memory(context.memory))
        return _plan(matches.matches, context, evidence)

    def guard(self, plan: Plan, matches: FeedMatches, context: Context) -> Plan:
        state = read_memory(context.memory)
        guarded = _with_history(_guard(plan, matches, context, state), matches, context, state)
        rest = explain_rest(matches.matches.rest, context.limits)
        problems = _list_problems([*rest, *matches.seen.problems])
        content = mask_content(guarded, matches.stays, matches.seen.snapshot)
        return replace(_with_renames(guarded, matches.renames, context), problems=problems, content=content)

    def bound(self, plan: Plan, matches: FeedMatches, context: Context, room: int | None) -> Plan:
        return bound_plan(plan, matches, context, room)

    def needs_elsewhere(self, matches: FeedMatches, context: Context) -> bool:
        return OwnerEvidence(found=matches, state=read_memory(context.memory), context=context).needs_others

    def object_to(self, seen: Seen[Entry], context: Context) -> str | None:
        evidence = OwnerEvidence(found=self.match((), seen, context), state=SourceMemory(), context=context)
        if evidence.is_own_calendar:
            return MESSAGES[OWN]
        return WRONG_PASTE.format(name=evidence.elsewhere) if evidence.elsewhere else None

    def read_marks(self, records: Sequence[Record], platform: str | None) -> set[str]:
        stays = [read_stay(r) for r in records if not is_window(r) and platform in (None, r.memory.get(PLATFORM))]
        names = NameReader(())
        return {mark for stay in stays for mark in stay_marks(stay, names)}

    def read_published(self, records: Sequence[Record]) -> set[str]:
        return {mark for record in records for mark in own_marks(record)}

    def read_hold(self, memory: Fields) -> Hold | None:
        return read_memory(memory).hold

    def read_edit(self, record: Record | None, values: Fields) -> Fields:
        return read_edit(record, values)

    def release(self, record: Record, *, by: str, at: datetime, zone: ZoneInfo) -> tuple[Record, LoggedChange] | None:
        return release_record(record, by=by, at=at, today=at.astimezone(zone).date())

    def plan_undo(self, record: Record, log: Sequence[LoggedChange], lines: Iterable[str], terms: UndoTerms) -> UndoStep:
        from bokit.core.bookings.undo import plan_undo

        return plan_undo(record, log, lines, terms)


def _with_renames(plan: Plan, history: RenameHistory, context: Context) -> Plan:
    """Return *plan* with what the feed renames at each fetch, and when what it calls its bookings is believed again."""
    settle_at = min((t for t in (plan.settle_at, believed_at(history)) if t), default=None)
    known = context.new_only or (history == RenameHistory() and "renames" not in plan.memory)
    memory = plan.memory if known else write_memory(replace(read_memory(plan.memory), renames=history))
    return replace(plan, memory=memory, renames_since=notified_since(history), settle_at=settle_at)


def _list_problems(problems: Sequence[Problem]) -> tuple[Fields, ...]:
    """Return the first *problems* of a fetch, those that cost an event or concern the whole feed before mere notes."""
    ordered = sorted(problems, key=lambda problem: problem.code in NOTES.difference(ADVICE))
    return tuple(dict(problem.as_dict()) for problem in ordered[:MAX_FEED_PROBLEMS])


def _chosen(context: Context) -> list[str]:
    """Return the settings that differ from their defaults: without them, the hashes of former releases stay valid."""
    return [str(context.ends_on)] * (context.ends_on is not EndsOn.DEPARTURE) + ["transparent"] * context.ignore_transparent


def _read_settings(context: Context) -> ReadSettings:
    return ReadSettings(
        at=context.at,
        timezone=context.timezone,
        platform=context.platform,
        host=context.host,
        known_platform=known_platform(read_memory(context.memory), context),
        horizon=context.horizon,
        ends_on_last_night=context.ends_on is EndsOn.LAST_NIGHT,
        ignore_transparent=context.ignore_transparent,
    )


def _guard(plan: Plan, found: FeedMatches, context: Context, state: SourceMemory) -> Plan:
    """Return *plan* as far as this fetch is believed, or the held plan that a person approved or discarded."""
    if state.hold and context.discarded == state.hold.plan_hash:
        left = replace(state.without_hold(), declined=True)
        return replace(plan, actions=(), memory=write_memory(left), settle_at=context.at)
    evidence = OwnerEvidence(found=found, state=state, context=context)
    judged = judge_fetch(evidence)
    # whose feed it is, and whether it was read whole, comes before its age: a stale body of another listing is held
    if judged.code in (None, SHRUNKEN) and context.approved is None and (made := stale_since(found, state.habits, context)):
        stale = _plan_stale(made, found, context, state)
        return _only_new(stale, context) if context.new_only else stale
    if judged.code is None:
        return _accept(plan, found, context, state, judged)
    held = _hold(judged, evidence)
    if held.hold and held.hold.can_apply and context.approved == held.hold.plan_hash:
        return _apply_hold(held.hold, found, context, state)
    return _only_new(held, context) if context.new_only else held


def _plan_stale(made: datetime, found: FeedMatches, context: Context, state: SourceMemory) -> Plan:
    """Return the plan of a stale body: what it closes beyond the known stays is held for now, and all else stays."""
    habits = state.habits
    held = {n for r in found.known for n in held_nights(r)}
    closed = closed_nights(found.seen.entries, found.matches.today) - held
    window = plan_provisional(found.matches, closed, context, is_whole=False) if closed else None
    return Plan(
        actions=(window,) if window else (),
        hold=state.hold,
        seen=found.matches.seen,
        refused=True,
        stale_since=made,
        stamps_fetches=follows_fetches(habits, found.traits),
        memory=write_memory(replace(state, habits=note_stale(made, found, habits, context))),
    )


def _with_history(plan: Plan, found: FeedMatches, context: Context, state: SourceMemory) -> Plan:
    """Return *plan* with each record's night history, and whose feed it came from.

    While fetches are held, what the source did not show before is not known.
    """
    if not plan.actions:
        return plan
    last_read = None if state.held_since or plan.refused else context.last_read
    spans = [span for action in plan.actions for span in held_spans(action.after, action.after.fields)]
    asked = (min(first for first, _ in spans), max(end for _, end in spans)) if spans else None
    shown, platform = read_shown(found.known, context.at, asked), found.seen.platform

    def with_history(action: Action) -> Action:
        if is_window(action.after):
            return replace(action, after=record_provisional_history(action.after, context.at, shown))
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
    """Return *plan* with its new stays and nights alone."""
    new = tuple(a for a in plan.actions if a.kind is ActionKind.CREATE or (plan.refused and is_window(a.after)))
    return replace(plan, actions=new, hold=read_memory(context.memory).hold, memory=context.memory)


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
    times += [next_midnight(context)] if any(is_window(r) for r in records.values()) else []
    counts = evidence.is_doubtful and any(r.presence is Presence.MISSING for r in records.values())
    times += [context.at] if counts or any(a.kind in RELEASES for a in actions) else []
    return min((t for t in times if t), default=None)


def _accept(plan: Plan, found: FeedMatches, context: Context, state: SourceMemory, judged: Judgement = TRUSTED) -> Plan:
    """Return the plan of a fetch that no guard holds; held fetches that agreed with it for long enough count as evidence."""
    if judged.agreement and judged.agreed:
        since = state.absent if state.agreed_code == SUDDEN else dict.fromkeys(sorted(judged.agreed), judged.agreement.since)
        state = replace(state, absent=since)
    evidence = weigh_fetch(found.matches, context, state, judged.agreed)
    if judged.agreed:
        plan = _plan(found.matches, context, evidence)
    if context.new_only:
        return plan
    habits = found.rolls.learn(learn_habits(found.matches, state.habits, context.timezone))
    habits = learn_roll(found, learn_stamps(found, habits, context), context)
    plan = replace(plan, stamps_fetches=follows_fetches(habits, found.traits))
    doubted = context.at if evidence.contradicted_since else last_doubted_at(state, context) if evidence.is_near_doubt else None
    quiet = context.at if judged.was_quiet else state.quiet_until
    is_trial = quiet is not None and context.at - quiet < TRIAL_TIME
    learned = replace(_learn(found, state, context), doubted_at=doubted, habits=habits, quiet_until=quiet if is_trial else None)
    roll_at = None if plan.stamps_fetches else next_roll_at(habits, context)
    times = [plan.settle_at, roll_at if roll_at and roll_at > context.at else None]
    times += [context.at] if is_in_question(learned.platform, found.seen) else []
    return replace(plan, memory=write_memory(learned), settle_at=min((t for t in times if t), default=None))


def _learn(found: FeedMatches, state: SourceMemory, context: Context) -> SourceMemory:
    """Return what an accepted fetch teaches of its source; nothing is held any more."""
    starts: dict[str, str] = {}
    entries = found.seen.entries
    if found.traits.uid_has_start:
        least = (found.matches.today - MAX_START_AGE).isoformat()
        starts = {day: uid for day, uid in state.starts.items() if day >= least}
        starts |= {e.check_in.isoformat(): e.uid for e in sorted(entries, key=lambda e: e.uid)}
    uids = _learn_uids(found, state.uids, context)
    return SourceMemory(
        starts=dict(sorted(starts.items())),
        was_accepted=True,
        fingerprint=context.fingerprint,
        ends_on=_learn_ends_on(found, state, context),
        uids=uids,
        platform=learn_platform(found.seen, state, context),
        habits=state.habits,
    )


def _learn_ends_on(found: FeedMatches, state: SourceMemory, context: Context) -> EndsOn:
    """Return by which meaning of ends the known stays are compared: the former one, until each has its new end.

    A setting that shortens the stays takes effect on each when the evidence for its free night is there.
    """
    pairs = ((p.stay, p.entry) for p in found.matches.pairs if p.stay and not p.stay.is_gone and p.entry.starts_at is None)
    waits = any(abs(stay.check_out - entry.check_out) == DAY for stay, entry in pairs)
    return state.ends_on if waits else context.ends_on


def _learn_uids(found: FeedMatches, history: UidHistory, context: Context) -> UidHistory:
    """Return what an accepted fetch teaches of the UIDs of a feed whose platform does not say it."""
    if found.traits.reservation_uids is not None or UID in kept_parts(found.renames):
        return history
    matches = found.matches
    pairs = [(p.stay, p.entry) for p in matches.pairs if p.stay and not p.stay.is_gone and p.stay.check_out > matches.today]
    is_new = any(p.stay is None or p.stay.span != (p.entry.check_in, p.entry.check_out) for p in matches.pairs)
    changed = is_new or any(s.record.missing_since is None for s in matches.absent)
    moved = any(_has_moved(stay, entry, matches.today) for stay, entry in pairs)
    return learn_uids(pairs, history, context.at, changed=changed, moved=moved)


def _has_moved(stay: Stay, entry: Entry, today: date) -> bool:
    """Return whether *entry* shows another arrival than the last fetch did; a stay may hold nights that are shown no longer."""
    shown = stay.nights_from(today) - set(read_open(stay.record))
    return bool(shown) and min(shown) != max(entry.check_in, today)


def _hold(judged: Judgement, evidence: OwnerEvidence) -> Plan:
    """Return the plan of a fetch that a guard holds: closures, and nothing that frees a night of a stay."""
    found, context, state = evidence.found, evidence.context, evidence.state
    matches, at = found.matches, context.at
    read_at = state.read_at if state.held_since else context.last_read
    after = replace(state, held_since=state.held_since or at, read_at=read_at, doubted_at=at)
    if found.seen.verdict is Verdict.EMPTY:
        after = count_empty(after, context)
    elif found.seen.entries:
        after = end_empty(after, evidence, says_nothing=judged.agreement is None)
    if judged.code == EMPTY and is_trial_over(after, context):
        plan = _plan(matches, context, Evidence(released_as=GoneReason.EMPTY))
        return replace(plan, memory=write_memory(_learn(found, SourceMemory(), context)))
    after = replace(after, hold=make_hold(judged, evidence, after))
    if judged.agreement:
        after = with_agreement(after, str(judged.code), judged.agreement)
        gone = newly_absent(evidence) if judged.code in (SHRUNKEN, SUDDEN) else set()
        if judged.code == SHRUNKEN:
            after = replace(after, contradicted_since=contradicted_by_held(matches, state))
        after = replace(after, absent={stay: state.absent.get(stay, at) for stay in sorted(gone)})
    actions = _held_actions(str(judged.code), found, context)
    if judged.code == EMPTY:
        actions += _empty_releases(after, found, context)
    actions = sorted(actions, key=lambda a: a.record_id)
    until = held_until(judged, evidence, after, actions)
    return Plan(
        actions=tuple(actions),
        hold=after.hold,
        seen=matches.seen,
        refused=True,
        settle_at=until,
        held_until=until,
        memory=write_memory(after),
    )


def _held_actions(code: str, found: FeedMatches, context: Context) -> list[Action]:
    """Return what a held fetch closes: bookings only where the whole feed was read but for single events."""
    matches, seen = found.matches, found.seen
    if code in (UNREADABLE, OWN):
        return []
    is_cut = any(problem.code in CUT for problem in seen.problems)
    if code == PARTIAL and not is_cut:
        return plan_bookings(matches, context, NO_RELEASE)
    # a missing stay may be released during the hold, any other after it: the nights have evidence of their own
    held = {n for r in found.known if not is_window(r) and r.presence is not Presence.MISSING for n in held_nights(r)}
    others = [p.entry for p in matches.pairs if p.stay is None or p.reason not in SURE_REASONS]
    closed = closed_nights(seen.entries, matches.today) - held | closed_nights(others, matches.today)
    window = plan_provisional(matches, closed, context, is_whole=seen.verdict in (Verdict.OK, Verdict.EMPTY))
    return [window] if window else []


def _empty_releases(state: SourceMemory, found: FeedMatches, context: Context) -> list[Action]:
    """Return what an empty calendar releases: what the source's own feed had missed before, and what time lifts."""
    missed = [s for s in found.matches.absent if was_missed_before(s.record, state, context)]
    known = {s.record.id for s in missed}
    lifted = releasable_by_empty(found.stays, found.matches) if may_release_by_empty(state, context) else []
    gone = [(s, GoneReason.VANISHED) for s in missed] + [(s, GoneReason.EMPTY) for s in lifted if s.record.id not in known]
    actions = (cancel_action(s.record, Status.VANISHED, reason, context.at) for s, reason in gone)
    return [a for a in actions if a]


def _apply_hold(hold: Hold, found: FeedMatches, context: Context, state: SourceMemory) -> Plan:
    """Return the plan of the current body, believed at once because a person approved its held plan.

    What matches keeps its edits, what the body closes stays closed, and the rest is released. Another listing's feed
    becomes the source's own with that: what distinguished them is forgotten.
    """
    plan = _plan(found.matches, context, Evidence(released_as=GoneReason.APPLIED))
    return replace(plan, memory=write_memory(_learn(found, SourceMemory() if hold.code == OTHER else state, context)))
