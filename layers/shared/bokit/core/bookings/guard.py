"""Guards: what one fetch may not be believed. They hold releases, never closures.

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
from datetime import date, datetime, timedelta

from bokit.core.bookings.matching import Matches, Pair, Reason
from bokit.core.bookings.nights import write_spans
from bokit.core.bookings.stay import Stay, entry_key
from bokit.core.bookings.window import closed_nights, held_window
from bokit.core.ical.entries import Entry
from bokit.core.ical.platforms import Traits
from bokit.core.model.plan import Hold
from bokit.core.model.records import Json
from bokit.core.model.source_memory import Remembered
from bokit.core.model.source_rules import Context, Seen, Verdict

UNREADABLE, EMPTY, PARTIAL, SHRUNKEN, OTHER = (
    "unreadable-feed",
    "empty-feed",
    "partial-feed",
    "shrunken-feed",
    "other-listing",
)
MESSAGES = {
    UNREADABLE: "The address answered something that is no calendar; nothing was changed. Check the feed's address.",
    EMPTY: "The calendar came without any event although nights are taken; all of them stay held. "
    "If it is truly empty, apply the held plan.",
    PARTIAL: "Part of the calendar could not be read; what it does not show stays held until it is whole again.",
    SHRUNKEN: "Half of the coming stays, or more, are gone at once; they stay held until the calendar agreed for a day. "
    "If they are truly cancelled, apply the held plan.",
    OTHER: "This looks like another listing's calendar; its nights are held for now, and ours stay. "
    "Check the feed's address; if it is right, apply the held plan.",
}
DAY = timedelta(hours=24)
SHRINK_LEAST = 3
CALENDAR_END = 30
"""A window of so many nights is the end of the platform's calendar, and does not disappear."""


def judge_fetch(
    seen: Seen[Entry], matches: Matches, stays: Sequence[Stay], traits: Traits, told: Remembered, context: Context
) -> str | None:
    """Return the code of the guard that this fetch meets; None: it is good evidence."""
    future = [s for s in stays if not s.is_gone and s.nights_from(matches.today)]
    entries = seen.entries
    if seen.verdict is Verdict.UNREADABLE:
        return UNREADABLE
    if not entries and (future or held_window(matches)):
        return EMPTY if seen.verdict is not Verdict.PARTIAL else PARTIAL
    if is_other_listing(entries, matches, future, traits, told):
        return OTHER
    if seen.verdict is Verdict.PARTIAL:
        return PARTIAL
    return SHRUNKEN if is_shrunken(matches, future, told, context) else None


RECOGNISED = frozenset({Reason.CODE, Reason.UID, Reason.NIGHTS, Reason.DEPARTURE, Reason.ARRIVAL, Reason.RETURN})
"""Overlap alone does not tell ours from another listing's."""


def is_other_listing(
    entries: Sequence[Entry], matches: Matches, future: Sequence[Stay], traits: Traits, told: Remembered
) -> bool:
    """Return whether the feed is another listing's.

    its UIDs' domains, and ours                          share none    yes
    a first night that our room gave another UID         shown         yes, unless another entry has a UID of ours
    a first night with the UID of ours                   shown         no (both where UIDs tell room and start)
    a stay of ours, whatever its age                     recognised    no
    our future stays, or the calendar's end (a month     none shown    yes
    and more), that the last fetch showed
    nothing of ours was shown, or the feed was empty     any           no
    """
    domains = read_domains(entries)
    if told.domains and domains and not domains & set(told.domains):
        return True
    if traits.uid_tells_start:
        starts = [(e.check_in.isoformat(), e.uid) for e in entries]
        ours = [told.starts[day] == uid for day, uid in starts if day in told.starts]
        if ours:
            return not any(ours)
    known = (_is_recognised(p, traits, matches.today) for p in (*matches.pairs, *matches.ended))
    if told.was_empty or any(known):
        return False
    lately = [s for s in future if s.record.missing_since is None and s.record.id not in told.absent]
    end = held_window(matches)
    lost_end = len(end) >= CALENDAR_END and not end & closed_nights(matches.windows, matches.today)
    return bool(entries) and (bool(lately) or lost_end)


def _is_recognised(pair: Pair, traits: Traits, today: date) -> bool:
    """Return whether *pair* shows a stay of ours; where UIDs tell the room, a UID that we do not know may be a clip alone."""
    stay, entry = pair.stay, pair.entry
    if stay is None or stay.record.key == entry_key(entry):
        return stay is not None
    is_clip = stay.check_out == entry.check_out and stay.check_in <= entry.check_in <= today <= entry.check_out
    return is_clip if traits.uid_tells_start else pair.reason in RECOGNISED


def read_domains(entries: Sequence[Entry]) -> set[str]:
    """Return what follows the at sign in the entries' UIDs."""
    return {e.uid.rpartition("@")[2].lower() for e in entries if "@" in e.uid}


def newly_absent(matches: Matches) -> set[str]:
    """Return the stays that this fetch does not show and that no accepted one missed before."""
    return {str(s.record.id) for s in matches.absent if s.record.missing_since is None}


def agreeing_since(matches: Matches, told: Remembered, at: datetime) -> datetime:
    """Return since when shrunken fetches, this one among them, agree on exactly which stays are gone."""
    future = {str(s.record.id) for s in matches.absent} | {str(p.stay.record.id) for p in matches.pairs if p.stay}
    agree = newly_absent(matches) == set(told.absent) & future
    return told.agreed_since if agree and told.agreed_since else at


def agreed_absent(matches: Matches, told: Remembered, at: datetime) -> frozenset[str]:
    """Return the stays on whose absence held fetches and this one agreed for a day."""
    agreed = at - agreeing_since(matches, told, at) >= DAY
    return frozenset(newly_absent(matches)) if agreed else frozenset()


def is_shrunken(matches: Matches, future: Sequence[Stay], told: Remembered, context: Context) -> bool:
    """Return whether half of the future stays (rounded down), and at least three, are gone at once.

    Stays that were missing before do not count, nor do those that held fetches brought; and nothing is shrunken that
    fetches agreed on for a day.
    """
    gone, since = len(newly_absent(matches)), told.held_since or context.at
    known = sum(1 for s in future if s.record.created_at < since)
    return gone >= SHRINK_LEAST and gone >= known // 2 and not agreed_absent(matches, told, context.at)


def make_hold(code: str, matches: Matches, stays: Sequence[Stay], told: Remembered, at: datetime) -> Hold:
    """Return the hold to show: what applying it would release, and since when it is held.

    An empty feed, which no evidence releases, is offered again after a day.
    """
    lost = stays if code in (EMPTY, OTHER) else matches.absent
    future = sorted((s for s in lost if not s.is_gone and s.nights_from(matches.today)), key=lambda s: s.record.id)
    can_apply = code in (EMPTY, OTHER, SHRUNKEN)
    releases = [describe_release(s) for s in future] if can_apply else []
    if can_apply and code != SHRUNKEN and matches.window and (held := held_window(matches)):
        spans = write_spans(held)
        releases.append(
            {
                "action": "free",
                "record_id": matches.window.id,
                "kind": "window",
                "check_in": spans[0][0],
                "check_out": spans[-1][1],
            }
        )
    before = told.hold if told.hold and told.hold.code == code else None
    since = before.since if before else at
    offered = before.offered_at if before else None
    if code == EMPTY and offered is None and at - since >= DAY:
        offered = at
    return Hold(code=code, message=MESSAGES[code], since=since, releases=tuple(releases), can_apply=can_apply, offered_at=offered)


def describe_release(stay: Stay) -> dict[str, Json]:
    """Return what letting *stay* go would mean, for people and for the hold's hash."""
    return {
        "action": "cancel",
        "record_id": stay.record.id,
        "kind": str(stay.kind),
        "check_in": stay.check_in.isoformat(),
        "check_out": stay.check_out.isoformat(),
    }
