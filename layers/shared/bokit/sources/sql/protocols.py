"""What the engine asks of a SQL database: to be opened, and read in one consistent snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from bokit.core.model.catalog import Source
from bokit.core.tables.chunks import KeyRange
from bokit.core.tables.spec import TableSettings, TableSpec
from bokit.core.tables.values import KeyValues, SeenRow


class DatabaseSnapshot(Protocol):
    """A database, open for reading: every answer shows the same moment."""

    def isolated(self) -> AbstractContextManager[None]:
        """Return a context in which an error leaves the snapshot as it was: the tables after it can be read."""
        ...

    def check_table(self, table: TableSpec, *, is_known: bool = False) -> Mapping[str, str]:
        """Return what each record field's column holds ("integer", "text" …).

        Raises SourceMalformedError where a table or column is missing, or the key is none: a column that cannot be one, or
        values that rows share. Of a table that *is_known*, a few such rows are each a problem of their own.
        """
        ...

    def fetch_rows(self, table: TableSpec, keys: KeyRange, since: Any = None) -> Iterator[SeenRow]:
        """Return the rows of a key range, in the database's order; with *since*, those updated from then on.

        What cannot be read of a row is among its problems.
        """
        ...

    def reading_of(self, table: TableSpec) -> str:
        """Return what identifies how rows are read: alike and of equal :meth:`fetch_raw`, they are equal rows."""
        ...

    def fetch_raw(self, table: TableSpec, keys: KeyRange) -> Iterator[bytes]:
        """Return for each row of a key range what is equal for rows that the driver returned alike, as ``SeenRow.raw``.

        It costs little: no value is converted.
        """
        ...

    def fetch_existing_keys(self, table: TableSpec, keys: Sequence[KeyValues]) -> set[KeyValues]:
        """Return those of *keys* that have a row."""
        ...

    def fetch_watermark(self, table: TableSpec, at: datetime) -> Any:
        """Return the latest updated-at value that is not in the future, or None; *at* is now."""
        ...

    def fetch_unstamped(self, table: TableSpec, limit: int) -> Sequence[SeenRow]:
        """Return the first rows without an updated-at value that is a time."""
        ...

    def count_filled(self, table: TableSpec) -> tuple[int, Mapping[str, int]]:
        """Return the number of rows, and for each field that a row may have no value in how many of them have one."""
        ...

    def count_stamps(self, table: TableSpec, at: datetime) -> tuple[int, int]:
        """Return how many rows have no updated-at value that is a time, and how many one far in the future."""
        ...


class DatabaseReader(Protocol):
    """Opens databases."""

    def open(
        self, source: Source, settings: TableSettings, seconds_left: Callable[[], float] | None = None
    ) -> AbstractContextManager[DatabaseSnapshot]:
        """Open the database of *source*, in one consistent read-only snapshot.

        No statement runs longer than *seconds_left* says that the host gives; None: than its own limit.
        Raises AddressRefusedError, SourceUnavailableError, SourceRefusedError (credentials, or an account that can write)
        and SourceMalformedError. No message holds the URL.
        """
        ...
