"""The tables that a database has, as the preview of a source lists them, each with the settings that fit it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from bokit.core.model.records import Json
from bokit.values import Value, field

_UPDATED = re.compile(r"(^|_)(updated|modified|changed|last_?mod|lastmodified|last_?update|mtime|maj|write_date)", re.IGNORECASE)
_DELETED = re.compile(r"^(is_?)?(deleted|removed|archived|supprime)(_?(at|on|date|flag))?$", re.IGNORECASE)
_TIMES = re.compile(r"time|date", re.IGNORECASE)


class ListedColumn(Value):
    """One column."""

    name: str
    type: str
    """As the database calls it; SQLite may have none."""
    is_nullable: bool = True


class ListedTable(Value):
    """One table or view that the account may read."""

    name: str
    """As ``table`` takes it: with its schema, unless it is the one that is looked in first."""
    is_view: bool = False
    columns: Sequence[ListedColumn] = ()
    primary: Sequence[str] = ()
    uniques: Sequence[Sequence[str]] = ()
    """Other sets of columns of which no two rows have the same."""

    @property
    def key(self) -> list[str]:
        """The columns that suit as a key; empty: none is known to identify a row."""
        nullable = {column.name for column in self.columns if column.is_nullable}
        sure = [list(names) for names in self.uniques if names and not nullable & set(names)]
        return list(self.primary) or min(sure, key=len, default=[])

    @property
    def updated_at(self) -> str | None:
        """The column that by its name and type says when a row changed; None: none does."""
        times = (column for column in self.columns if _TIMES.search(column.type) or not column.type)
        return next((column.name for column in times if _UPDATED.search(column.name)), None)

    @property
    def deleted(self) -> str | None:
        """The column that by its name says that a row is deleted; None: none does."""
        return next((column.name for column in self.columns if _DELETED.match(column.name)), None)

    def as_dict(self) -> dict[str, Json]:
        """As previews show it."""
        fitting = {"key": self.key, "updated_at": self.updated_at, "deleted": self.deleted}
        return {
            "table": self.name,
            "view": self.is_view,
            "columns": [{"name": c.name, "type": c.type, "nullable": c.is_nullable} for c in self.columns],
            "primary_key": list(self.primary),
            "unique": [list(names) for names in self.uniques],
            "suggested": {name: value for name, value in fitting.items() if value},
        }


class TableListing(Value):
    """The first tables of a database, by name."""

    tables: Sequence[ListedTable] = ()
    more: int = 0
    """How many more the account may read."""
    hidden: int = 0
    """How many there are that the account may not read, where the database says so."""
    problem: str | None = field(default=None)
    """Why the tables cannot be listed."""

    def as_dict(self) -> dict[str, Any]:
        """As previews show it."""
        shown = [table.as_dict() for table in self.tables]
        return {"tables": shown, "more": self.more, "hidden": self.hidden, "problem": self.problem}
