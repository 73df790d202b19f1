"""Whether an entry without a known code or UID is a known stay, by names, the roles of UIDs, and the whole feed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from bokit.core.bookings.limits import MIN_REISSUED_SPANS, MIN_RELABELLED
from bokit.core.bookings.names import NameReader, NameVerdict
from bokit.core.bookings.pairs import Pair
from bokit.core.bookings.stay import Stay, entry_key
from bokit.core.bookings.uids import UidRoles
from bokit.core.ical.entries import BLOCKING, Entry, EntryKind
from bokit.core.ical.platforms.base import UidRole


class Identity:
    """Judges whether an entry without a known code or UID is a known stay, given the whole feed."""

    def __init__(
        self,
        uids: UidRoles,
        names: NameReader,
        today: date,
        stays: Sequence[Stay],
        exact: Sequence[Pair],
        entries: Sequence[Entry],
        cancelled: Sequence[Entry],
    ) -> None:
        self.uids, self.names, self.today = uids, names, today
        self._cancelled = {entry_key(e) for e in cancelled if uids.identifies(e)}
        live = [s for s in stays if not s.is_gone and s.check_out > today]
        self._live = len(live)
        pairs = [(p.stay, p.entry) for p in exact if p.stay and not p.stay.is_gone and p.stay.check_out > today]
        self._kept = any(stay.record.key == entry_key(entry) for stay, entry in pairs)
        self._is_relabelled = self._has_one_label(live, entries)
        keys = {entry_key(e) for e in entries}
        spans = {(max(e.check_in, today), e.check_out) for e in entries}
        reissued = [s for s in live if s.record.key not in keys and (max(s.check_in, today), s.check_out) in spans]
        self._is_reissued = not self._kept and len(reissued) >= MIN_REISSUED_SPANS

    def _has_one_label(self, stays: Sequence[Stay], entries: Sequence[Entry]) -> bool:
        """Return whether all entries are of one kind now, and two stays or more of the other kind show equal nights.

        The feed calls everything a closure that it called reservations, or the other way round: no guest cancelled.
        """
        shown = [e for e in entries if e.status in BLOCKING and e.kind is not EntryKind.WINDOW]
        spans = {(max(e.check_in, self.today), e.check_out) for e in shown}
        kinds = {e.kind for e in shown}
        changed = [s for s in stays if s.kind not in kinds and (max(s.check_in, self.today), s.check_out) in spans]
        return len(kinds) == 1 and len(changed) >= MIN_RELABELLED

    def has_its_kind(self, stay: Stay, entry: Entry) -> bool:
        """Return whether *entry* is of the kind of *stay*, or both are equal nights of a feed that changed its labels."""
        if entry.kind is stay.kind:
            return True
        is_live = not stay.is_gone and EntryKind.WINDOW not in (entry.kind, stay.kind)
        return is_live and self._is_relabelled and self._has_same_nights(stay, entry)

    def may_be_same(self, stay: Stay, entry: Entry) -> bool:
        """Return whether *entry* may be *stay*, which nights then decide; the first that applies.

        UID       names     role of the UID                  nights    the same
        any       differ    any                              any       no
        any       equal     any                              any       yes
        the same  unknown   any                              any       yes
        other     unknown   its own is shown as cancelled    any       no
        other     unknown   identity; another entry kept     any       no
                            the UID of its live stay
        other     unknown   identity; no stay of two or      equal     yes: issued again
                            more kept its UID                other     no
        other     unknown   else                             any       yes, perhaps another guest (``by_nights``)
        """
        is_same_uid = stay.record.key == entry_key(entry)
        verdict = self.names.compare(stay, entry, same_uid=is_same_uid)
        if verdict is not NameVerdict.UNKNOWN or is_same_uid:
            return verdict is not NameVerdict.DIFFER
        if stay.record.key in self._cancelled:
            return False
        if self.uids.role_of(entry) is not UidRole.IDENTITY:
            return True
        return not self._kept and (self._live < 2 or self._has_same_nights(stay, entry))

    def _has_same_nights(self, stay: Stay, entry: Entry) -> bool:
        starts = max(stay.check_in, self.today), max(entry.check_in, self.today)
        return stay.check_out == entry.check_out and starts[0] == starts[1]

    def rests_on_nights(self, stay: Stay, entry: Entry) -> bool:
        """Return whether the guest may be another one; *entry* was judged to be *stay* by its nights.

        the same name                                          no
        a closure where a reservation was, or the other way    yes
        round
        the same nights, or the guest is here and the start    no, unless the stay was gone, or its UID changed in a
        rolled at midnight                                     feed whose UIDs do not change all the time, unless all
                                                               changed, those of two stays or more
        else                                                   yes
        """
        is_same_uid = stay.record.key == entry_key(entry)
        if self.names.compare(stay, entry, same_uid=is_same_uid) is NameVerdict.EQUAL:
            return False
        if {entry.kind, stay.kind} == {EntryKind.RESERVATION, EntryKind.BLOCK}:
            return True
        if stay.is_gone or not (self._has_same_nights(stay, entry) and stay.check_in <= entry.check_in):
            return True
        is_clip = self.uids.is_new_day and stay.check_in < entry.check_in
        role = self.uids.role_of(entry)
        is_other = role in (UidRole.UNKNOWN, UidRole.IDENTITY) and not self._is_reissued
        return not is_same_uid and not is_clip and is_other
