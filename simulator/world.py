"""The virtual calendar: listings and the truth about their stays. Time moves by command alone; nothing here does I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from simulator.errors import SimulatorError
from simulator.records import PLATFORMS, Fault, FaultKind, Listing, Stay, StayKind, digest

GUESTS = (
    "Melanie Weber", "Luca Moretti", "Anna Keller", "Jean Dupont", "Sofia Lind", "Tom Baker", "Ines Costa", "Pavel Novak",
    "Marta Silva", "Noor de Vries", "Élise Martin", "Jonas Berg", "Clara Rossi", "Ben Carter", "Yuki Mori", "Olga Petrova",
)  # fmt: skip


class World:
    """Listings, stays and faults at one virtual moment. Equal seeds and equal commands give equal worlds."""

    def __init__(self, *, seed: int = 1, now: datetime) -> None:
        if now.tzinfo is None:
            raise SimulatorError("the virtual time needs a timezone")
        self.seed = seed
        self.now = now
        self.listings: dict[str, Listing] = {}
        self.stays: dict[str, Stay] = {}
        self.faults: dict[str, Fault] = {}
        self.answers: dict[str, int] = {}
        """How many answers each feed has given: the server stamps each with a second of its own."""
        self.drawn = 0
        """How often chance was asked: it goes on where it stopped after a restart."""

    # ── listings and time ──

    def add_listing(self, listing: Listing) -> Listing:
        """Add a listing, with its feed."""
        if listing.platform not in PLATFORMS:
            raise SimulatorError(f"no such platform: {listing.platform}; there are {', '.join(PLATFORMS)}")
        self.listings[listing.id] = listing
        return listing

    def find_listing(self, id: str) -> Listing:
        """Return the listing of this id, as in ``airbnb/garden-flat``."""
        try:
            return self.listings[id]
        except KeyError:
            raise SimulatorError(f"no such feed: {id}; there are {', '.join(self.listings) or 'none'}") from None

    def today(self, listing: Listing) -> date:
        """Return the date at the listing's place."""
        return self.now.astimezone(listing.zone).date()

    def advance(self, *, days: int = 0, hours: int = 0) -> datetime:
        """Move the virtual time on, and return it."""
        if days < 0 or hours < 0:
            raise SimulatorError("time does not go back")
        self.now += timedelta(days=days, hours=hours)
        return self.now

    # ── stays ──

    def book(
        self, listing: str, check_in: date, check_out: date, *, guest: str | None = None, is_tentative: bool = False
    ) -> Stay:
        """A guest reserves; refused where the nights are taken on this listing."""
        random = self.chance()
        party: dict[str, Any] = {
            "adults": random.randint(1, 4),
            "children": random.choice((0, 0, 0, 1, 2)),
            "is_tentative": is_tentative,
        }
        guest = guest or random.choice(GUESTS)
        return self._add(listing, StayKind.RESERVATION, check_in, check_out, guest=guest, **party)

    def block(self, listing: str, check_in: date, check_out: date, *, weeks: int = 1, over: bool = False) -> Stay:
        """The owner closes nights, *weeks* times in a row; with *over* where others lie already (Booking.com lets them)."""
        return self._add(listing, StayKind.BLOCK, check_in, check_out, over=over, weeks=weeks)

    def move(self, stay: str, check_in: date, check_out: date, *, is_new_phone: bool = False) -> Stay:
        """Change a stay's dates."""
        before = self.find_stay(stay)
        after = replace(before, check_in=check_in, check_out=check_out, sequence=before.sequence + 1)
        if is_new_phone:
            after = replace(after, phone=_phone(self.seed, stay, after.sequence))
        self._require_free(after)
        return self._keep(after)

    def cancel(self, stay: str, *, leaves_block: bool = False) -> Stay:
        """Cancel a reservation, or lift a block. VRBO can leave the nights ``Blocked``."""
        return self._keep(replace(self.find_stay(stay), cancelled_at=self.now, leaves_block=leaves_block))

    unblock = cancel

    def bring_back(self, stay: str) -> Stay:
        """A cancelled stay returns, as it was."""
        after = replace(self.find_stay(stay), cancelled_at=None, leaves_block=False)
        self._require_free(after)
        return self._keep(after)

    def find_stay(self, id: str) -> Stay:
        """Return the stay of this id."""
        try:
            return self.stays[id]
        except KeyError:
            raise SimulatorError(f"no such stay: {id}; `truth` shows them") from None

    def stays_of(self, listing: str) -> list[Stay]:
        """Return the listing's stays, cancelled ones too, in the order of booking."""
        return [stay for stay in self.stays.values() if stay.listing == listing]

    # ── faults ──

    def fault(self, listing: str, kind: str, *, count: int | None = None, retry_after: int = 120) -> Fault:
        """Make a feed answer wrongly, the next *count* times or until it is cleared."""
        self.find_listing(listing)
        if kind not in list(FaultKind):
            raise SimulatorError(f"no such fault: {kind}; there are {', '.join(FaultKind)}")
        self.faults[listing] = Fault(kind=FaultKind(kind), left=count, retry_after=retry_after)
        return self.faults[listing]

    def clear(self, listing: str | None = None) -> None:
        """Let a feed (or every feed) answer rightly again."""
        for id in [listing] if listing else list(self.faults):
            self.find_listing(id)
            self.faults.pop(id, None)

    def take_fault(self, listing: str) -> Fault | None:
        """Return the fault of the next answer, and count it."""
        fault = self.faults.get(listing)
        if fault is None or fault.left is None:
            return fault
        if fault.left <= 1:
            del self.faults[listing]
        else:
            self.faults[listing] = replace(fault, left=fault.left - 1)
        return fault

    # ── chance and the truth ──

    def chance(self) -> Random:
        """Return chance of its own for one decision, by the seed and the count of decisions."""
        self.drawn += 1
        return Random(f"{self.seed}:{self.drawn}")

    def closed_nights(self, listing: str) -> frozenset[date]:
        """Return every night from today on that is closed on this listing, by whatever."""
        return frozenset(self._closed(self.find_listing(listing)))

    def truth(self) -> dict[str, Any]:
        """Return what is so, whatever the feeds show: every stay, and the closed nights of every feed."""
        return {
            "now": self.now,
            "feeds": {
                id: {"today": self.today(listing), "closed": sorted(self.closed_nights(id)), "fault": self.faults.get(id)}
                for id, listing in self.listings.items()
            },
            "stays": list(self.stays.values()),
        }

    def _closed(self, listing: Listing) -> Iterator[date]:
        today = self.today(listing)
        for id in (listing.id, *listing.linked):
            for stay in self.stays_of(id):
                if stay.holds_nights:
                    yield from (night for night in stay.nights if night >= today)
        yield from days_between(today, today + timedelta(days=listing.notice_days))
        if end := listing.window_end(today):
            yield from days_between(max(today, listing.closed_from or today), end)

    def _add(self, listing: str, kind: StayKind, check_in: date, check_out: date, *, over: bool = False, **facts: Any) -> Stay:
        self.find_listing(listing)
        id = f"s{len(self.stays) + 1}"
        phone = _phone(self.seed, id, 0) if kind is StayKind.RESERVATION else ""
        stay = Stay(
            id=id, listing=listing, kind=kind, check_in=check_in, check_out=check_out, phone=phone, booked_at=self.now, **facts
        )
        if not over:
            self._require_free(stay)
        return self._keep(stay)

    def _require_free(self, stay: Stay) -> None:
        if stay.check_out <= stay.check_in:
            raise SimulatorError("a stay ends after it begins: check_out must be later than check_in")
        others = (o for o in self.stays_of(stay.listing) if o.id != stay.id and o.is_active)
        if taken := next((o for o in others if o.nights & stay.nights), None):
            raise SimulatorError(f"the nights are taken on {stay.listing} by {taken.id}")

    def _keep(self, stay: Stay) -> Stay:
        self.stays[stay.id] = stay
        return stay


def days_between(start: date, end: date) -> Iterator[date]:
    """Yield every day from *start* to before *end*."""
    return (start + timedelta(days=n) for n in range((end - start).days))


def _phone(seed: int, stay: str, sequence: int) -> str:
    return f"+39 055 {int(digest(seed, stay, sequence)[:8], 16) % 10_000_000:07d}"
