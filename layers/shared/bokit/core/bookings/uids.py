"""The roles of UIDs: what a feed's UID proves of the booking that carries it.

Airbnb's reservations, Google, OwnerRez, Beds24     identity    they survive a change of dates
Booking.com, Airbnb's blocks                        dates       made of the dates: a later guest has the same UID
VRBO, Guesty                                        unknown     they may be issued again
every other feed                                    learned     see :func:`UidRoles.role_of`
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from bokit.core.bookings.limits import MIN_UID_FETCHES, VOLATILE_TIME, VOLATILE_UPDATE
from bokit.core.bookings.stay import Stay, entry_key
from bokit.core.ical.entries import Entry, EntryKind
from bokit.core.ical.platforms.base import Traits, UidRole
from bokit.core.model.source_memory import UidHistory
from bokit.values import Value, replace


class UidRoles(Value):
    """What one source's UIDs prove at one fetch."""

    traits: Traits
    history: UidHistory
    at: datetime
    is_new_day: bool = True
    """A midnight has passed since the last accepted fetch: platforms may have clipped a stay, under another UID."""

    def role_of(self, entry: Entry) -> UidRole:
        """Return the role of the entry's UID; the first that applies.

        the platform's prior                                            as it says
        the UID has the entry's dates in it                             dates
        every UID changed at once in the last 30 days                   volatile
        several changed fetches kept every UID, and one of them         identity
        showed another arrival under a known UID
        else                                                            unknown
        """
        prior = self.traits.block_uids if entry.kind is not EntryKind.RESERVATION else self.traits.reservation_uids
        if prior is not None:
            return prior
        if _has_date(entry.uid, entry.check_in):
            return UidRole.DATES
        if self.history.changed_at and self.at - self.history.changed_at < VOLATILE_TIME:
            return UidRole.VOLATILE
        is_proved = self.history.kept >= MIN_UID_FETCHES and self.history.moved
        return UidRole.IDENTITY if is_proved else UidRole.UNKNOWN

    def proves(self, entry: Entry) -> bool:
        """Return whether a known UID of *entry* proves whose it is: neither made of dates, nor another one at each fetch."""
        return self.role_of(entry) not in (UidRole.DATES, UidRole.VOLATILE)

    def identifies(self, entry: Entry) -> bool:
        """Return whether an entry with a known UID is the stay of that UID: all but UIDs made of dates."""
        return self.role_of(entry) is not UidRole.DATES


def _has_date(uid: str, day: date) -> bool:
    return f"{day:%Y%m%d}" in uid.replace("-", "")


def learn_uids(
    pairs: Sequence[tuple[Stay, Entry]], history: UidHistory, at: datetime, *, changed: bool, moved: bool
) -> UidHistory:
    """Return what an accepted fetch teaches of a feed's UIDs: *pairs* are its live stays with their entries.

    at least two, and each has another UID             they are volatile
    one has another UID                                nothing kept: begin again
    all kept theirs, and the feed *changed*            one fetch more that kept them
    and one of them *moved* to another arrival         UIDs are not made of dates
    """
    kept = [stay.record.key == entry_key(entry) for stay, entry in pairs]
    if len(kept) > 1 and not any(kept):
        is_known = history.changed_at is not None and at - history.changed_at < VOLATILE_UPDATE
        return UidHistory(changed_at=history.changed_at if is_known else at)
    if not all(kept):
        return replace(history, kept=0, moved=False)
    if not changed or not kept:
        return history
    return replace(history, kept=min(history.kept + 1, MIN_UID_FETCHES), moved=history.moved or moved)
