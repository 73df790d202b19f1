"""The rule that every guard shares: a sudden loss is trusted once fetches have agreed on it for a day.

fetch                                                  code
shows nothing, while something is known                ``EMPTY``: no time releases it
shows half of what is known no more (rounded down),    ``SHRUNKEN``, until fetches have agreed for a day on what is gone
and at least three
else                                                   None

What counts as known and as gone is each guard's own: stays in the future, records, rows of a table.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bokit.values import Value

UNREADABLE, EMPTY, PARTIAL, SHRUNKEN, OTHER, SUDDEN, OWN, FORMER = (
    "unreadable-feed",
    "empty-feed",
    "partial-feed",
    "shrunken-feed",
    "other-listing",
    "sudden-bookings",
    "own-calendar",
    "former-records",
)
"""The codes of held plans."""
MIN_SHRINK = 3
"""Fewer losses at once are ordinary."""
AGREEMENT = timedelta(hours=24)
"""How long fetches must agree on a loss before it is trusted; an empty feed is offered again after as long."""


class Loss(Value):
    """What a fetch no longer shows, in counts, and since when fetches agree on it (:func:`agreeing_since`)."""

    shown: int
    known: int
    gone: int  # of *known*, newly not shown
    agreed_since: datetime

    def code_at(self, at: datetime) -> str | None:
        """Return the code of the guard that applies at *at*, or None if the loss is trusted."""
        if self.is_empty:
            return EMPTY
        return SHRUNKEN if self.is_shrunken and not self.is_agreed(at) else None

    @property
    def is_empty(self) -> bool:
        """Whether the fetch shows nothing, while something is known."""
        return self.shown == 0 and self.known > 0

    @property
    def is_shrunken(self) -> bool:
        """Whether half of what is known (rounded down), and at least three, are gone at once."""
        return self.gone >= MIN_SHRINK and self.gone >= self.known // 2

    def is_agreed(self, at: datetime) -> bool:
        """Return whether fetches have agreed on the loss for a day."""
        return has_agreed(self.agreed_since, at)


def agreeing_since(gone: object, before: object, since: datetime | None, at: datetime) -> datetime:
    """Return since when fetches, this one at *at* among them, agree on exactly what is gone.

    *before* is what the fetches since *since* missed: the same, or the agreement begins again.
    """
    return since if since and gone == before else at


def has_agreed(since: datetime, at: datetime) -> bool:
    """Return whether fetches that agree since *since* have agreed for a day."""
    return at - since >= AGREEMENT
