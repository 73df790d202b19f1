"""Erased guests: what of a booking goes, and what is kept so that it stays the same one.

    record ─► erase ─► dates, status, UID, nights; and a digest in place of each thing by which the booking was recognised
    feed ─► ``masking`` ─► matched as before ─► the guest is left out of the record, its change log and the snapshot

The digests are keyed, by a key of the tenant that is kept beside them: anyone who has the whole table can test a guess. Those of
names and phones are therefore so short that many names share each one, and a guess that fits proves nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime

from bokit.core.bookings.names import Words, fold, is_neutral, read_title, read_words
from bokit.core.bookings.stay import ERASED, GUEST_FIELDS, is_window
from bokit.core.ical.entries import LATE_END, EntryKind
from bokit.core.model.documents import write_time
from bokit.core.model.merge import CONFIRM
from bokit.core.model.records import FieldChange, Fields, Json, LoggedChange, Record
from bokit.values import Value, replace

PERSONAL_FIELDS = (GUEST_FIELDS - {"ota"}) | {"extra"}
"""Fields that are erased: all that is about the guest. The channel of the booking is not."""
ERASE = "erase"
"""The action of the line in the change log."""
_AIRBNB = re.compile(r"HM[A-Z0-9]{8}")
_WORD_DIGITS, _PHONE_DIGITS = 3, 2
"""Hexadecimal digits of the digest of a word of a name, and of a phone's last digits: 12 and 8 bits."""


class Erasure(Value):
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
    given = fields.get("phone_last4") or fields.get("phone")
    digits = re.sub(r"\D", "", str(given)) if given else ""
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
