"""Which bookings a person means by a name, a phone, an e-mail address or a code. Pure.

ann@example.com             every text that has this address
+39 055 1234, 0551234       a phone that ends so; of one of which only the last four digits are known, these
Ann Smith                   a text with all of these words, in any order, case and accent
HMABCDEFGH                  a code or a reference, or an address of the booking with it
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bokit.core.bookings.erasure import PERSONAL_FIELDS
from bokit.core.bookings.names import Words, fold, read_words
from bokit.core.model.limits import MAX_GUEST_QUERY, MIN_GUEST_DIGITS, MIN_GUEST_QUERY
from bokit.core.model.records import Fields, Json, LoggedChange, Record
from bokit.errors import InputError
from bokit.values import Value

_CODES = ("reservation_code", "ota_reference", "reservation_url")
_PHONES = ("phone", "phone_last4")
_PHONE = re.compile(r"\+?[\d\s()./-]+")


class GuestQuery(Value):
    """Whom a person looks for, in each way in which the text can be meant."""

    text: str
    words: Words
    digits: str = ""
    """Of a phone; empty: the text is not one."""

    def find_fields(self, values: Fields) -> set[str]:
        """Return the names of those of *values* that name the guest."""
        return {name for name, value in values.items() if name in PERSONAL_FIELDS and self._names(name, value)}

    def _names(self, name: str, value: Json) -> bool:
        if value in (None, "") or isinstance(value, (bool, int)):
            return False
        if isinstance(value, Mapping):
            return any(self._names("", inner) for inner in value.values())
        if isinstance(value, Sequence) and not isinstance(value, str):
            return any(self._names(name, inner) for inner in value)
        text = fold(str(value))
        if name in _CODES:
            return text == self.text or (name == "reservation_url" and len(self.text) >= MIN_GUEST_DIGITS and self.text in text)
        if self.digits and _has_digits(text, self.digits, is_whole=name in _PHONES):
            return True
        if "@" in self.text:
            return self.text in text
        return bool(self.words) and self.words <= read_words(text)


def _has_digits(text: str, digits: str, *, is_whole: bool) -> bool:
    """Return whether a phone in *text* ends as *digits* do; leading zeros and country codes differ from one to the other."""
    found = [text] if is_whole else _PHONE.findall(text)
    known = (re.sub(r"\D", "", one) for one in found)
    return any(
        len(one) >= MIN_GUEST_DIGITS and (one.endswith(digits.lstrip("0")) or digits.endswith(one.lstrip("0"))) for one in known
    )


def read_query(text: str) -> GuestQuery:
    """Return whom *text* means; raises InputError for one that says too little."""
    folded = " ".join(fold(text).split())
    if not MIN_GUEST_QUERY <= len(folded) <= MAX_GUEST_QUERY:
        message = f"write a name, a phone, an e-mail address or a code, of {MIN_GUEST_QUERY} to {MAX_GUEST_QUERY} characters"
        raise InputError(message, code="bad-field", field="who")
    is_phone = _PHONE.fullmatch(folded) is not None
    digits = re.sub(r"\D", "", folded) if is_phone else ""
    if is_phone and len(digits.lstrip("0")) < MIN_GUEST_DIGITS:
        raise InputError(f"a phone has at least {MIN_GUEST_DIGITS} digits", code="bad-field", field="who")
    words = frozenset() if is_phone or "@" in folded else read_words(folded)
    return GuestQuery(text=folded, words=words, digits=digits)


def find_in_record(query: GuestQuery, record: Record) -> set[str]:
    """Return the fields of *record* that name the guest: as its source shows them, as a person edited them, or before that."""
    bases = {name: edit.base for name, edit in record.edits.items()}
    edits = {name: edit.value for name, edit in record.edits.items()}
    return {name for values in (record.remote, edits, bases) for name in query.find_fields(values)}


def find_in_changes(query: GuestQuery, changes: Iterable[LoggedChange]) -> set[str]:
    """Return the fields in which lines of a change log name the guest."""
    return {name for change in changes for values in _values_of(change) for name in query.find_fields(values)}


def _values_of(change: LoggedChange) -> Iterator[dict[str, Json]]:
    for changed in (change.fields, change.preserved):
        yield {name: field.before for name, field in changed.items()}
        yield {name: field.after for name, field in changed.items()}
