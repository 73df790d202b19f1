"""Find what a person names: units by id or name, bookings by id or the short one that tables show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bokit_cli.session import Session

if TYPE_CHECKING:
    from bokit.core.model.catalog import UnitId
    from bokit.core.model.records import Record

MIN_ID_LENGTH = 4  # characters of an id that are enough to find it


def find_units(session: Session, unit: str | None) -> dict[UnitId, str]:
    """Return the full names of the unit that *unit* names, or of all, by id and in their order."""
    catalog, names = session.bokit.catalog, session.names
    found = [catalog.find_unit(session.tenant, unit)] if unit else names.sorted(catalog.list_units(session.tenant))
    return {u.id: names.of(u) for u in found}


def find_booking(session: Session, text: str) -> Record:
    """Return the booking with this id, or with the short one that tables show."""
    from bokit.core.model.catalog import BOOKINGS
    from bokit.core.model.records import RecordId
    from bokit.engine.bookings.terms import is_moved
    from bokit.errors import InputError, UnknownIdError

    if "." in text:
        return session.bokit.records.find_record(session.tenant, BOOKINGS, RecordId(text))
    records = _load(session, list(find_units(session, None))) if len(text) >= MIN_ID_LENGTH else []
    found = [r for r in records if r.id.rpartition(".")[2].startswith(text) and not is_moved(r)]
    if len(found) > 1:
        ids = ", ".join(r.id for r in found)
        raise InputError("several bookings match; write more of the id", code="ambiguous-id", ids=ids)
    if not found:
        raise UnknownIdError("no such booking; `bokit bookings --all` shows them", id=text)
    return found[0]


def _load(session: Session, units: Sequence[str]) -> list[Record]:
    from bokit.core.model.catalog import BOOKINGS
    from bokit.core.model.records import Scope

    return session.bokit.records.list_records(session.tenant, BOOKINGS, [Scope(u) for u in units])
