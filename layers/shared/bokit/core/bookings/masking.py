"""Erased guests that a feed still shows: matched as before, and left out of the record, its change log and the snapshot.

``erasure`` says what is kept of them: digests, by which their entries are found here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bokit.core.bookings.erasure import (
    Erasure,
    digest_code,
    digest_email,
    digest_phone,
    digest_words,
    read_erasure,
    read_last_digits,
)
from bokit.core.bookings.names import Words, fold, is_neutral, read_title
from bokit.core.bookings.stay import ERASED, Stay, entry_key, read_stay
from bokit.core.ical.entries import LATE_END, Entry, EntryKind
from bokit.core.ical.snapshot import mask_snapshot
from bokit.core.model.plan import Plan
from bokit.core.model.records import Record
from bokit.values import replace


def recognise(stays: Sequence[Stay], entries: Sequence[Entry]) -> list[Stay]:
    """Return *stays*, the erased ones with the code and the name that *entries* show and whose digests they have.

    So they are matched as if nothing had been erased; what was not shown stays a digest, which equals no code and no name.
    """
    if not any(ERASED in stay.record.memory for stay in stays):
        return list(stays)
    readers = dict[str, _FeedNames]()
    return [_recognise(stay, entries, readers) for stay in stays]


def _recognise(stay: Stay, entries: Sequence[Entry], readers: dict[str, _FeedNames]) -> Stay:
    erasure = read_erasure(stay.record)
    if erasure is None:
        return stay
    if erasure.key not in readers:
        readers[erasure.key] = _FeedNames(erasure.key, entries)
    shown = readers[erasure.key]
    code = shown.codes.get(stay.code or "", stay.code)
    is_erased = stay.kind is EntryKind.RESERVATION and stay.record.remote.get("guest_name") is None
    words = shown.find_words(erasure.title, stay) if is_erased else None
    return replace(stay, code=code, guest_name=" ".join(sorted(words)) if words else stay.guest_name)


class _FeedNames:
    """The codes and names of a feed, by their digests under one key."""

    def __init__(self, key: str, entries: Sequence[Entry]) -> None:
        self.codes = {digest_code(key, e.reservation_code): e.reservation_code for e in entries if e.reservation_code}
        self._by_digest: dict[str, list[tuple[Entry, Words]]] = {}
        self._digest = dict[str, str]()
        for entry in entries:
            words = read_title(entry.guest_name, entry.summary)
            for word in words:
                if word not in self._digest:
                    (self._digest[word],) = digest_words(key, [word])
                self._by_digest.setdefault(self._digest[word], []).append((entry, words))

    def find_words(self, title: Words, stay: Stay) -> Words | None:
        """Return the words of the entry that has most of *title*, and what is left of *title*; None: no entry has any."""
        near = [found for digest in title for found in self._by_digest.get(digest, ())]
        if not near:
            return None

        def rank(found: tuple[Entry, Words]) -> tuple[int, bool, bool, str]:
            entry, words = found
            shared = sum(self._digest[word] in title for word in words)
            return -shared, entry_key(entry) != stay.record.key, (entry.check_in, entry.check_out) != stay.span, entry.uid

        _, words = min(near, key=rank)
        shown = {word for word in words if self._digest[word] in title}
        return frozenset(shown) | (title - {self._digest[word] for word in shown})


def is_other_guest(erasure: Erasure, entry: Entry) -> bool:
    """Return whether *entry* names a guest, and nothing of what was erased.

    It is asked where only the nights say that the entry is the erased booking.
    """
    key, remote = erasure.key, {"phone": entry.phone, "phone_last4": entry.phone_last4}
    phone, email = digest_phone(key, read_last_digits(remote)), digest_email(key, fold(entry.email) or None)
    title = digest_words(key, read_title(entry.guest_name, entry.summary))
    same = bool(title & erasure.title) or (phone and phone == erasure.phone) or (email and email == erasure.email)
    return bool(title or phone or email) and not same


def find_mask(records: Iterable[Record]) -> Callable[[Entry], Entry | None] | None:
    """Return what makes of an entry of a snapshot the same one without its guest, or None where it is of no erased record.

    None: nobody of *records* is erased.
    """
    erased = [(read_stay(record), erasure) for record in records if (erasure := read_erasure(record))]
    return _Mask(erased).mask if erased else None


def mask_content(plan: Plan, stays: Iterable[Stay], snapshot: bytes) -> bytes | None:
    """Return the *snapshot* of what was read without the guests that are erased after *plan*; None: it shows none of them."""
    known = {stay.record.id: stay.record for stay in stays if ERASED in stay.record.memory}
    known |= {action.record_id: action.after for action in plan.actions if action.record_id in known}
    mask = find_mask(known.values())
    content, count = mask_snapshot(snapshot, mask) if mask else (snapshot, 0)
    return content if count else None


class _Mask:
    """Finds the erased booking that an entry shows: by its code, else its UID or its name, with nights in common."""

    def __init__(self, erased: Sequence[tuple[Stay, Erasure]]) -> None:
        self._keys = sorted({erasure.key for _, erasure in erased})
        self._by_code = {erasure.code: erasure for _, erasure in erased if erasure.code}
        self._by_uid: dict[str, list[tuple[Stay, Erasure]]] = {}
        self._by_word: dict[tuple[str, str], list[tuple[Stay, Erasure]]] = {}
        for stay, erasure in erased:
            self._by_uid.setdefault(stay.record.key, []).append((stay, erasure))
            for word in erasure.title:
                self._by_word.setdefault((erasure.key, word), []).append((stay, erasure))

    def mask(self, entry: Entry) -> Entry | None:
        """Return *entry* without its guest; None: it is of no erased booking."""
        erasure = self._find(entry)
        return mask_entry(entry, erasure) if erasure else None

    def _find(self, entry: Entry) -> Erasure | None:
        if entry.reservation_code:
            codes = [entry.reservation_code, *(digest_code(key, entry.reservation_code) for key in self._keys)]
            if known := next((self._by_code[code] for code in codes if code in self._by_code), None):
                return known
        near = [*self._by_uid.get(entry_key(entry), ()), *self._named(entry)]
        return next((e for s, e in near if s.check_in < entry.check_out and entry.check_in < s.check_out), None)

    def _named(self, entry: Entry) -> list[tuple[Stay, Erasure]]:
        words = read_title(entry.guest_name, entry.summary)
        digests = ((key, digest_words(key, words)) for key in self._keys)
        return [
            found
            for key, title in digests
            for word in title
            for found in self._by_word.get((key, word), ())
            if title <= found[1].title or found[1].title <= title
        ]


def mask_entry(entry: Entry, erasure: Erasure) -> Entry:
    """Return *entry* as a snapshot keeps it: dates, status and UID, and digests by which it is recognised again."""
    return Entry(
        uid=entry.uid,
        recurrence_id=entry.recurrence_id,
        kind=entry.kind,
        status=entry.status,
        check_in=entry.check_in,
        check_out=entry.check_out,
        starts_at=entry.starts_at,
        ends_at=entry.ends_at,
        summary=entry.summary if is_neutral(entry.summary) else "",
        guest_name=" ".join(sorted(erasure.title)) or None,
        reservation_code=erasure.code if entry.reservation_code else None,
        ota=entry.ota,
        sequence=entry.sequence,
        extra={name: value for name, value in entry.extra.items() if name == LATE_END},
    )
