"""Export of records as CSV or NDJSON, of any number of them in flat memory.

NDJSON needs one pass. The columns of CSV are known only once every record was read, so its records go into a file first:

    store     ──read once──►  spool (a line for each record)  +  names of the fields
    spool     ──read once──►  header, lines
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from bokit.core.items.cells import guard_cell, write_cell, write_line
from bokit.core.items.edit import OWN
from bokit.core.items.planning import describe_state, split_fields
from bokit.core.model.documents import write_json
from bokit.core.model.records import Fields, Json, Record
from bokit.engine.records.limits import MAX_EXPORT_COLUMNS
from bokit.errors import InputError

META = "_meta"


@dataclass(kw_only=True)
class RecordExport:
    """One export: its terms, and what it has exported so far."""

    records: Iterable[Record]
    schema: Fields | None = None
    """Of the collection; its properties are the first columns."""
    with_meta: bool = True
    is_exact: bool = False
    """Whether CSV has texts as they are, formulas too."""
    count: int = 0
    guarded: int = 0
    """Cells that have a ``'`` before them, since a spreadsheet might run them."""
    columns: list[str] = field(default_factory=list)

    def write_ndjson(self) -> Iterator[bytes]:
        """Yield a line for each record."""
        for record in self.records:
            shown, meta = self._describe(record)
            self.count += 1
            yield (write_json({**shown, META: meta} if meta else shown) + "\n").encode()

    def write_csv(self, spool: IO[bytes]) -> Iterator[bytes]:
        """Yield the header and a line for each record, once all of them were read into *spool*, an empty file.

        Raises InputError where the records have too many different fields.
        """
        shown_names, meta_names = self._fill(spool)
        self.columns = [*shown_names, *(f"{META}.{name}" for name in meta_names)]
        yield self._write(self.columns)
        spool.seek(0)
        for line in spool:
            shown, meta = json.loads(line)
            self.count += 1
            yield self._write([*map(shown.get, shown_names), *map(meta.get, meta_names)])

    def _fill(self, spool: IO[bytes]) -> tuple[list[str], list[str]]:
        """Write the records into *spool*; return the names of their fields, and those in ``_meta``."""
        names: dict[str, None] = dict.fromkeys(["id", *(self.schema or {}).get("properties", ())])
        metas: dict[str, None] = {}
        for record in self.records:
            shown, meta = self._describe(record)
            names.update(dict.fromkeys(shown))
            metas.update(dict.fromkeys(meta))
            if len(names) > MAX_EXPORT_COLUMNS:
                message = f"the records have more than {MAX_EXPORT_COLUMNS} different fields; export them as NDJSON"
                raise InputError(message, code="too-large")
            spool.write(json.dumps([shown, meta]).encode() + b"\n")
        own = [name for name in OWN if name in names]  # they come after the record's
        return [*(name for name in names if name not in own), *own], list(metas)

    def _describe(self, record: Record) -> tuple[Mapping[str, Json], Mapping[str, Json]]:
        """Return what is exported of a record: its fields, and its state, of which nothing is lost where it is left out."""
        shown, shadowed = split_fields(record)
        meta: dict[str, Any] = {**describe_state(record)} if self.with_meta else {}
        if shadowed:
            meta["shadowed"] = shadowed
        return {"id": shown.pop("id"), **shown}, meta

    def _write(self, values: Iterable[Json]) -> bytes:
        """Return a line; of a text that no UTF-8 can hold, half an emoji, the code is written."""
        cells = [self._guard(value) if isinstance(value, str) else write_cell(value) for value in values]
        return write_line(cells).encode(errors="backslashreplace")

    def _guard(self, text: str) -> str:
        guarded = text if self.is_exact else guard_cell(text)
        self.guarded += guarded != text
        return guarded
