"""A billing database, as a freight company has one: five reference tables, with rows that change as real ones do.

clients           a number as key, names in many languages, an updated-at column
forwarders        a code of text as key
shipping_lines    a code of four letters as key
representatives   a key of two columns: country and number
services          a UUID as key, amounts in minor units, optional notes

The rows derive from their number and a version alone, so that any test or benchmark can say what must be in the records.
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
"""Of a hundred rows."""
EPOCH = datetime(2026, 1, 1)  # noqa: DTZ001 - as a billing program writes its times: without a zone
BATCH = 5000
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
"""The tables as a source's settings have them."""


def make_row(table: str, number: int, version: int = 0) -> dict[str, Any]:
    """Return row *number* of *table*, as it is after so many changes."""
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
    id = UUID(int=random.Random(number).getrandbits(128), version=4)
    return {"id": str(id), "title": name, "price_minor": number * 100 + version, "notes": None if number % 3 else name * 2}


def _letters(number: int) -> str:
    word = ""
    for _ in range(6):
        number, digit = divmod(number, 26)
        word = chr(65 + digit) + word
    return word


@dataclass
class Billing:
    """A billing database behind a URL that may write: the simulator's own, never the one that a source is given."""

    url: str
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = create_engine(self.url)

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()

    def create(self) -> None:
        """Make the five tables anew, empty."""
        METADATA.drop_all(self.engine)
        METADATA.create_all(self.engine)

    def fill(self, rows: int) -> dict[str, int]:
        """Put *rows* rows in all into the tables; return how many each has got."""
        counts = {name: rows * share // 100 for name, share in SHARES.items()}
        for name, count in counts.items():
            self.add(name, range(1, count + 1))
        return counts

    def add(self, table: str, numbers: range) -> None:
        """Add rows by number."""
        with self.engine.begin() as connection:
            for start in range(numbers.start, numbers.stop, BATCH):
                part = range(start, min(start + BATCH, numbers.stop))
                connection.execute(insert(TABLES[table]), [make_row(table, n) for n in part])

    def change(self, table: str, numbers: Iterator[int] | range, version: int = 1) -> int:
        """Change rows by number; return how many there are of them."""
        target = TABLES[table]
        keys = [c.name for c in target.primary_key.columns]
        rows = [make_row(table, n, version) for n in numbers]
        values: dict[str, Any] = {c.name: bindparam(f"new_{c.name}") for c in target.columns if c.name not in keys}
        same = and_(*(target.c[k] == bindparam(f"key_{k}") for k in keys))
        given = [{(f"key_{n}" if n in keys else f"new_{n}"): v for n, v in row.items()} for row in rows]
        with self.engine.begin() as connection:
            for start in range(0, len(given), BATCH):
                connection.execute(update(target).where(same).values(values), given[start : start + BATCH])
        return len(rows)

    def remove(self, table: str, numbers: range) -> int:
        """Delete rows by number."""
        target = TABLES[table]
        keys = [c.name for c in target.primary_key.columns]
        same = and_(*(target.c[k] == bindparam(f"key_{k}") for k in keys))
        given = [{f"key_{k}": make_row(table, n)[k] for k in keys} for n in numbers]
        with self.engine.begin() as connection:
            connection.execute(delete(target).where(same), given)
        return len(given)

    def empty(self, table: str) -> None:
        """Delete every row of a table."""
        with self.engine.begin() as connection:
            connection.execute(delete(TABLES[table]))

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        with self.engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(TABLES[table])).scalar_one())
