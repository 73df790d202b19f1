"""The values of a table's updated-at column as statements compare them: which is the latest, which rows have none.

database             compared                                          no stamp
SQLite               as a time, whatever form it is stored in:         NULL, and what is not a time
                     text (T or space, Z, an offset), numbers
MySQL, PostgreSQL    as they are                                       NULL; 0000-00-00; infinity

A stamp in the future is not the latest one, since it would hide later updates. What is stored there may be local time, or
a clock that is ahead: only what is more than a day ahead is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bokit.core.tables.values import scale_of
from bokit.sources.sql.shape import Column
from bokit.values import Value

Condition = sa.ColumnElement[bool]
Bind = Callable[[Any], sa.ColumnElement[Any]]
TIMES = ("time", "moment", "date")
AHEAD = timedelta(days=1)
_FORM = "'%Y-%m-%d %H:%M:%f'"
_SCALES = (10**11, 10**14, 10**17)
_TOMORROW = {"mysql": "current_timestamp + INTERVAL 1 DAY", "postgresql": "current_timestamp + interval '1 day'"}


class UpdatedColumn(Value, dict=True, kw_only=False):
    """The updated-at column of one table."""

    column: sa.ColumnElement[Any]
    shape: Column
    family: str
    bind: Bind

    @property
    def value(self) -> sa.ColumnElement[Any]:
        """The stamp as it is compared."""
        return _sqlite_time(self.column) if self.family == "sqlite" else self.column

    def is_past(self, at: datetime) -> Condition:
        """Return the condition of rows that are not stamped later than *at*, which is now."""
        if self.family == "sqlite":
            return self.value <= self.bind(_sqlite_text(at))
        return self.column <= sa.func.current_timestamp() if self.shape.kind in TIMES else sa.not_(self._is_ahead(at))

    def is_far_ahead(self, at: datetime) -> Condition:
        """Return the condition of rows that are stamped more than a day later than *at*."""
        if self.family == "sqlite":
            return self.value > self.bind(_sqlite_text(at + AHEAD))
        if self.shape.kind not in TIMES:
            return self._is_ahead(at + AHEAD)
        return sa.and_(self.column > sa.literal_column(_TOMORROW[self.family]), sa.not_(self.is_missing))

    @property
    def is_missing(self) -> Condition:
        """The condition of rows without a stamp."""
        if self.family == "sqlite":
            return self.value.is_(None)
        none: Condition = self.column.is_(None)
        if self.shape.kind not in TIMES:
            return none
        if self.family == "postgresql":
            return sa.or_(none, self.column == self.bind("-infinity"), self.column == self.bind("infinity"))
        return sa.or_(none, self.column < self.bind("1000-01-01"))

    def _is_ahead(self, at: datetime) -> Condition:
        """Return the condition of numbers later than *at*, in whichever unit they count."""
        seconds, ahead = int(at.timestamp()), list[Condition]()
        for low, high in zip((0, *_SCALES), (*_SCALES, None), strict=True):
            below = [] if high is None else [self.column < high]
            ahead.append(sa.and_(self.column >= low, *below, self.column > seconds * scale_of(low)))
        return sa.or_(*ahead)


def _sqlite_time(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return the expression of a stored time as text in one form, in UTC; NULL for what is not a time."""
    form: sa.ColumnElement[Any] = sa.literal_column(_FORM)
    kind = sa.func.typeof(column)
    size = sa.case(
        (column >= _SCALES[2], column / sa.literal_column("1e9")),
        (column >= _SCALES[1], column / sa.literal_column("1e6")),
        (column >= _SCALES[0], column / sa.literal_column("1e3")),
        else_=column,
    )
    # by its form alone: SQLite also takes 'now', and a bare time of day, for a time
    text = sa.and_(kind == sa.literal_column("'text'"), column.op("GLOB")(sa.literal_column("'[0-9][0-9][0-9][0-9]-*'")))
    number = kind.in_([sa.literal_column("'integer'"), sa.literal_column("'real'")])
    return sa.case(
        (text, sa.func.strftime(form, column)),
        (number, sa.func.strftime(form, size, sa.literal_column("'unixepoch'"))),
        else_=sa.null(),
    )


def _sqlite_text(at: datetime) -> str:
    """Return a time as SQLite's ``strftime`` writes it."""
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"
