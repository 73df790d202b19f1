"""What a backup needs of a table: its items as they are. The memory store has none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from bokit.core.model.backup_file import RawItem
from bokit.store.schema import SchemaStore


class ItemStore(SchemaStore, Protocol):
    """All items of a table."""

    def read_items(self) -> Iterator[RawItem]:
        """Yield what a backup has, with flat memory, beside others that write.

        Raises StoreConflictError where sources were added or removed meanwhile: then it is to be made again.
        """

    def has_items(self) -> bool:
        """Return whether the table holds anything but marks of its own."""

    def put_items(self, items: Iterable[RawItem]) -> None:
        """Write items over what is there, without conditions."""

    def delete_items(self) -> None:
        """Delete everything but the table's own marks."""

    def load_restore(self) -> Mapping[str, str]:
        """Return the mark of a restore that has begun and not ended; empty: there is none."""

    def save_restore(self, mark: Mapping[str, str]) -> None: ...
    def end_restore(self) -> None: ...
