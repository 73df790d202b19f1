"""Exports of records: everything that is stored, in flat memory."""

from __future__ import annotations

import csv
import gc
import io
import json
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from bench.bench_export import CLIENTS, FORMS, fill, open_store
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import Record, RecordId, SourceId, new_record
from bokit.engine.records import export as exports
from bokit.engine.records.export import RecordExport
from bokit.engine.records.walk import walk_records
from bokit.errors import InputError
from bokit.values import replace
from tests.support.builders import NAUGHTY_STRINGS, NOW, an_edit


def a_client(key: str, remote: dict[str, Any], **given: Any) -> Record:
    made = new_record(RecordId("clients.x"), DEFAULT_TENANT, CLIENTS, NOW, source_id=SourceId("src_1"), key=key, remote=remote)
    return replace(made, **given)


def read_csv(*records: Record, **terms: Any) -> list[dict[str, str]]:
    with tempfile.TemporaryFile() as spool:
        text = b"".join(RecordExport(records=records, **{"with_meta": False, **terms}).write_csv(spool)).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def read_lines(*records: Record, **terms: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in RecordExport(records=records, **terms).write_ndjson()]


def test_columns_are_all_fields_that_any_record_has():
    """The id first, then the schema's, then others as they come; Bokit's own times last."""
    records = [a_client("7", {"b": 1, "zip": "00501"}), a_client("8", {"late": True, "a": None})]
    rows = read_csv(*records, schema={"properties": {"a": {}, "unused": {}}})

    assert list(rows[0]) == ["id", "a", "unused", "b", "zip", "late", "createdAt", "updatedAt", "updatedBy"]
    assert (rows[0]["b"], rows[0]["zip"], rows[0]["late"], rows[1]["late"], rows[1]["a"]) == ("1", "00501", "", "true", "")
    assert list(read_csv(schema={"properties": {"a": {}}})) == []


def test_names_that_the_document_needs_itself_are_not_lost():
    """An `id` that is not the record's, `_meta` and `_base`, with and without Bokit's own state."""
    record = a_client("7", {"id": 12, "_meta": "theirs", "_meta.version": "a name with a dot"})

    for with_meta in (True, False):
        (row,), (line,) = read_csv(record, with_meta=with_meta), read_lines(record, with_meta=with_meta)
        assert (row["id"], line["id"]) == ("7", "7")
        assert json.loads(row["_meta.shadowed"]) == line["_meta"]["shadowed"] == {"id": 12, "_meta": "theirs"}
        assert ("version" in line["_meta"]) is with_meta
    assert "_meta" not in read_lines(a_client("7", {}), with_meta=False)[0]


def test_values_are_exact():
    """Whole numbers of any size are numbers; texts of any script, and half an emoji, come back; an edit is what counts."""
    fields = {"n": 2**63 + 1, "f": 0.1, "texts": list(NAUGHTY_STRINGS), "half": "\ud800", "null": None, "edited": "old"}
    record = a_client("7", fields, edits={"edited": an_edit("new")})
    (line,) = read_lines(record)
    (row,) = read_csv(record, is_exact=True)

    assert {name: line[name] for name in fields} == {**fields, "edited": "new"}
    assert line["_meta"]["edits"]["edited"]["remote"] == "old"
    assert (row["n"], row["f"], row["half"], row["null"], row["edited"]) == (str(2**63 + 1), "0.1", "\\ud800", "", "new")


def test_formulas_are_guarded_and_counted():
    """In cells and in names of columns, unless the texts are wanted as they are; numbers never."""
    record = a_client("=7", {"=A1": "@x", "n": -5})
    with tempfile.TemporaryFile() as spool:
        export = RecordExport(records=[record], with_meta=False)
        header, line = export.write_csv(spool)

    assert header.startswith(b"id,'=A1,n,")
    assert line.startswith(b"'=7,'@x,-5,")
    assert (export.guarded, export.count) == (3, 1)
    assert read_csv(record, is_exact=True)[0]["=A1"] == "@x"


def test_too_many_columns_are_refused(monkeypatch: pytest.MonkeyPatch):
    """A table of more is none; NDJSON has no such limit."""
    monkeypatch.setattr(exports, "MAX_EXPORT_COLUMNS", 20)
    records = [a_client(str(n), {f"field_{n}": n}) for n in range(30)]

    with pytest.raises(InputError, match="export them as NDJSON"):
        read_csv(*records)
    assert len(read_lines(*records)) == 30


@pytest.mark.parametrize("form", FORMS)
def test_memory_does_not_grow_with_the_records(form: str, tmp_path: Path):
    """Six times the records, the same memory: they are read from a file a page at a time."""
    store = open_store(tmp_path / "records.db")
    (collection,) = store.load_collections(DEFAULT_TENANT)

    def peak() -> int:
        gc.collect()
        tracemalloc.start()
        try:
            records = (record for page in walk_records(store, collection) for record in page.records)
            export = RecordExport(records=records)
            with tempfile.TemporaryFile() as spool:
                lines = export.write_csv(spool) if form == "csv" else export.write_ndjson()
                size = sum(map(len, lines))
            assert export.count * 300 < size
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    fill(store, range(1200))
    small = peak()
    fill(store, range(1200, 7200))

    assert peak() < 1.2 * small
