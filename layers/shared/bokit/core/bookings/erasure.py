"""Erased guests: what of a booking goes, what is kept so that it stays the same one, and how a feed that still shows it is read.

    record ─► erase ─► dates, status, UID, nights; and a digest in place of each thing by which the booking was recognised
    feed ─► recognise ─► matched as before ─► the guest is left out of the record, its change log and the snapshot

The digests are keyed, by a key of the tenant that is kept beside them: anyone who has the whole table can test a guess. Those of
names and phones are therefore so short that many names share each one, and a guess that fits proves nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from bokit.core.bookings.names import Words, fold, is_neutral, read_title, read_words
from bokit.core.bookings.stay import ERASED, GUEST_FIELDS, Stay, entry_key, is_window, read_stay
from bokit.core.ical.entries import LATE_END, Entry, EntryKind
from bokit.core.ical.snapshot import mask_snapshot
from bokit.core.model.documents import write_time
from bokit.core.model.merge import CONFIRM
from bokit.core.model.plan import Plan
from bokit.core.model.records import FieldChange, Fields, Json, LoggedChange, Record

PERSONAL_FIELDS = (GUEST_FIELDS - {"ota"}) | {"extra"}
"""Fields that are erased: all that is about the guest. The channel of the booking is not."""
ERASE = "erase"
"""The action of the line in the change log."""
_AIRBNB = re.compile(r"HM[A-Z0-9]{8}")
_WORD_DIGITS, _PHONE_DIGITS = 3, 2
"""Hexadecimal digits of the digest of a word of a name, and of a phone's last digits: 12 and 8 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What is kept of an erased guest: no value, but digests by which the same ones are recognised."""

    key: str
    at: str
    code: str | None = None
    """In place of the reservation code; of the same shape, where that shape says whose it is."""
    reference: str | None = None
    """In place of the reference at the channel."""
    names: Words = frozenset()
    """Of the words of the guest's name, with a person's edits."""
    title: Words = frozenset()
    """Of the words of the name that the source shows."""
    phone: str | None = None
    email: str | None = None
    is_named: bool = False
    """It was a guest's, and no mere closure."""


# ── digests ──


def digest_code(key: str, code: str) -> str:
    """Return what is kept in place of a code. One of Airbnb's keeps its shape, by which it is known as one."""
    text = code.strip().upper()
    letters = base64.b32encode(_digest(key, "code", text)).decode()
    return f"HM{letters[:8]}" if _AIRBNB.fullmatch(text) else letters[:16]


def digest_words(key: str, words: Iterable[str]) -> Words:
    """Return the digests of the words of a name."""
    return frozenset(_digest(key, "word", word).hex()[:_WORD_DIGITS] for word in words)


def digest_phone(key: str, digits: str | None) -> str | None:
    """Return the digest of the last four digits of a phone."""
    return _digest(key, "phone", digits).hex()[:_PHONE_DIGITS] if digits else None


def digest_email(key: str, email: str | None) -> str | None:
    """Return the digest of an e-mail address."""
    return _digest(key, "email", email).hex()[:_WORD_DIGITS] if email else None


def _digest(key: str, use: str, text: str) -> bytes:
    return hmac.digest(key.encode(), f"{use}\0{text}".encode("utf-8", "surrogatepass"), hashlib.sha256)


def read_last_digits(fields: Fields) -> str | None:
    """Return the last four digits of the guest's phone; None where so many are not known."""
    digits = re.sub(r"\D", "", str(fields.get("phone_last4") or fields.get("phone") or ""))
    return digits[-4:] if len(digits) >= 4 else None


# ── erasing ──


def has_guest(record: Record) -> bool:
    """Return whether *record* holds anything that would be erased."""
    return bool(hidden_fields(record.remote)) or any(name in PERSONAL_FIELDS for name in record.edits)


def is_kept_too_long(record: Record, last: date) -> bool:
    """Return whether *record* ended before *last*, and has a guest; of one never erased its change log may name one."""
    if is_window(record):
        return False
    ends = max(str(values.get("check_out") or "9999") for values in (record.remote, record.fields))
    may_be_logged = ERASED not in record.memory and record.fields.get("kind") == EntryKind.RESERVATION
    return ends < last.isoformat() and (has_guest(record) or may_be_logged)


def hidden_fields(values: Fields) -> list[str]:
    """Return the names of those of *values* that are about a guest."""
    return [name for name, value in values.items() if name in PERSONAL_FIELDS and _says(name, value)]


def _says(name: str, value: Json) -> bool:
    if name == "summary":
        return not is_neutral(str(value or ""))
    if name == "extra":
        return isinstance(value, Mapping) and any(key != LATE_END for key in value)
    return value not in (None, "", [], {})


def without_guest(values: Fields) -> dict[str, Json]:
    """Return *values* without what is about a guest: a summary stays that only says that nights are taken."""
    hidden = set(hidden_fields(values))
    kept = {name: value for name, value in values.items() if name not in hidden}
    extra = values.get("extra")
    if "extra" in hidden and isinstance(extra, Mapping) and LATE_END in extra:
        kept["extra"] = {LATE_END: extra[LATE_END]}
    return kept


def erase_record(record: Record, key: str, at: datetime) -> Record:
    """Return *record* without its guest, and with what it is recognised by from now on."""
    edits = {name: edit for name, edit in record.edits.items() if name not in PERSONAL_FIELDS}
    memory = {name: value for name, value in record.memory.items() if name != CONFIRM}
    kept = _write(_erase_identity(record, key, at))
    return replace(record, remote=without_guest(record.remote), edits=edits, memory={**memory, ERASED: kept})


def _erase_identity(record: Record, key: str, at: datetime) -> Erasure:
    """Return the digests of what *record* says of its guest; one that was erased before keeps what it had."""
    local, remote, before = record.fields, record.remote, read_erasure(record)
    code, reference = (str(local.get(name) or "") for name in ("reservation_code", "ota_reference"))
    email, phone = fold(local.get("email")) or None, read_last_digits(local)
    words, title = read_words(local.get("guest_name")), read_title(remote.get("guest_name"), remote.get("summary"))
    known = before or Erasure(key=key, at=write_time(at))
    return replace(
        known,
        at=write_time(at),
        code=digest_code(known.key, code) if code else known.code,
        reference=digest_code(known.key, reference) if reference else known.reference,
        names=digest_words(known.key, words) or known.names,
        title=digest_words(known.key, title) or known.title,
        phone=digest_phone(known.key, phone) or known.phone,
        email=digest_email(known.key, email) or known.email,
        is_named=known.is_named or bool(code or reference or words or title or email or phone),
    )


def read_erasure(record: Record) -> Erasure | None:
    """Return what is kept of the guest of *record*; None: it was not erased."""
    kept = record.memory.get(ERASED)
    if not kept:
        return None
    return Erasure(
        key=kept["key"],
        at=kept["at"],
        code=kept.get("code"),
        reference=kept.get("reference"),
        names=frozenset(kept.get("names", ())),
        title=frozenset(kept.get("title", ())),
        phone=kept.get("phone"),
        email=kept.get("email"),
        is_named=bool(kept.get("named")),
    )


def _write(erasure: Erasure) -> dict[str, Json]:
    document: dict[str, Json] = {
        "key": erasure.key,
        "at": erasure.at,
        "code": erasure.code,
        "reference": erasure.reference,
        "names": sorted(erasure.names),
        "title": sorted(erasure.title),
        "phone": erasure.phone,
        "email": erasure.email,
        "named": erasure.is_named,
    }
    return {name: value for name, value in document.items() if value}


def erase_change(change: LoggedChange) -> LoggedChange | None:
    """Return a line of a change log without its guest; None: it names none."""
    fields, preserved = _without_personal(change.fields), _without_personal(change.preserved)
    if len(fields) == len(change.fields) and len(preserved) == len(change.preserved):
        return None
    return replace(change, fields=fields, preserved=preserved)


def _without_personal(changes: Mapping[str, FieldChange]) -> dict[str, FieldChange]:
    def is_kept(name: str, change: FieldChange) -> bool:
        return name not in PERSONAL_FIELDS or not (_says(name, change.before) or _says(name, change.after))

    return {name: change for name, change in changes.items() if is_kept(name, change)}


# ── a feed that still shows the guest ──


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
