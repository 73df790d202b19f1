"""As whose feed a source is read, where its owner does not say it: what one body names does not change it.

    the source                                                              is read as
    has a platform that its owner set                                       that
    had no accepted fetch yet, or answered from another address since       what the body names, or the URL's host
    names the platform that it was read as before                           that
    names another one, in fewer than MIN_PLATFORM_FETCHES accepted          the one before: a proxy put its name in
    fetches apart, or for less than PLATFORM_TIME
    names another one, and shows codes that the one before explained        the one before: they would be lost
    else                                                                    the other one, from the next fetch on

A platform decides what UIDs prove and what a closure is: read as another's, every stay of a calendar is a new one.
"""

from __future__ import annotations

from bokit.core.bookings.fetch_gaps import fetch_gap
from bokit.core.bookings.limits import MIN_PLATFORM_FETCHES, PLATFORM_TIME
from bokit.core.ical.entries import Entry
from bokit.core.model.source_memory import PlatformHistory, SourceMemory
from bokit.core.model.source_rules import Context, Seen
from bokit.values import replace


def known_platform(state: SourceMemory, context: Context) -> str | None:
    """Return the platform that the source was read as before; None: the content decides."""
    return state.platform.name if context.fingerprint == state.fingerprint else None


def learn_platform(seen: Seen[Entry], state: SourceMemory, context: Context) -> PlatformHistory:
    """Return what an accepted fetch teaches of its source's platform."""
    history = state.platform
    if context.platform is not None or seen.repeats:
        return history
    if seen.names is None or known_platform(state, context) is None:
        return PlatformHistory(name=seen.names or seen.platform)
    if any(entry.reservation_code for entry in seen.entries):
        return replace(history, other=None, since=None, fetches=0, at=None)
    if seen.names != history.other or history.since is None or history.at is None:
        return replace(history, other=seen.names, since=context.at, fetches=1, at=context.at)
    if context.at - history.at < fetch_gap(context):
        return history
    fetches = min(history.fetches + 1, MIN_PLATFORM_FETCHES)
    if fetches < MIN_PLATFORM_FETCHES or context.at - history.since < PLATFORM_TIME:
        return replace(history, fetches=fetches, at=context.at)
    return PlatformHistory(name=seen.names)


def is_in_question(history: PlatformHistory, seen: Seen[Entry]) -> bool:
    """Return whether an unchanged body is read again: fetches that name another platform are counted, or it is another's now."""
    return history.other is not None or history.name not in (None, seen.platform)
