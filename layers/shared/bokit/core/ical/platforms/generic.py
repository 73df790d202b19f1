"""The general rule for any calendar, and the platforms whose feeds need nothing else.

The reader itself copes with what is special about Guesty (``Blocked By Guesty``, timed, UIDs reissued), OwnerRez (STATUS,
SEQUENCE, a wrong VTIMEZONE beside a correct IANA name), Google and Office 365 (Windows zone names).
"""

from __future__ import annotations

from bokit.core.ical.platforms.base import Platform, Traits, UidRole, read_general

_IDENTITY = Traits(reservation_uids=UidRole.IDENTITY, block_uids=UidRole.IDENTITY)
_UNKNOWN = Traits(reservation_uids=UidRole.UNKNOWN, block_uids=UidRole.UNKNOWN)
GENERIC = Platform(name="generic", read_event=read_general)
PLATFORMS = (
    Platform(
        name="guesty",
        prodids=("guesty",),
        hosts=("guesty.com", "guestyforhosts.com"),
        read_event=read_general,
        traits=_UNKNOWN,
    ),
    Platform(
        name="ownerrez",
        prodids=("ownerrez",),
        hosts=("ownerrez.com", "ownerreservations.com"),
        read_event=read_general,
        traits=_IDENTITY,
    ),
    Platform(
        name="google",
        prodids=("google calendar",),
        hosts=("calendar.google.com",),
        read_event=read_general,
        traits=_IDENTITY,
    ),
    Platform(
        name="outlook",
        prodids=("microsoft exchange server", "microsoft corporation//outlook", "outlook.com"),
        hosts=("outlook.live.com", "outlook.office365.com", "outlook.office.com"),
        read_event=read_general,
    ),
    Platform(name="lodgify", prodids=("lodgify",), hosts=("lodgify.com",), read_event=read_general),
    Platform(name="hostaway", prodids=("hostaway",), hosts=("hostaway.com",), read_event=read_general),
    Platform(
        name="expedia",
        prodids=("expedia",),
        hosts=("expedia.com", "expediapartnercentral.com"),
        read_event=read_general,
        traits=Traits(own_guests=True),
    ),
    Platform(name="hbook", prodids=("hbook",), read_event=read_general),
)
