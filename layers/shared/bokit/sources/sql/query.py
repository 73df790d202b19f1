"""The only statements sent to a source's tables: SELECTs, composed here from quoted identifiers.

    SELECT key, fields FROM table WHERE (the operator's condition) AND key > … AND key <= … ORDER BY key LIMIT 1000

The database compares the keys, as its collation says, NULLs last. The condition is the operator's own text, checked by
``core.tables.spec.read_filter``: it stays one condition inside one SELECT.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import quoted_name
from sqlalchemy.types import NullType

from bokit.core.tables.chunks import KeyRange
from bokit.core.tables.spec import TableSpec
from bokit.core.tables.values import KeyValues, UnreadableValue
from bokit.sources.sql.shape import Column, TableShape, find_tombstone
from bokit.sources.sql.stamps import UpdatedColumn
from bokit.values import Value

PAGE_ROWS = 1000
EMPTY_KINDS = frozenset({"text", "padded", "any"})
"""What holds an empty text."""
Condition = sa.ColumnElement[bool]


def _quoted(name: str) -> quoted_name:
    return quoted_name(name, quote=True)


def _value(value: Any) -> sa.ColumnElement[Any]:
    """Return a bound value without a type of ours, to which the database would cast it and compare differently."""
    if isinstance(value, UnreadableValue):
        return sa.cast(sa.bindparam(None, value.raw, type_=NullType(), unique=True), sa.Text)
    return sa.bindparam(None, value, type_=NullType(), unique=True)


class Query(Value, dict=True, kw_only=False):
    """The statements about one table."""

    spec: TableSpec
    shape: TableShape
    fields: dict[str, Column]
    family: str

    @cached_property
    def names(self) -> list[str]:
        """The columns that are read, the key's first."""
        tombstone = [self.tombstone[0]] if self.tombstone else []
        return list(dict.fromkeys([*self.spec.key, *(c.name for c in self.fields.values()), *tombstone]))

    @cached_property
    def tombstone(self) -> tuple[str, str] | None:
        """The column that says that a row is deleted, and the path inside it."""
        return find_tombstone(self.spec, self.shape)

    @cached_property
    def fillable(self) -> dict[str, Column]:
        """The fields that a row may have no value in: those of columns that can be NULL, or an empty text."""
        fields = {name: column for name, column in self.fields.items() if column.name not in self.spec.key}
        return {name: column for name, column in fields.items() if column.is_nullable or column.kind in EMPTY_KINDS}

    def select_page(self, keys: KeyRange, since: Any, *, limit: int) -> sa.Select[Any]:
        """Return the SELECT of the first rows of a range; with *since*, of those updated from then on."""
        asked = self._select(*(self._shown(name) for name in self.names))
        if keys.after is not None:
            asked = asked.where(self._after(keys.after))
        if keys.until is not None:
            asked = asked.where(sa.not_(self._after(keys.until)) if self._has_nulls else self._up_to(keys.until))
        if since is not None:
            asked = asked.where(self._stamps().value >= _value(since))
        return asked.order_by(*self._order()).limit(limit)

    def select_unstamped(self, limit: int) -> sa.Select[Any]:
        """Return the SELECT of the first rows that have no time in their updated-at column."""
        asked = self._select(*(self._shown(name) for name in self.names))
        return asked.where(self._stamps().is_missing).order_by(*self._order()).limit(limit)

    def select_keys(self, keys: Sequence[KeyValues]) -> sa.Select[Any]:
        """Return the SELECT of those of *keys* that have a row."""
        wanted = sa.or_(sa.false(), *(self._equal(key) for key in keys))
        return self._select(*(self._shown(name) for name in self.spec.key)).where(wanted)

    def select_duplicates(self, limit: int) -> sa.Select[Any]:
        """Return the SELECT of the first keys that several rows share."""
        keys = [self._column(name) for name in self.spec.key]
        shown = [self._shown(name) for name in self.spec.key]
        return self._select(*shown).group_by(*keys).having(sa.func.count() > 1).limit(limit)

    def select_columns(self, names: Sequence[str], keys: KeyRange, limit: int) -> sa.Select[Any]:
        """Return the SELECT of these columns alone, of the first rows of a range."""
        asked = self._select(*(self._shown(name) for name in names)).order_by(*self._order()).limit(limit)
        return asked if keys.after is None else asked.where(self._after(keys.after))

    def select_watermark(self, at: datetime) -> sa.Select[Any]:
        """Return the SELECT of the latest updated-at value that is not in the future, where it would hide later updates."""
        stamps = self._stamps()
        return self._select(sa.func.max(stamps.value)).where(stamps.is_past(at))

    def count_filled(self) -> sa.Select[Any]:
        """Return the SELECT of the number of rows, and of those that have a value, for each fillable field."""
        counts = (sa.func.count(self._filled(column)) for column in self.fillable.values())
        return self._select(sa.func.count(), *counts)

    def count_stamps(self, at: datetime) -> sa.Select[Any]:
        """Return the SELECT of how many rows have no stamp, and how many one far in the future."""
        stamps = self._stamps()
        counted = (stamps.is_missing, stamps.is_far_ahead(at))
        return self._select(*(sa.func.sum(sa.case((condition, 1), else_=0)) for condition in counted))

    # ── parts of the statements ──

    def _filled(self, column: Column) -> sa.ColumnElement[Any]:
        """Return a column with NULL for an empty text."""
        shown = self._column(column.name)
        return sa.func.nullif(shown, sa.literal_column("''")) if column.kind in EMPTY_KINDS else shown

    @cached_property
    def _table(self) -> Any:
        schema = _quoted(self.spec.schema) if self.spec.schema else None
        return sa.table(_quoted(self.spec.table_name), schema=schema)

    def _column(self, name: str) -> sa.ColumnElement[Any]:
        return sa.column(_quoted(name), _selectable=self._table)

    def _shown(self, name: str) -> sa.ColumnElement[Any]:
        """Return a column as it is read; one of an unknown type as the database's text."""
        kind = self.shape.columns[name].kind
        if kind == "geometry":
            return sa.func.ST_AsText(self._column(name))
        if kind == "bits":
            return self._key(name)
        if kind == "single":  # as text the server rounds it to six digits; as a double it is what the column holds
            return self._column(name) + sa.literal_column("0e0")
        if kind != "other":
            return self._column(name)
        return sa.cast(self._column(name), sa.CHAR if self.family == "mysql" else sa.String)

    def _select(self, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Return the SELECT of these columns, with the operator's condition."""
        asked: sa.Select[Any] = sa.select(*columns).select_from(self._table)
        where = self.spec.where
        return asked.where(sa.text("(" + where.replace(":", "\\:") + ")")) if where else asked

    def _key(self, name: str) -> sa.ColumnElement[Any]:
        """Return a key column as it is compared. MySQL sorts an ENUM by its position, and compares it as text."""
        kind = self.shape.columns[name].kind
        if self.family == "mysql" and kind == "enum":
            return sa.cast(self._column(name), sa.CHAR)
        if kind == "bits":  # a number, not the bytes of one
            return self._column(name) + sa.literal_column("0")
        return self._column(name)

    def _stamps(self) -> UpdatedColumn:
        name = str(self.spec.updated_at)
        return UpdatedColumn(self._column(name), self.shape.columns[name], self.family, _value)

    @cached_property
    def _has_nulls(self) -> bool:
        return any(self.shape.columns[name].is_nullable for name in self.spec.key)

    def _order(self) -> list[sa.ColumnElement[Any]]:
        order: list[sa.ColumnElement[Any]] = []
        for name in self.spec.key:
            if self.shape.columns[name].is_nullable:
                order.append(self._key(name).is_(None))
            order.append(self._key(name))
        return order

    def _after(self, key: KeyValues) -> Condition:
        """Return the condition of keys after *key*: (a, b) > (x, y), written out so every database uses its index."""
        condition: Condition = sa.false()
        for name, value in reversed(list(zip(self.spec.key, key, strict=True))):
            condition = sa.or_(self._greater(name, value), sa.and_(self._same(name, value), condition))
        first = self.spec.key[0]
        if len(key) > 1 and key[0] is not None and not self.shape.columns[first].is_nullable:
            condition = sa.and_(self._key(first) >= _value(key[0]), condition)
        return condition

    def _up_to(self, key: KeyValues) -> Condition:
        """Return the condition of keys up to *key*, if no column of the key can be NULL."""
        *others, (last, value) = list(zip(self.spec.key, key, strict=True))
        condition: Condition = self._key(last) <= _value(value)
        for name, other in reversed(others):
            condition = sa.or_(self._key(name) < _value(other), sa.and_(self._same(name, other), condition))
        if others:
            condition = sa.and_(self._key(self.spec.key[0]) <= _value(key[0]), condition)
        return condition

    def _equal(self, key: KeyValues) -> Condition:
        return sa.and_(*(self._same(name, value) for name, value in zip(self.spec.key, key, strict=True)))

    def _same(self, name: str, value: Any) -> Condition:
        return self._key(name).is_(None) if value is None else self._key(name) == _value(value)

    def _greater(self, name: str, value: Any) -> Condition:
        """Return the condition of values after *value*; NULL is the last."""
        if value is None:
            return sa.false()
        more: Condition = self._key(name) > _value(value)
        return sa.or_(more, self._key(name).is_(None)) if self.shape.columns[name].is_nullable else more
