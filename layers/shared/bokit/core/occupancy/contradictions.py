"""Which entries of one source name different guests: by what they name, not in pairs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import reduce
from operator import or_

from bokit.core.occupancy.guests import GuestIdentity
from bokit.core.occupancy.timeline import Members

ReadValues = Callable[[GuestIdentity], Iterable[Hashable]]


class ValueIndex:
    """Which members have each value of one kind, such as a word of a name."""

    def __init__(self, identities: Sequence[tuple[Members, GuestIdentity]], read: ReadValues) -> None:
        self._read, self._any = read, 0
        by_value: dict[Hashable, Members] = {}
        for members, identity in identities:
            for value in read(identity):
                by_value[value] = by_value.get(value, 0) | members
                self._any |= members
        self._by_value = {value: members for value, members in by_value.items() if members & (members - 1)}

    def sharing(self, identity: GuestIdentity) -> Members:
        """Return the members that have one of the values of *identity*, which may be left out itself."""
        return reduce(or_, (self._by_value.get(value, 0) for value in self._read(identity)), 0)

    def differing(self, identity: GuestIdentity) -> Members:
        """Return the members that have values, but none of those of *identity*; without any, none differs."""
        return self._any & ~self.sharing(identity) if any(True for _ in self._read(identity)) else 0


class Contradictions:
    """The named entries of one source: ``guests.contradict``, and titles without a word in common, for all of them at once."""

    def __init__(self, identities: Iterable[tuple[Members, GuestIdentity]]) -> None:
        named = [(members, identity) for members, identity in identities if identity.is_named]
        self._named = reduce(or_, (members for members, _ in named), 0)
        self._refs = ValueIndex(named, lambda identity: identity.refs)
        self._owners = ValueIndex(named, lambda identity: {owner for owner, _ in identity.refs})
        self._others = [
            ValueIndex(named, lambda identity: _given(identity.channel)),
            ValueIndex(named, lambda identity: identity.names),
            ValueIndex(named, lambda identity: _given(identity.phone)),
            ValueIndex(named, lambda identity: _given(identity.email)),
            ValueIndex(named, lambda identity: identity.title),
        ]

    def of(self, identity: GuestIdentity) -> Members:
        """Return the entries that name another guest than *identity*, which is one of theirs."""
        if not identity.is_named:
            return 0
        differ = reduce(or_, (index.differing(identity) for index in self._others), self._owners.sharing(identity))
        return differ & self._named & ~self._refs.sharing(identity)


def _given(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()
