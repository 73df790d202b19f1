"""Guards: which part of a fetch is not believed. They hold releases, never closures.

body                                              what is done now                  held, and until when
unreadable (HTML, JSON, nothing, no calendar)     nothing                           all, until the feed is good again
no events, nights to come are held                nothing                           all, until a person applies it, the
                                                                                    feed is good again or the nights pass
another listing's                                 its nights held provisionally     all, until a person applies it or the
                                                                                    old feed returns
read in part (truncated, a bad date)              new stays, moves, returns         what it does not show
half of the future stays gone at once             new stays, moves, returns         what it does not show, until fetches
                                                                                    agreed on it for a day
else                                              everything                        nothing
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from bokit.core.bookings.limits import MIN_CALENDAR_END_NIGHTS
from bokit.core.bookings.matching import FeedMatches, Matches, MatchReason, Pair
from bokit.core.bookings.nights import write_spans
from bokit.core.bookings.stay import Stay, entry_key
from bokit.core.bookings.window import closed_nights, rule_nights
from bokit.core.ical.entries import Entry
from bokit.core.ical.platforms.base import Traits
from bokit.core.model.agreement import EMPTY, OTHER, PARTIAL, SHRUNKEN, UNREADABLE, Loss, agreeing_since, has_agreed
from bokit.core.model.plan import Hold
from bokit.core.model.records import Json
from bokit.core.model.source_memory import SourceMemory
from bokit.core.model.source_rules import Context, Verdict

MESSAGES = {
    UNREADABLE: "The address did not answer with a calendar; nothing was changed. Check the feed's address.",
    EMPTY: "The calendar came without any event although nights are taken; all of them stay held. "
    "If it is truly empty, apply the held plan.",
    PARTIAL: "Part of the calendar could not be read; what it does not show stays held until it is whole again.",
    SHRUNKEN: "Half of the coming stays, or more, are gone at once; they stay held until the calendar agreed for a day. "
    "If they are truly cancelled, apply the held plan.",
    OTHER: "This looks like another listing's calendar; its nights are held for now, and ours stay. "
    "Check the feed's address; if it is right, apply the held plan.",
}
RECOGNISING_REASONS = frozenset(set(MatchReason) - {MatchReason.NEW, MatchReason.OVERLAP, MatchReason.SPLIT})
"""Reasons that show a feed to be ours; overlap alone does not."""


def judge_fetch(found: FeedMatches, state: SourceMemory, context: Context) -> str | None:
    """Return the code of the guard that applies to this fetch, or None if it is trusted."""
    seen, matches = found.seen, found.matches
    future = [s for s in found.stays if not s.is_gone and s.nights_from(matches.today)]
    if seen.verdict is Verdict.UNREADABLE:
        return UNREADABLE
    if not seen.entries and (future or rule_nights(matches)):
        return EMPTY if seen.verdict is not Verdict.PARTIAL else PARTIAL
    if _is_other_listing(found, future, state):
        return OTHER
    if seen.verdict is Verdict.PARTIAL:
        return PARTIAL
    return SHRUNKEN if _is_shrunken(matches, future, state, context.at) else None


def _is_other_listing(found: FeedMatches, future: Sequence[Stay], state: SourceMemory) -> bool:
    """Return whether the feed is another listing's.

    its UIDs' domains, and ours                          share none    yes
    a first night that our room gave another UID         shown         yes, unless another entry has a UID of ours
    a first night with the UID of ours                   shown         no (both where UIDs show room and start)
    a stay of ours, whatever its age                     recognised    no
    our future stays, or the calendar's end (a month     none shown    yes
    and more), that the last fetch showed
    nothing of ours was shown, or the feed was empty     any           no
    """
    matches, entries, traits = found.matches, found.seen.entries, found.traits
    domains = read_domains(entries)
    if state.domains and domains and not domains & set(state.domains):
        return True
    if traits.uid_has_start:
        starts = [(e.check_in.isoformat(), e.uid) for e in entries]
        ours = [state.starts[day] == uid for day, uid in starts if day in state.starts]
        if ours:
            return not any(ours)
    known = (_is_recognised(p, traits, matches.today) for p in (*matches.pairs, *matches.ended))
    if state.was_empty or any(known):
        return False
    lately = [s for s in future if s.record.missing_since is None and s.record.id not in state.absent]
    end = rule_nights(matches)
    lost_end = len(end) >= MIN_CALENDAR_END_NIGHTS and not end & closed_nights(matches.windows, matches.today)
    return bool(entries) and (bool(lately) or lost_end)


def _is_recognised(pair: Pair, traits: Traits, today: date) -> bool:
    """Return whether *pair* shows a stay of ours; where UIDs show the room, an unknown UID may only be a clip."""
    stay, entry = pair.stay, pair.entry
    if stay is None or stay.record.key == entry_key(entry):
        return stay is not None
    is_clip = stay.check_out == entry.check_out and stay.check_in <= entry.check_in <= today <= entry.check_out
    return is_clip if traits.uid_has_start else pair.reason in RECOGNISING_REASONS


def read_domains(entries: Sequence[Entry]) -> set[str]:
    """Return what follows the at sign in the entries' UIDs."""
    return {e.uid.rpartition("@")[2].lower() for e in entries if "@" in e.uid}


def newly_absent(matches: Matches) -> set[str]:
    """Return the stays that this fetch does not show and that no accepted one missed before."""
    return {str(s.record.id) for s in matches.absent if s.record.missing_since is None}


def absence_agreed_since(matches: Matches, state: SourceMemory, at: datetime) -> datetime:
    """Return since when shrunken fetches, this one among them, agree on exactly which stays are gone."""
    future = {str(s.record.id) for s in matches.absent} | {str(p.stay.record.id) for p in matches.pairs if p.stay}
    return agreeing_since(newly_absent(matches), set(state.absent) & future, state.agreed_since, at)


def agreed_absent(matches: Matches, state: SourceMemory, at: datetime) -> frozenset[str]:
    """Return the stays on whose absence held fetches and this one agreed for a day."""
    agreed = has_agreed(absence_agreed_since(matches, state, at), at)
    return frozenset(newly_absent(matches)) if agreed else frozenset()


def _is_shrunken(matches: Matches, future: Sequence[Stay], state: SourceMemory, at: datetime) -> bool:
    """Return whether too many of the future stays are gone at once, and fetches do not agree on it yet.

    Stays that were missing before do not count, nor do those that held fetches brought.
    """
    known = sum(1 for s in future if s.record.created_at < (state.held_since or at))
    agreed_since = absence_agreed_since(matches, state, at)
    loss = Loss(shown=matches.seen, known=known, gone=len(newly_absent(matches)), agreed_since=agreed_since)
    return loss.is_shrunken and not loss.is_agreed(at)


def make_hold(code: str, found: FeedMatches, state: SourceMemory, at: datetime) -> Hold:
    """Return the hold to show: what applying it would release, and since when it is held.

    An empty feed, which no evidence releases, is offered again after a day.
    """
    before = state.hold if state.hold and state.hold.code == code else None
    since, offered = (before.since, before.offered_at) if before else (at, None)
    if code == EMPTY and offered is None and has_agreed(since, at):
        offered = at
    can_apply = code in (EMPTY, OTHER, SHRUNKEN)
    releases = tuple(_describe_releases(code, found)) if can_apply else ()
    return Hold(code=code, message=MESSAGES[code], since=since, releases=releases, can_apply=can_apply, offered_at=offered)


def _describe_releases(code: str, found: FeedMatches) -> list[dict[str, Json]]:
    """Return what applying the hold would release, for people and for the hold's hash."""
    matches = found.matches
    lost = matches.absent if code == SHRUNKEN else found.stays
    future = sorted((s for s in lost if not s.is_gone and s.nights_from(matches.today)), key=lambda s: s.record.id)
    releases = [_describe_release("cancel", s.record.id, s.kind, s.check_in.isoformat(), s.check_out.isoformat()) for s in future]
    if code != SHRUNKEN and matches.window and (spans := write_spans(rule_nights(matches))):
        releases.append(_describe_release("free", matches.window.id, "window", spans[0][0], spans[-1][1]))
    return releases


def _describe_release(action: str, record_id: str, kind: str, check_in: str, check_out: str) -> dict[str, Json]:
    return {"action": action, "record_id": record_id, "kind": str(kind), "check_in": check_in, "check_out": check_out}
