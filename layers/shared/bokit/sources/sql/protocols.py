"""What the engine asks of a database of tables: to be opened, and to be read in one consistent snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from bokit.core.model.catalog import Source
from bokit.core.tables.chunks import KeyRange
from bokit.core.tables.spec import TableSettings, TableSpec
from bokit.core.tables.values import Key, SeenRow


class Tables(Protocol):
    """A database, open for reading: all that is asked shows one moment."""

    def check(self, table: TableSpec) -> Mapping[str, str]:
        """Return what each record field's column holds ("integer", "text" …), or raise SourceMalformedError.

        Raised before the first row: a missing table or column, a key that is none, a key that two rows share.
        """
        ...

    def read_rows(self, table: TableSpec, keys: KeyRange, since: Any = None) -> Iterator[SeenRow]:
        """Return the rows of a key range, in the database's order; with *since*, those updated from then on."""
        ...

    def find_keys(self, table: TableSpec, keys: Sequence[Key]) -> set[Key]:
        """Return those of *keys* of which there is a row."""
        ...

    def find_mark(self, table: TableSpec) -> Any:
        """Return the latest updated-at value that does not lie in the future; None: there is none."""
        ...


class TableReader(Protocol):
    """Opens databases."""

    def open(self, source: Source, settings: TableSettings) -> AbstractContextManager[Tables]:
        """Open the database of *source*, in one consistent read-only snapshot.

        Raises AddressRefusedError, SourceUnavailableError, SourceRefusedError (credentials, an account that can write) and
        SourceMalformedError. No message holds the URL.
        """
        ...
