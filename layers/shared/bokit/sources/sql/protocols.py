"""What the engine asks of a SQL database: to be opened, and read in one consistent snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from bokit.core.model.catalog import Source
from bokit.core.tables.chunks import KeyRange
from bokit.core.tables.spec import TableSettings, TableSpec
from bokit.core.tables.values import KeyValues, SeenRow


class DatabaseSnapshot(Protocol):
    """A database, open for reading: every answer shows the same moment."""

    def check_table(self, table: TableSpec) -> Mapping[str, str]:
        """Return what each record field's column holds ("integer", "text" …).

        Raises SourceMalformedError where a table or column is missing, or the key is none: a column that cannot be one, or
        a value that two rows share.
        """
        ...

    def fetch_rows(self, table: TableSpec, keys: KeyRange, since: Any = None) -> Iterator[SeenRow]:
        """Return the rows of a key range, in the database's order; with *since*, those updated from then on."""
        ...

    def fetch_existing_keys(self, table: TableSpec, keys: Sequence[KeyValues]) -> set[KeyValues]:
        """Return those of *keys* that have a row."""
        ...

    def fetch_watermark(self, table: TableSpec) -> Any:
        """Return the latest updated-at value that is not in the future, or None."""
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
