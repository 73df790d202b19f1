"""Door codes as operators read and change them. Only this has the key that opens and seals them."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Annotated, TypedDict

from bokit.core.bookings.door_codes import (
    CodeOrigin,
    Draw,
    draw_code,
    open_code,
    read_code,
    read_phone_code,
    seal_code,
)
from bokit.core.bookings.stay import ANOTHER_GUEST
from bokit.core.model.catalog import BOOKINGS, UnitId
from bokit.core.model.documents import Time, write_time
from bokit.core.model.quotas import day_of
from bokit.core.model.records import RecordId, Scope, TenantId
from bokit.core.occupancy.door_code_book import DoorCode, DoorCodeBook, DoorStay, list_sealed, replace_code, report_changes
from bokit.engine.base.clock import Clock
from bokit.engine.base.retry import retry_on_conflict
from bokit.engine.bookings.door_code_books import DoorCodeBooks, OpenBook, has_door_codes
from bokit.engine.bookings.limits import MAX_DOOR_CODE_TRIES
from bokit.engine.bookings.unit_groups import UnitGroupReader
from bokit.errors import StateError
from bokit.store.protocols import Store
from bokit.values import Value, replace


class AccessState(StrEnum):
    """Whether a stay has a code, and why not."""

    READY = "ready"
    UNSET = "unset"  # a person sets codes, and has not yet
    CONFIRM = "confirm"  # it may be another guest's stay now
    REVOKED = "revoked"  # the stay is cancelled
    ENDED = "ended"
    LOST = "lost"  # it was sealed with another secret than the stack has now


class AccessDocument(TypedDict):
    """The door code of a stay."""

    booking_id: str
    unit_id: str
    state: Annotated[
        AccessState,
        "`ready`; `unset`: a person must set it; `confirm`: it may be another guest's stay now; `revoked`: the stay is "
        "cancelled; `ended`; `lost`: it was sealed with another secret of the stack, make a new one.",
    ]
    code: Annotated[str | None, "The digits; null but where `ready`."]
    origin: Annotated[CodeOrigin | None, "How it was chosen; null: it is not."]
    valid_from: Annotated[Time | None, "Check-in, less the buffer; null where `revoked` or `ended`."]
    valid_until: Annotated[Time | None, "Check-out, and the buffer; null where `revoked` or `ended`."]
    confirm: Annotated[
        str | None,
        "What a person is asked: `may be another guest`. PATCH of the booking with `confirm` null says that it is the same one.",
    ]


NO_CODE = "only a stay that is not over has a door code; this one is cancelled or over, a closure, or repeats another booking"


class _Found(Value):
    """The booking that is asked for, in the book of its unit."""

    record_id: RecordId
    book: OpenBook
    linked: tuple[OpenBook, ...]
    """The books of the linked units, which share doors."""

    @property
    def stay(self) -> DoorStay | None:
        return self.book.find_stay(self.record_id)

    @property
    def code(self) -> DoorCode | None:
        codes = self.book.now.codes
        of_stay = self.book.now.find(self.stay) if self.stay else None
        return of_stay or next((c for c in codes.values() if self.record_id in c.records), None)

    def read_open(self) -> tuple[DoorStay, DoorCode]:
        """Return the stay with its code; raises StateError where it has none, or no longer."""
        stay, code = self.stay, self.code
        if stay is None or code is None or code.valid_until <= self.book.terms.at:
            raise StateError(NO_CODE, code="no-door-code", id=self.record_id)
        return stay, code


class DoorCodeService:
    """Shows, sets and renews door codes."""

    def __init__(self, store: Store, clock: Clock, reader: UnitGroupReader, key: Callable[[], str], draw: Draw) -> None:
        self.store, self.clock, self.reader, self.key, self.draw = store, clock, reader, key, draw
        self.books = DoorCodeBooks(store)

    def show(self, tenant: TenantId, record_id: RecordId) -> AccessDocument:
        """Return the door code of a booking; where nobody asked for it yet, it is chosen now."""
        return self._write(tenant, record_id, self._choose_first)

    def set_code(self, tenant: TenantId, record_id: RecordId, text: str) -> AccessDocument:
        """Set the code by hand; raises StateError where another stay has it, or had it less than 90 days ago."""
        wanted = read_code(text)
        return self._write(tenant, record_id, lambda found: self._set(found, wanted))

    def renew(self, tenant: TenantId, record_id: RecordId) -> AccessDocument:
        """Revoke the code, and choose another one at random; none where people set them (``access.source`` manual)."""
        return self._write(tenant, record_id, self._renew)

    def follow_all(self, tenant: TenantId) -> None:
        """Store and report what an option changed of the codes of all units."""
        for view in self.reader.load_views(tenant, [Scope(u.id) for u in self.store.load_units(tenant)], self.clock()):
            retry_on_conflict(partial(self.books.follow_again, view), MAX_DOOR_CODE_TRIES)

    def forget(self, tenant: TenantId, unit_id: UnitId) -> None:
        """Delete the door codes of a unit that is removed, those of past stays as well."""
        retry_on_conflict(lambda: self.books.remove(tenant, Scope(unit_id)), MAX_DOOR_CODE_TRIES)

    # ── within ──

    def _write(self, tenant: TenantId, record_id: RecordId, change: Callable[[_Found], DoorCodeBook]) -> AccessDocument:
        """Store what *change* makes of the book, and return the booking's code in it."""

        def attempt() -> AccessDocument:
            found = self._find(tenant, record_id)
            after = change(found)
            self.books.save(found.book, after)
            return self._describe(replace(found, book=replace(found.book, now=after)))

        return retry_on_conflict(attempt, MAX_DOOR_CODE_TRIES)

    def _find(self, tenant: TenantId, record_id: RecordId) -> _Found:
        record = self.store.load_record(tenant, BOOKINGS, record_id)
        (view,) = self.reader.load_views(tenant, [record.scope], self.clock())
        if not has_door_codes(view.group.options):
            raise StateError("door codes are off; set the option access.codes to true", code="door-codes-off")
        books = self.books.load(view)
        found = _Found(record_id=record_id, book=books[record.scope], linked=tuple(books.values()))
        if found.stay is None and found.code is None:
            raise StateError(NO_CODE, code="no-door-code", id=record_id)
        return found

    def _choose_first(self, found: _Found) -> DoorCodeBook:
        stay, code = found.stay, found.code
        is_wanted = stay and code and code.sealed is None and code.valid_until > found.book.terms.at
        if not is_wanted or not stay or not code or not found.book.terms.are_given:
            return found.book.now
        return _put(found, self._choose(found, stay, code))

    def _choose(self, found: _Found, stay: DoorStay, code: DoorCode) -> DoorCode:
        """Return *code* with the digits that the options ask for."""
        options = found.book.group.options
        length, taken = int(options["access.length"]), set(self._read_all(found))
        if options["access.source"] == "phone" and not code.former:
            digits = read_phone_code(stay.phone, length)
            if digits and digits not in taken:
                return self._seal(found, code, stay, digits, CodeOrigin.PHONE)
        drawn = draw_code(taken, length, self.draw)
        if drawn is None:
            raise StateError("every code of this length is given; raise access.length", code="no-free-code", name="access.length")
        return self._seal(found, code, stay, drawn, CodeOrigin.RANDOM)

    def _seal(self, found: _Found, code: DoorCode, stay: DoorStay, digits: str, origin: CodeOrigin) -> DoorCode:
        sealed = seal_code(digits, self.key(), _place(found.book, code.id), self.draw)
        return replace_code(code, sealed, origin, stay)

    def _read_all(self, found: _Found) -> dict[str, tuple[OpenBook, DoorCode]]:
        """Return every code that a stay of the linked units has, or had, by its digits; of two, the one that has it."""
        key, digits = self.key(), dict[str, tuple[OpenBook, DoorCode]]()
        for book in found.linked:
            for code_id, sealed in list_sealed(book.now.codes.values()):
                code, opened = book.now.codes[code_id], open_code(sealed, key, _place(book, code_id))
                if opened and (opened not in digits or sealed == code.sealed):
                    digits[opened] = book, code
        return digits

    def _set(self, found: _Found, digits: str) -> DoorCodeBook:
        stay, code = self._read_counted(found)
        book, other = self._read_all(found).get(digits, (found.book, code))
        if other.id == code.id and code.sealed and digits == self._open(found.book, code):
            same = replace(code, origin=CodeOrigin.MANUAL, guest=stay.doubted_at, is_doubted=False)
            return _put(found, same)
        after = _put(found, self._seal(found, code, stay, digits, CodeOrigin.MANUAL))
        if other.id == code.id:
            return after
        if not other.is_revoked or book.unit != found.book.unit or digits != self._open(book, other):
            message = "another stay of the unit has this door code, or had it less than 90 days ago; choose another"
            raise StateError(message, code="code-taken", id=other.records[0])
        freed = replace(other, sealed=None, origin=None)
        return report_changes(found.book.before, {**after.codes, other.id: freed}, found.book.terms)

    def _renew(self, found: _Found) -> DoorCodeBook:
        stay, code = self._read_counted(found)
        without = replace_code(code, None, None, stay)
        return _put(found, self._choose(found, stay, without) if found.book.terms.are_given else without)

    def _read_counted(self, found: _Found) -> tuple[DoorStay, DoorCode]:
        """Return the stay and its code, which a person changes: that counts as a write of the tenant."""
        stay_and_code = found.read_open()
        self.store.count_writes(found.book.group.tenant, day_of(found.book.terms.at), 1)
        return stay_and_code

    def _open(self, book: OpenBook, code: DoorCode) -> str | None:
        return open_code(code.sealed, self.key(), _place(book, code.id)) if code.sealed else None

    def _describe(self, found: _Found) -> AccessDocument:
        code, stay = found.code, found.stay
        opened = self._open(found.book, code) if code else None
        state = _judge(found, code, opened)
        has_times = code is not None and state not in (AccessState.REVOKED, AccessState.ENDED)
        return {
            "booking_id": stay.id if stay else found.record_id,
            "unit_id": found.book.unit,
            "state": state,
            "code": opened if state is AccessState.READY else None,
            "origin": code.origin if code else None,
            "valid_from": write_time(code.valid_from) if code and has_times else None,
            "valid_until": write_time(code.valid_until) if code and has_times else None,
            "confirm": ANOTHER_GUEST if state is AccessState.CONFIRM else None,
        }


def _judge(found: _Found, code: DoorCode | None, opened: str | None) -> AccessState:
    if code is None or code.valid_until <= found.book.terms.at:
        return AccessState.ENDED
    if code.is_revoked:
        return AccessState.REVOKED
    if code.is_doubted:
        return AccessState.CONFIRM
    if code.sealed is None:
        return AccessState.UNSET
    return AccessState.LOST if opened is None else AccessState.READY


def _put(found: _Found, code: DoorCode) -> DoorCodeBook:
    """Return the book with *code*, and what is to be reported of all that changed in it."""
    return report_changes(found.book.before, {**found.book.now.codes, code.id: code}, found.book.terms)


def _place(book: OpenBook, code_id: RecordId) -> str:
    return f"{book.group.tenant}/{code_id}"
