"""Names: which guest an entry or a stay names, and whether two of them may be the same guest."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

from bokit.core.bookings.limits import MIN_LABEL_USES
from bokit.core.bookings.stay import Stay
from bokit.core.ical.entries import Entry, EntryKind
from bokit.core.ical.labels import is_label

Words = frozenset[str]
"""The words of a name, without case and accents; empty: no name is known."""
NO_WORDS: Words = frozenset()
_WORD = re.compile(r"\w{2,}")


class NameVerdict(StrEnum):
    """Whether an entry and a stay name the same guest."""

    EQUAL = "equal"
    DIFFER = "differ"
    UNKNOWN = "unknown"


@lru_cache(maxsize=512)
def is_neutral(summary: str | None) -> bool:
    """Return whether *summary* only says that the nights are taken.

    >>> is_neutral("CLOSED - Not available"), is_neutral("Reserved"), is_neutral("Melanie Schmidt")
    (True, True, False)
    """
    return is_label(summary or "")


def fold(text: str | None) -> str:
    """Return *text* without case and accents."""
    given = str(text or "")
    if given.isascii():
        return given.casefold().strip()
    plain = unicodedata.normalize("NFKD", given).casefold()
    return "".join([c for c in plain if not unicodedata.combining(c)]).strip()


def read_words(name: str | None) -> Words:
    """Return the words of a name."""
    return frozenset(_WORD.findall(fold(name))) if name else NO_WORDS


def read_title(guest_name: str | None, summary: str | None) -> Words:
    """Return the words of the guest's name, or of a summary that says more than that the nights are taken."""
    return read_words(guest_name) or (frozenset() if is_neutral(summary) else read_words(summary))


class NameReader:
    """Reads names in one feed: a summary that several of its entries have is a label, not a guest."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        uses = Counter[str]()
        for summary, count in Counter(e.summary for e in entries if e.summary).items():
            uses[fold(summary)] += count
        self._labels = {summary for summary, count in uses.items() if count >= MIN_LABEL_USES}
        self._words = dict[tuple[str | None, str | None], Words]()

    def of_entry(self, entry: Entry) -> Words:
        """Return the guest's name in *entry*; a closure names none."""
        return self._read(entry.kind, entry.guest_name, entry.summary)

    def of_stay(self, stay: Stay) -> Words:
        """Return the guest's name in *stay*, as its source last wrote it."""
        return self._read(stay.kind, stay.guest_name, stay.record.remote.get("summary"))

    def _read(self, kind: EntryKind, guest_name: str | None, summary: str | None) -> Words:
        if kind is not EntryKind.RESERVATION:
            return frozenset()
        texts = guest_name, summary
        if texts not in self._words:
            self._words[texts] = read_title(guest_name, None if fold(summary) in self._labels else summary)
        return self._words[texts]

    def compare(self, stay: Stay, entry: Entry, *, same_uid: bool) -> NameVerdict:
        """Return whether *stay* and *entry* name the same guest.

        one of them names nobody                              unknown
        the same words                                        equal
        the same UID, and a word in common                    unknown: somebody completed or shortened the name
        another UID, and all words of one in the other        unknown
        else                                                  differ
        """
        mine, theirs = self.of_stay(stay), self.of_entry(entry)
        if not mine or not theirs:
            return NameVerdict.UNKNOWN
        if mine == theirs:
            return NameVerdict.EQUAL
        is_near = mine & theirs if same_uid else (mine <= theirs or theirs <= mine)
        return NameVerdict.UNKNOWN if is_near else NameVerdict.DIFFER
