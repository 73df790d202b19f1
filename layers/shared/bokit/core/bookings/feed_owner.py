"""Whose feed is this? One verdict for a whole fetch, by what it shows of a source's known stays.

``@airbnb.com`` and ``@booking.com`` are shared by all listings, and two listings may give a block of the same first night
the same UID, so neither proves anything. Windows are nobody's: every listing of a platform has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from functools import cached_property
from itertools import islice

from bokit.core.bookings.limits import (
    MAX_NAMES_COMPARED,
    MAX_QUIET_ARRIVALS,
    MIN_CALENDAR_END_NIGHTS,
    MIN_EXCHANGE,
    MIN_EXCHANGE_ARRIVALS,
    MIN_EXCHANGED_SHARE,
    MIN_REISSUED_SHARE,
    MIN_REISSUED_SPANS,
    MIN_SAME_DATES_SHARE,
    MIN_SETTLED_AGE,
    MIN_WINDOW_END,
    TRIAL_TIME,
)
from bokit.core.bookings.marks import NAME_MARK, entry_marks, stay_marks
from bokit.core.bookings.matching import FeedMatches
from bokit.core.bookings.names import NameReader, NameVerdict
from bokit.core.bookings.nights import DAY, NightSet, Span, join_nights
from bokit.core.bookings.renames import kept_parts
from bokit.core.bookings.stay import GoneReason, Stay, entry_key
from bokit.core.bookings.uids import UidRoles
from bokit.core.bookings.window import closed_nights, rolling_nights, rule_nights
from bokit.core.ical.entries import CANCELLED, Entry, EntryKind
from bokit.core.ical.platforms.base import Traits, UidRole
from bokit.core.ical.writer import is_own_uid
from bokit.core.model.agreement import MIN_SHRINK, OTHER, SUDDEN
from bokit.core.model.catalog import EndsOn
from bokit.core.model.source_memory import SourceMemory
from bokit.core.model.source_rules import Context
from bokit.values import Value, replace

SATURDAY = 5
Marks = Mapping[str, str]
"""What identifies a booking at another source of the tenant, and that source's name."""


class FeedOwner(StrEnum):
    """Whose feed one fetch shows: the rows of :func:`judge_owner`."""

    OWN_CALENDAR = "an outgoing calendar of ours"
    FIRST = "no fetch was accepted yet"
    ELSEWHERE = "bookings of another source"
    OTHER_ROOM = "another room's UIDs"
    KNOWN = "bookings of ours"
    REISSUED = "our nights under other UIDs"
    UNKNOWN = "new bookings and none of ours"
    QUIET = "a few new bookings in a quiet calendar"
    SUDDEN = "many new bookings in a quiet calendar"
    NO_NEWS = "nothing new"

    @property
    def is_other(self) -> bool:
        """Whether it is another listing's."""
        return self in (FeedOwner.ELSEWHERE, FeedOwner.OTHER_ROOM, FeedOwner.UNKNOWN)

    @property
    def is_ours(self) -> bool:
        """Whether the fetch itself shows that it is ours."""
        return self in (FeedOwner.KNOWN, FeedOwner.REISSUED)


def judge_owner(evidence: OwnerEvidence) -> FeedOwner:
    """Return whose feed one fetch shows; the first row that applies.

    evidence                                                                     verdict
    UIDs that only our own outgoing calendars give                               refused, and its nights are not held
    no fetch of this source was ever accepted                                    ours: the preview was the check
    UIDs, codes or names of a source of another unit, and none of ours           another listing's
    Booking.com: a known first night has another UID, and none has its own       another listing's
    a code of ours; a UID of ours not made of dates; Booking.com: a known        ours
    first night with its UID
    a name of ours with equal nights; Booking.com: what is left of a guest's     ours
    stay; but for fewer of them than went and than came, three and more each,
    and where another source knows a code or UID
    with UIDs made of dates, half of our stays to come, and at least two, are    ours
    shown with the same UIDs and nights, and not all from Saturday to Saturday;
    or all of them, so that nothing is gone
    only the host of the UIDs differs; or nine of ten of our future stays, and   ours, UIDs issued again
    at least two, show equal nights, and not all from Saturday to Saturday
    each fetch renames everything; half of our stays show equal nights, at       ours
    least two, and the last fetch was accepted; or the nights are the same
    future stays are known (or our calendar's end), and an entry is new          another listing's
    no future stay is known, and more than three are new, or any and a fetch     not known, until two fetches agree
    before was held as another listing's, or a stay that was over and that we
    never knew, or UIDs of another host, or a calendar's end that ours never had
    no future stay is known, one to three are new                                ours: a quiet listing
    nothing is new                                                               ours, judged by what is gone
    """
    if evidence.is_own_calendar:
        return FeedOwner.OWN_CALENDAR
    if evidence.is_first:
        return FeedOwner.FIRST
    if evidence.elsewhere and not evidence.shows_ours:
        return FeedOwner.ELSEWHERE
    if evidence.is_other_room:
        return FeedOwner.OTHER_ROOM
    if evidence.shows_ours or evidence.shows_our_dates:
        return FeedOwner.KNOWN
    if evidence.is_reissued:
        return FeedOwner.REISSUED
    if evidence.arrivals and (evidence.future or evidence.has_lost_end):
        return FeedOwner.UNKNOWN
    if evidence.is_sudden:
        return FeedOwner.SUDDEN
    return FeedOwner.QUIET if evidence.arrivals and not evidence.future else FeedOwner.NO_NEWS


class OwnerEvidence(Value, dict=True):
    """What one fetch shows of a source's known stays."""

    found: FeedMatches
    state: SourceMemory
    context: Context

    @property
    def is_first(self) -> bool:
        """Whether no fetch of the source was ever accepted."""
        state = self.state
        return not (state.was_accepted or state.starts or state.domains or self.found.stays or self.found.matches.window)

    @cached_property
    def future(self) -> list[Stay]:
        """Our stays with nights to come that the last accepted fetch showed; on trial, none of them is known to be ours."""
        if is_on_trial(self.state):
            return []
        today = self.found.matches.today
        stays = (s for s in self.found.stays if not s.is_gone and s.record.missing_since is None)
        return [s for s in stays if s.is_to_come(today)]

    @cached_property
    def shown(self) -> list[Entry]:
        """The entries with nights to come that are neither cancelled nor windows, nor nights alone since an earlier fetch."""
        matches = self.found.matches
        held = NightSet(join_nights(rolling_nights(matches))) if matches.rest else NightSet()
        known = [e for e in matches.rest if held.covers(max(e.check_in, matches.today), e.check_out)]
        windows = {(e.uid, e.check_in) for e in (*matches.windows, *matches.rolling, *known)}
        live = (e for e in self.found.seen.entries if e.kind is not EntryKind.WINDOW and e.status not in CANCELLED)
        shown = (e for e in live if e.check_out > matches.today and (e.uid, e.check_in) not in windows)
        return [self.found.unproven.get(id(e), e) for e in shown]

    @cached_property
    def arrivals(self) -> list[Entry]:
        """The entries that have no code, UID or name of ours; an equal span alone does not make one ours."""
        keys = {s.record.key for s in self.found.stays if not s.is_gone}
        return [e for e in self.shown if entry_key(e) not in keys and not self._is_ours(e) and not self._is_clip(e)]

    @property
    def new_spans(self) -> tuple[str, ...]:
        """The nights of the new entries, each as first night and end."""
        return tuple(sorted({f"{e.check_in}/{e.check_out}" for e in self.arrivals}))

    @cached_property
    def shows_ours(self) -> bool:
        """Whether an entry proves that the feed is ours: surely, or likely, if others do not prove more."""
        if self.shows_surely_ours:
            return True
        likely = sum(self._is_ours(e) or self._is_clip(e) for e in self._live)
        others = min(len(self.gone), len(self.arrivals))
        is_outdone = self.is_surely_elsewhere or (others >= MIN_SHRINK and likely < others)
        return likely > 0 and not is_outdone

    @cached_property
    def shows_surely_ours(self) -> bool:
        """Whether an entry, perhaps a cancelled one, has a code of ours, or a UID that proves something: never by chance."""
        return any(self._is_surely_ours(e) for e in self._entries)

    @cached_property
    def gone(self) -> list[Stay]:
        """The stays to come that this fetch does not show, and that no accepted one missed before."""
        return [s for s in self.found.matches.absent if s.record.missing_since is None]

    @cached_property
    def is_exchange(self) -> bool:
        """Whether a third of the stays to come went and others came, four or more and two of them new: of two calendars, perhaps.

        What a stay is split into did not come. While what came is held, one of it that is still there is enough.
        """
        matches, at = self.found.matches, self.context.at
        settled = [s for s in self.gone if at - s.record.created_at >= MIN_SETTLED_AGE]
        if not settled or len(self.gone) < MIN_EXCHANGED_SHARE * len(self.future):
            return False
        if self.state.agreed_code == SUDDEN and not set(self.new_spans).isdisjoint(self.state.agreed_spans):
            return True
        ends = {day for stay in self.gone for day in stay.span}
        new = (p.entry for p in matches.pairs if p.stay is None and p.entry.check_out > matches.today)
        came = sum(ends.isdisjoint((e.check_in, e.check_out)) for e in new)
        return came >= MIN_EXCHANGE_ARRIVALS and came + len(self.gone) >= MIN_EXCHANGE

    @cached_property
    def shows_our_dates(self) -> bool:
        """Whether many of our stays to come are shown as they were, in a feed whose UIDs are made of dates.

        One such UID proves nothing, since another listing may have it: it is a hash of the dates, or the dates themselves.
        """
        today = self.found.matches.today
        shown = {(entry_key(e), e.check_in, e.check_out) for e in self.shown if self._uids.role_of(e) is UidRole.DATES}
        known = [(s.record.key, *s.span) for s in self.future if s.check_in > today]
        same = [(first, end) for key, first, end in known if (key, first, end) in shown]
        if len(same) < MIN_REISSUED_SPANS:
            return False
        return len(same) == len(known) or (len(same) >= MIN_SAME_DATES_SHARE * len(known) and not _are_weeks(same))

    @property
    def needs_others(self) -> bool:
        """Whether only what other sources know can say whose feed this is."""
        if any(is_own_uid(e.uid) for e in self.shown):
            return True
        return bool(self.arrivals) and not self.is_first and not self.shows_surely_ours

    @cached_property
    def is_own_calendar(self) -> bool:
        """Whether an entry has the UID of an outgoing calendar of ours, and none is another's."""
        uids = [e.uid for e in self._live]
        known = any(is_own_uid(uid) and f"own:{uid}" in self.context.elsewhere for uid in uids)
        return known and all(is_own_uid(uid) for uid in uids)

    @cached_property
    def elsewhere(self) -> str | None:
        """The name of another source that knows one of the entries."""
        return min(self._marks_elsewhere.values(), default=None)

    @property
    def is_surely_elsewhere(self) -> bool:
        """Whether another source knows one of the entries by its code or UID."""
        return not all(mark.startswith(NAME_MARK) for mark in self._marks_elsewhere)

    @cached_property
    def _marks_elsewhere(self) -> Marks:
        known = self.context.elsewhere
        marks = (mark for e in self.shown for mark in entry_marks(e, self._uids, self._names)) if known else ()
        return {mark: known[mark] for mark in marks if mark in known}

    @cached_property
    def _entries(self) -> tuple[Entry, ...]:
        """What the feed shows, each entry with no more than it says itself."""
        return tuple(self.found.unproven.get(id(e), e) for e in self.found.seen.entries)

    @cached_property
    def _live(self) -> list[Entry]:
        return [e for e in self._entries if e.status not in CANCELLED]

    @cached_property
    def is_other_room(self) -> bool:
        """Whether first nights that our room gave a UID have other ones, and none has its own."""
        known = self.state.starts if self._traits.uid_has_start else {}
        starts = [(e.check_in.isoformat(), e.uid) for e in self._entries]
        ours = [known[day] == uid for day, uid in starts if day in known]
        return bool(ours) and not any(ours)

    @cached_property
    def is_reissued(self) -> bool:
        """Whether the same stays are shown under other UIDs."""
        return self._has_our_local_parts or self._has_our_spans

    @property
    def has_lost_end(self) -> bool:
        """Whether our calendar's end, a month and more that does not disappear, is not shown, not even its last month."""
        end = sorted(rule_nights(self.found.matches))
        shown = closed_nights(self.found.seen.entries, self.found.matches.today)
        return len(end) >= MIN_CALENDAR_END_NIGHTS and shown.isdisjoint(end[-MIN_CALENDAR_END_NIGHTS:])

    @property
    def is_sudden(self) -> bool:
        """Whether a quiet calendar shows more than a quiet one gets."""
        if self.future or rule_nights(self.found.matches):
            return False
        held = self.state.hold.code if self.state.hold else None
        is_doubtful = bool(self.arrivals) and held in (OTHER, SUDDEN)
        is_many = len(self.arrivals) > MAX_QUIET_ARRIVALS
        is_strange = self._has_unknown_past or self.has_strange_hosts
        return is_doubtful or is_many or self._has_new_end or (bool(self.arrivals) and is_strange)

    @cached_property
    def has_strange_hosts(self) -> bool:
        """Whether a booking platform's feed shows new UIDs of another host than any of ours ever named.

        Where every UID changes its host, the platform changed it.
        """
        ours = {uid_host(s.record.key) for s in self.found.stays} | {uid_host(uid) for uid in self.state.starts.values()}
        new, shown = {uid_host(e.uid) for e in self.arrivals}, {uid_host(e.uid) for e in self.shown}
        is_mixed = not self.future or not shown.isdisjoint(ours)
        return self._traits.own_guests and bool(ours) and is_mixed and not new <= ours

    @property
    def _has_unknown_past(self) -> bool:
        """Whether it shows a stay that is over, and that we never knew, although we read this calendar then."""
        today, keys = self.found.matches.today, {s.record.key for s in self.found.stays}
        past = (e for e in self._entries if e.check_out <= today and e.status not in CANCELLED)
        return any(entry_key(e) not in keys and not self._is_ours(e) for e in past)

    @property
    def _has_new_end(self) -> bool:
        """Whether a closure reaches beyond ten months, as the end of a platform's calendar does."""
        today, entries = self.found.matches.today, self.found.seen.entries
        far = (e for e in entries if e.check_out - today > MIN_WINDOW_END and e.status not in CANCELLED)
        return any((e.check_out - max(e.check_in, today)).days >= MIN_CALENDAR_END_NIGHTS for e in far)

    @property
    def _has_our_local_parts(self) -> bool:
        ours = {_local_part(s.record.key) for s in self.found.stays}
        parts = [_local_part(entry_key(e)) in ours for e in self.shown if self._uids.proves(e)]
        return bool(parts) and sum(parts) * 2 >= len(parts)

    @property
    def _has_our_spans(self) -> bool:
        today = self.found.matches.today
        named = {span: self._first_of_each_name(entries) for span, entries in self._by_span.items()}
        known = [s for s in self.future if not any(self._names_differ(s, e) for e in named.get(_span(s, today), ()))]
        spans = {_span(s, today) for s in self.future}
        same = {_span(s, today) for s in known} & set(self._by_span)
        if self._renames and same == spans == set(self._by_span):
            return True
        share = MIN_SAME_DATES_SHARE if self._renames and self.state.held_since is None else MIN_REISSUED_SHARE
        is_most = len(same) >= share * len(spans) and len(same) >= MIN_REISSUED_SPANS
        return is_most and not _are_weeks(same)

    @property
    def _renames(self) -> bool:
        """Whether the feed calls its bookings by other UIDs or names at each fetch: then neither proves that it is another's."""
        return bool(kept_parts(self.state.renames))

    @cached_property
    def _by_span(self) -> dict[Span, list[Entry]]:
        found: dict[Span, list[Entry]] = {}
        for entry in self.shown:
            for read in self._readings(entry):
                found.setdefault((max(read.check_in, self.found.matches.today), read.check_out), []).append(entry)
        return found

    def _readings(self, entry: Entry) -> list[Entry]:
        """Return *entry*, and as the last accepted fetch would have read it, where the owner has since set what its end is."""
        if self.context.ends_on is self.state.ends_on or entry.starts_at is not None:
            return [entry]
        added = DAY if self.state.ends_on is EndsOn.LAST_NIGHT else -DAY
        former = replace(entry, check_out=entry.check_out + added)
        return [entry, former] if former.check_out > former.check_in else [entry]

    def _first_of_each_name(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return an entry for each of the first names in *entries*: more of one span are no stay's."""
        return list(islice({self._names.of_entry(e): e for e in entries}.values(), MAX_NAMES_COMPARED))

    def _names_differ(self, stay: Stay, entry: Entry) -> bool:
        return self._names.compare(stay, entry, same_uid=False) is NameVerdict.DIFFER

    def _is_ours(self, entry: Entry) -> bool:
        """Return whether *entry* has a code, a UID that proves something, or a name with equal nights, of ours."""
        if self._is_surely_ours(entry):
            return True
        marks = (mark for read in self._readings(entry) for mark in entry_marks(read, self._uids, self._names))
        return not self._known_marks.isdisjoint(marks)

    def _is_surely_ours(self, entry: Entry) -> bool:
        """Return whether *entry* has a code, or a UID that proves something, of ours."""
        if self._traits.uid_has_start and self.state.starts.get(entry.check_in.isoformat()) == entry.uid:
            return True
        marks = entry_marks(entry, self._uids, self._names)
        return any(mark in self._known_marks for mark in marks if not mark.startswith(NAME_MARK))

    def _is_clip(self, entry: Entry) -> bool:
        """Return whether *entry* is what is left of a stay of ours: where UIDs have the first night, clips change them."""
        if not self._traits.uid_has_start or entry.check_in > self.found.matches.today:
            return False
        first = self._first_by_end.get(entry.check_out)
        return first is not None and first <= entry.check_in

    @cached_property
    def _first_by_end(self) -> dict[date, date]:
        """The earliest arrival of our stays to come, by their departure."""
        found: dict[date, date] = {}
        for stay in self.future:
            found[stay.check_out] = min(stay.check_in, found.get(stay.check_out, stay.check_in))
        return found

    @cached_property
    def _known_marks(self) -> set[str]:
        stays = (s for s in self.found.stays if s.record.gone_reason != GoneReason.EMPTY)
        return {mark for s in stays for mark in stay_marks(s, self._names)}

    @property
    def _traits(self) -> Traits:
        return self.found.traits

    @cached_property
    def _uids(self) -> UidRoles:
        return UidRoles(traits=self._traits, history=self.state.uids, at=self.context.at)

    @cached_property
    def _names(self) -> NameReader:
        return NameReader(self._entries)


def is_on_trial(state: SourceMemory) -> bool:
    """Return whether the calendar was quiet until shortly before it came empty: it may never have been its own."""
    quiet, empty = state.quiet_until, state.empty_since
    return quiet is not None and empty is not None and empty - quiet < TRIAL_TIME


def _are_weeks(spans: Iterable[Span]) -> bool:
    """Return whether all are from Saturday to Saturday, as those of many houses are."""
    return all(first.weekday() == end.weekday() == SATURDAY for first, end in spans)


def uid_host(uid: str) -> str:
    """Return the host that a UID names; empty: none."""
    return uid.partition("@")[2]


def _local_part(key: str) -> str:
    return key.partition("@")[0]


def _span(stay: Stay, today: date) -> Span:
    return max(stay.check_in, today), stay.check_out
