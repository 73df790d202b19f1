"""The number of the form in which a table's items are written, so that no former release writes to a newer table."""

from __future__ import annotations

from typing import Protocol

from bokit.errors import StoreUnreachableError

SCHEMA = 1
"""This release's. It is raised where a former release would read wrongly what this one writes (``docs/upgrade.md``)."""


class SchemaStore(Protocol):
    """The schema number of what is stored."""

    def load_schema(self) -> int | None:
        """Return the stored number, None where there is none yet; reads it once, and remembers it."""

    def raise_schema(self) -> None:
        """Store this release's number, unless it is there; raises as ``check_schema`` does."""


def check_schema(stored: int | None) -> None:
    """Raise StoreUnreachableError, which says what to do, where a newer release has written what is stored."""
    if stored is not None and stored > SCHEMA:
        message = "a newer release of Bokit has written this table, and this one may not write to it: upgrade Bokit here"
        raise StoreUnreachableError(message, code="newer-schema", schema=stored, known=SCHEMA)
