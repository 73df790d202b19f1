"""Look up an item by id, or by an unambiguous name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from bokit.errors import InputError, UnknownIdError


class Named(Protocol):
    """An item with an id and a name."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


def find_named(items: Iterable[T], word: str, what: str) -> T:
    """Return the item whose id, or only name, is *word*; raise UnknownIdError, or InputError that lists the ids.

    An id wins over a name; of names that differ in case alone, the exact one wins.
    """
    folded, known = word.casefold(), list(items)
    ranks = (
        [i for i in known if i.id == word],
        [i for i in known if i.name == word],
        [i for i in known if i.name.casefold() == folded],
    )
    found = next(filter(None, ranks), [])
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(item.id for item in found)
        raise InputError(f"several {what}s have this name; write the id", code="ambiguous-name", name=word, ids=ids)
    raise UnknownIdError(f"no such {what}; `bokit {what} list` shows them", id=word)
