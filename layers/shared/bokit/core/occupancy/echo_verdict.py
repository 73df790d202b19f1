"""What a record's nights are to those of others: the judgement that ``echoes`` makes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from bokit.core.model.records import RecordId
from bokit.core.occupancy.holdings import HeldNights
from bokit.core.occupancy.night_bits import Bits
from bokit.values import Value


class EchoState(StrEnum):
    """What a booking is to the others."""

    OWN = "own"
    """A booking, or a closure of its own."""
    ECHO = "echo"
    FADING = "fading"
    WINDOW = "window"


class EchoVerdict(Value):
    """What a record's nights are to the others."""

    state: EchoState = EchoState.OWN
    of: tuple[HeldNights, ...] = ()
    """The originals that an echo repeats, in the order of their nights."""
    since: datetime | None = None
    """Since when what the fading nights repeated is gone; the earliest, where they repeated several."""
    until: datetime | None = None
    """When the first of them is a closure's own, if it is still shown; None: none is shown any more, or not known."""
    sold: frozenset[RecordId] = frozenset()
    """Records of which its source left a night open: what it shares with them it sold itself."""
    again_at: datetime | None = None
    """When more is known of it: what its source left open in one fetch counts in the second."""
    is_awaited: bool = False
    """Nights of it fade until its platform reads our calendar again, which nobody can foresee."""
    has_outlived: bool = False
    """Nights of it are its own only because they were still shown when their fading ended."""
    repeats: Bits = 0
    """The nights that others held first: of an echo all; of a closure of its own those that platforms joined with it."""
    repeated: tuple[tuple[HeldNights, Bits], ...] = ()
    """The same nights, by the originals that hold them."""
    doubtful: tuple[tuple[HeldNights, Bits], ...] = ()
    """Those of them that its source had not read in a calendar of ours: repeated from elsewhere, or sold twice."""
    distinct: tuple[tuple[HeldNights, Bits], ...] = ()
    """Those of them that no longer their original's source shows, and that would not fade with it: no copies of it."""
    explained: Bits = 0
    """Those of them that its source surely repeats: it had read them, or is linked."""
    fades: Bits = 0
    """The nights that fade: all of a fading closure; of a closure of its own those that repeated what is gone."""


OWN = EchoVerdict()
