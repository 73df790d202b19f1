"""The file of a backup: one JSON document a line. Pure: lines go in and come out, and nobody keeps all of them.

    header    {"bokit_backup": 1, "schema": 1, "scope": "stack", "made_at": "…"}
    items     {"pk": {"S": "…"}, "sk": {"S": "…"}, "doc": {"S": "…"}, …}      DynamoDB's own form, with bytes in base64
    trailer   {"sha256": "…", "counts": {"items": 7, …}}                      of all bytes before it

A file that ends early has no trailer, and one that was changed has another digest.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bokit.core.model.limits import MAX_BACKUP_LINE
from bokit.errors import InputError

FORMAT = 1
RawItem = Mapping[str, Mapping[str, Any]]
"""An item as DynamoDB's API writes it: each attribute by its name, with its type; bytes are bytes."""

_TYPES = frozenset({"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"})
_KINDS = {"TENANTS": "tenants", "HEAD": "sources", "R": "records", "EVENTS": "events", "RUNS": "runs"}


@dataclass(slots=True)
class BackupTally:
    """What a file has, as far as it was written or read: the digest of its lines, and how many items of each kind."""

    schema: int = 0
    made_at: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    digest: Any = field(default_factory=hashlib.sha256)

    def take(self, line: bytes) -> bytes:
        """Count the bytes of a line, and return it."""
        self.digest.update(line)
        return line

    def count(self, item: RawItem) -> None:
        """Count an item."""
        self.counts.update(["items", *kinds_of(item)])


def kinds_of(item: RawItem) -> list[str]:
    """Return what people call an item, for counts; nothing for what they do not see."""
    pk, sk = item["pk"]["S"].split("#"), item["sk"]["S"]
    name = pk[0] if pk[0] == "TENANTS" else pk[2] if pk[0] == "T" and len(pk) > 2 else sk.partition("#")[0]
    is_whole = "PARTS" not in pk[3:] and sk != "SEQ"
    return [_KINDS[name]] if is_whole and name in _KINDS else []


def write_lines(items: Iterable[RawItem], *, schema: int, made_at: datetime, tally: BackupTally) -> Iterator[bytes]:
    """Yield the lines of a file."""
    yield tally.take(_dump({"bokit_backup": FORMAT, "schema": schema, "scope": "stack", "made_at": made_at.isoformat()}))
    for item in items:
        tally.count(item)
        yield tally.take(_dump({name: _write_value(value) for name, value in item.items()}))
    yield _dump({"sha256": tally.digest.hexdigest(), "counts": dict(tally.counts)})


def read_lines(lines: Iterable[bytes], *, known_schema: int, tally: BackupTally) -> Iterator[RawItem]:
    """Yield the items of a file. Only its end proves it: raises InputError wherever it is not as it was written."""
    left = iter(lines)
    _read_header(next(left, b""), known_schema, tally)
    for line in left:
        document = _load(line)
        if "sha256" in document:
            _check_trailer(document, tally)
            if next(left, None) is not None:
                raise damaged("something stands behind its last line")
            return
        tally.take(line)
        item = _read_item(document)
        tally.count(item)
        yield item
    raise damaged("it ends early")


def damaged(how: str) -> InputError:
    """Return the error of a file that is not as it was written."""
    return InputError(f"the backup is damaged, and nothing was written: {how}", code="bad-backup")


def _read_header(line: bytes, known_schema: int, tally: BackupTally) -> None:
    try:
        header = json.loads(line)
        number, schema = header["bokit_backup"], header["schema"]
        newer = number > FORMAT or schema > known_schema
    except (ValueError, LookupError, TypeError) as error:
        raise InputError("this is not a backup of Bokit, or its first line is gone", code="bad-backup") from error
    if newer:
        raise InputError("a newer release of Bokit made this backup: upgrade Bokit, then restore it", code="newer-schema")
    tally.schema, tally.made_at = schema, str(header.get("made_at"))
    tally.take(line)


def _check_trailer(trailer: Mapping[str, Any], tally: BackupTally) -> None:
    if trailer["sha256"] != tally.digest.hexdigest():
        raise damaged("it was changed: its checksum is another")
    if trailer.get("counts") != dict(tally.counts):
        raise damaged("its counts are others")


def _load(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_BACKUP_LINE or not line.endswith(b"\n"):
        raise damaged("it ends within a line, or a line is too long")
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise damaged("a line is not JSON") from error
    if not isinstance(document, dict):
        raise damaged("a line is not an item")
    return document


def _read_item(document: Mapping[str, Any]) -> RawItem:
    try:
        item = {name: _read_value(value) for name, value in document.items()}
        if not all(isinstance(item[key]["S"], str) for key in ("pk", "sk")):
            raise TypeError
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise damaged("a line is not an item") from error
    return item


def _write_value(value: Mapping[str, Any]) -> dict[str, Any]:
    ((kind, inner),) = value.items()
    return {kind: _map_bytes(kind, inner, lambda raw: base64.b64encode(raw).decode(), _write_value)}


def _read_value(value: Mapping[str, Any]) -> dict[str, Any]:
    ((kind, inner),) = value.items()
    if kind not in _TYPES:
        raise TypeError
    return {kind: _map_bytes(kind, inner, lambda text: base64.b64decode(text, validate=True), _read_value)}


def _map_bytes(kind: str, inner: Any, convert: Any, within: Any) -> Any:
    """Return the value of an attribute with its bytes converted, however deep they are."""
    if kind == "B":
        return convert(inner)
    if kind == "M":
        return {name: within(value) for name, value in inner.items()}
    if kind in ("L", "BS"):
        return [within(value) if kind == "L" else convert(value) for value in inner]
    return inner


def _dump(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode() + b"\n"
