"""The billing database of a freight company: five reference tables with generated rows.

clients           a number as key, names in many languages, an updated-at column
forwarders        a code of text as key
shipping_lines    a code of four letters as key
representatives   a key of two columns: country and number
services          a UUID as key, amounts in minor units, optional notes

A row is a function of its number and a version, so tests and benchmarks know what the records must hold.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Engine,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    and_,
    bindparam,
    create_engine,
    delete,
    func,
    insert,
    select,
    update,
)

SHARES = {"clients": 50, "services": 20, "forwarders": 15, "representatives": 10, "shipping_lines": 5}
"""Percentage of all rows in each table."""
EPOCH = datetime(2026, 1, 1)  # noqa: DTZ001 - billing programs write times without a timezone
ROWS_PER_STATEMENT = 5000
_NAMES = (
    "Müller & Söhne",
    "Société Générale de Fret",
    "Ångström AB",
    "O'Neill Ltd",
    "北京货运",
    "Łódź Spedycja",
    "Naïve Café",
    "D'Angelo",
)
_COUNTRIES = ("AT", "BE", "CH", "DE", "ES", "FR", "GB", "IT", "NL", "PL")

METADATA = MetaData()
_TEXT = String(120)
TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        Table(
            "clients",
            METADATA,
            Column("id", Integer, primary_key=True, autoincrement=False),
            Column("raison_sociale", _TEXT, nullable=False),
            Column("email", _TEXT),
            Column("solde", Numeric(12, 2)),
            Column("actif", Boolean, nullable=False),
            Column("modifie_le", DateTime, nullable=False),
        ),
        Table(
            "forwarders",
            METADATA,
            Column("code", String(20), primary_key=True),
            Column("name", _TEXT, nullable=False),
            Column("city", _TEXT),
            Column("rating", Integer),
        ),
        Table(
            "shipping_lines",
            METADATA,
            Column("scac", String(8), primary_key=True),
            Column("name", _TEXT, nullable=False),
            Column("vessels", Integer, nullable=False),
        ),
        Table(
            "representatives",
            METADATA,
            Column("country", String(2), primary_key=True),
            Column("number", Integer, primary_key=True, autoincrement=False),
            Column("name", _TEXT, nullable=False),
            Column("phone", String(40)),
        ),
        Table(
            "services",
            METADATA,
            Column("id", String(36), primary_key=True),
            Column("title", _TEXT, nullable=False),
            Column("price_minor", BigInteger, nullable=False),
            Column("notes", Text),
        ),
    )
}

SPECS: list[dict[str, Any]] = [
    {
        "table": "clients",
        "collection": "clients",
        "key": ["id"],
        "updated_at": "modifie_le",
        "fields": {"name": "raison_sociale", "email": "email", "balance": "solde", "active": "actif"},
    },
    {"table": "forwarders", "collection": "forwarders", "key": ["code"]},
    {"table": "shipping_lines", "collection": "shipping-lines", "key": ["scac"]},
    {"table": "representatives", "collection": "representatives", "key": ["country", "number"]},
    {"table": "services", "collection": "services", "key": ["id"], "fields": {"title": "title", "price": "price_minor"}},
]
"""The tables, as in a source's settings."""


def make_row(table: str, number: int, version: int = 0) -> dict[str, Any]:
    """Return row *number* of *table* in its state *version*."""
    name = f"{_NAMES[number % len(_NAMES)]} {number}" + (f" v{version}" if version else "")
    if table == "clients":
        return {
            "id": number,
            "raison_sociale": name,
            "email": f"c{number}@clients.example" if number % 7 else None,
            "solde": Decimal(number * 37 % 100_000) / 100,
            "actif": number % 11 != 0,
            "modifie_le": EPOCH + timedelta(seconds=number, days=version),
        }
    if table == "forwarders":
        return {"code": f"fw-{number:07d}", "name": name, "city": name[::-1][:40], "rating": number % 6 or None}
    if table == "shipping_lines":
        return {"scac": _letters(number), "name": name, "vessels": number % 400}
    if table == "representatives":
        return {
            "country": _COUNTRIES[number % len(_COUNTRIES)],
            "number": number // len(_COUNTRIES),
            "name": name,
            "phone": f"+{number:011d}",
        }
    key = UUID(int=random.Random(number).getrandbits(128), version=4)
    return {"id": str(key), "title": name, "price_minor": number * 100 + version, "notes": None if number % 3 else name * 2}


def _keys(table: str) -> list[str]:
    return [column.name for column in TABLES[table].primary_key.columns]


def _matches_key(table: str) -> ColumnElement[bool]:
    return and_(*(TABLES[table].c[name] == bindparam(f"key_{name}") for name in _keys(table)))


def _letters(number: int) -> str:
    word = ""
    for _ in range(6):
        number, digit = divmod(number, 26)
        word = chr(65 + digit) + word
    return word


@dataclass
class Billing:
    """The simulator's own, writable connection to a billing database."""

    url: str
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = create_engine(self.url)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def create(self) -> None:
        """Create the five tables, empty; drop existing ones."""
        METADATA.drop_all(self.engine)
        METADATA.create_all(self.engine)

    def fill(self, rows: int) -> dict[str, int]:
        """Insert *rows* rows in total; return the number of each table."""
        counts = {name: rows * share // 100 for name, share in SHARES.items()}
        for name, count in counts.items():
            self.add(name, range(1, count + 1))
        return counts

    def add(self, table: str, numbers: range) -> None:
        """Insert rows by number."""
        with self.engine.begin() as connection:
            for start in range(numbers.start, numbers.stop, ROWS_PER_STATEMENT):
                part = range(start, min(start + ROWS_PER_STATEMENT, numbers.stop))
                connection.execute(insert(TABLES[table]), [make_row(table, n) for n in part])

    def change(self, table: str, numbers: Iterator[int] | range, version: int = 1) -> int:
        """Update rows by number; return how many."""
        target, keys, is_row = TABLES[table], _keys(table), _matches_key(table)
        rows = [make_row(table, n, version) for n in numbers]
        values: dict[str, Any] = {c.name: bindparam(f"new_{c.name}") for c in target.columns if c.name not in keys}
        given = [{(f"key_{n}" if n in keys else f"new_{n}"): v for n, v in row.items()} for row in rows]
        with self.engine.begin() as connection:
            for start in range(0, len(given), ROWS_PER_STATEMENT):
                connection.execute(update(target).where(is_row).values(values), given[start : start + ROWS_PER_STATEMENT])
        return len(rows)

    def remove(self, table: str, numbers: range) -> int:
        """Delete rows by number; return how many."""
        given = [{f"key_{k}": make_row(table, n)[k] for k in _keys(table)} for n in numbers]
        with self.engine.begin() as connection:
            connection.execute(delete(TABLES[table]).where(_matches_key(table)), given)
        return len(given)

    def empty(self, table: str) -> None:
        """Delete every row of a table."""
        with self.engine.begin() as connection:
            connection.execute(delete(TABLES[table]))

    def count(self, table: str) -> int:
        """Return the number of rows of a table."""
        with self.engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(TABLES[table])).scalar_one())
