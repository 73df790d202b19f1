"""Backups: everything that a table holds goes into a file, and out of it into an empty table.

    restore   the whole file is checked ──► mark ──► [what is there is deleted] ──► items that are never due
              ──► items with a due time ──► event numbers are raised ──► the mark is deleted

Each step may be done twice: after a death in the middle, the same command goes on by the mark. What is due is written last, so
the schedule, which may be running, claims nothing before all of it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote

from bokit.core.model.backup_file import BackupTally, RawItem, read_lines, write_lines
from bokit.core.model.records import TenantId
from bokit.errors import StateError
from bokit.store.schema import SCHEMA, check_schema

if TYPE_CHECKING:
    from bokit.engine.base.clock import Clock
    from bokit.store.item_protocol import ItemStore

ReadLines = Callable[[], Iterable[bytes]]
"""Opens the file, each time from its start, and returns its lines."""


class BackupService:
    """Backups of one table."""

    def __init__(self, items: ItemStore, clock: Clock, jump: Callable[[Iterable[TenantId], str], object]) -> None:
        self._items, self._clock, self._jump = items, clock, jump

    def create(self, write: Callable[[bytes], object]) -> Mapping[str, int]:
        """Write all lines of a backup; return how many items of each kind it has."""
        stored = self._items.load_schema()
        check_schema(stored)
        tally = BackupTally()
        for line in write_lines(self._items.read_items(), schema=stored or SCHEMA, made_at=self._clock(), tally=tally):
            write(line)
        return dict(tally.counts)

    def restore(self, read: ReadLines, *, replace: bool = False) -> Mapping[str, int]:
        """Write all items of a checked backup; return how many of each kind it had.

        Raises InputError, and writes nothing, where the file is not whole; StateError where the table holds other things and is
        not to be *replace*d.
        """
        check_schema(self._items.load_schema())
        tally, tenants = BackupTally(), set[TenantId]()
        for item in read_lines(read(), known_schema=SCHEMA, tally=tally):
            tenants |= _logged_tenant(item)
        stamp = tally.digest.hexdigest()
        self._begin(stamp, replace=replace)
        for is_due in (False, True):
            again = read_lines(read(), known_schema=SCHEMA, tally=BackupTally())
            self._items.put_items(item for item in again if ("due_pk" in item) is is_due)
        self._items.raise_schema()
        self._jump(sorted(tenants), stamp[:32])
        self._items.end_restore()
        return dict(tally.counts)

    def _begin(self, stamp: str, *, replace: bool) -> None:
        """Leave the table with the mark of this restore and nothing else, or with what a former try of it has written."""
        begun = self._items.load_restore()
        is_ours = begun.get("backup") == stamp
        if not is_ours and not replace:
            if begun:
                raise StateError("the restore of another backup has begun here: end that one, or delete all with `--replace`")
            if self._items.has_items():
                raise StateError("the table is not empty: restore to a new one, or delete all that it holds with `--replace`")
        if not is_ours or begun.get("step") == "delete":
            self._items.save_restore({"backup": stamp, "step": "delete"})
            self._items.delete_items()
        self._items.save_restore({"backup": stamp, "step": "write"})


def _logged_tenant(item: RawItem) -> set[TenantId]:
    """Return the tenant whose event log's counter *item* is; none of any other item."""
    parts = item["pk"]["S"].split("#")
    is_counter = item["sk"]["S"] == "SEQ" and len(parts) == 3 and (parts[0], parts[2]) == ("T", "EVENTS")
    return {TenantId(unquote(parts[1], errors="surrogatepass"))} if is_counter else set()
