"""What each platform's feeds make evidence of identity."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """Which facts of an entry tell the same booking."""

    uid_is_identity: bool = True
    """The same UID is the same booking, whatever its dates."""
    uid_tells_start: bool = False
    """The UID is made of room and first night: nothing of the booking, but it tells one room's feed from another's."""


GENERIC = Traits()
TRAITS = {
    "airbnb": Traits(uid_is_identity=False),
    "booking_com": Traits(uid_is_identity=False, uid_tells_start=True),
    "vrbo": Traits(uid_is_identity=False),
}


def traits_of(platform: str | None) -> Traits:
    """Return the traits of *platform*; the careful general rule where it has none of its own."""
    return TRAITS.get(platform or "", GENERIC)
