"""Things are told by id, or by name where only one has it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from bokit.errors import InputError, UnknownIdError


class Named(Protocol):
    """What has an id and a name."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


def find_named(items: Iterable[T], word: str, what: str) -> T:
    """Return the item whose id, or only name, is *word*; raises UnknownIdError, or InputError that lists the ids.

    An id wins over a name; of names that differ in case alone, the exact one wins.
    """
    folded = word.casefold()
    all_items = list(items)
    ranks = (
        [i for i in all_items if i.id == word],
        [i for i in all_items if i.name == word],
        [i for i in all_items if i.name.casefold() == folded],
    )
    found = next((rank for rank in ranks if rank), [])
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(item.id for item in found)
        raise InputError(f"several {what}s have this name; write the id", code="ambiguous-name", name=word, ids=ids)
    raise UnknownIdError(f"no such {what}; `bokit {what} list` shows them", id=word)
