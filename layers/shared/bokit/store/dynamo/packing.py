"""Values that are stored as compressed bytes: a document, with content beside it."""

from __future__ import annotations

import json
import zlib
from datetime import datetime

from bokit.core.model.codec import dump_json, read_document, write_document
from bokit.core.model.readers import Readers
from bokit.errors import InputError
from bokit.store.limits import MAX_CHUNK_BYTES, MAX_DOCUMENT_BYTES, MAX_PACKED_BYTES
from bokit.store.protocols import PublishedDocument, Snapshot
from bokit.values import Value, replace


def pack_snapshot(snapshot: Snapshot) -> bytes:
    """Return a snapshot's memory and content, compressed as one."""
    return _pack_pair(dump_json(dict(snapshot.memory)), snapshot.content)


def unpack_snapshot(packed: bytes, version: int, *, in_parts: bool = False) -> Snapshot:
    """Return the snapshot that :func:`pack_snapshot` compressed."""
    memory, content = _unpack_pair(packed)
    return Snapshot(content=content, memory=json.loads(memory), version=version, in_parts=in_parts)


def pack_published(published: PublishedDocument) -> bytes:
    """Return a published document, compressed as one: its body unchanged, and the rest but its reads as JSON."""
    return _pack_pair(write_document(replace(published, body=b"", read_at=None, first_read_at=None, readers=())), published.body)


def unpack_published(
    packed: bytes, version: int, read_at: datetime | None = None, first_read_at: datetime | None = None
) -> PublishedDocument:
    """Return the document that :func:`pack_published` compressed."""
    document, body = _unpack_pair(packed)
    stored = read_document(PublishedDocument, document)
    return replace(stored, body=body, version=version, read_at=read_at, first_read_at=first_read_at)


class ReaderList(Value):
    """Readers, as an attribute of their own has them."""

    readers: Readers


def write_readers(readers: Readers) -> str:
    """Return the attribute that holds *readers*: the same for the same ones, since it is a condition, too."""
    return write_document(ReaderList(readers=readers))


def read_readers(stored: str | None) -> Readers:
    """Return the readers that :func:`write_readers` wrote; none where nothing is stored."""
    return read_document(ReaderList, stored).readers if stored else ()


def pack_document(document: str) -> dict[str, str | bytes]:
    """Return the attributes that hold *document*: as it is, or compressed where one item does not hold it.

    So large is a stay or a window of years whose nights each came at a time of their own, or a record of another collection
    with its edits and what they were made of. Raises InputError for one beyond all bounds.
    """
    encoded = document.encode()
    if len(encoded) <= MAX_CHUNK_BYTES:
        return {"doc": document}
    packed = zlib.compress(encoded) if len(encoded) <= MAX_DOCUMENT_BYTES else b""
    if not 0 < len(packed) <= MAX_PACKED_BYTES:
        raise InputError("too large for the store", code="too-large")
    return {"packed": packed}


def unpack_document(packed: bytes) -> str:
    """Return the document that :func:`pack_document` compressed."""
    return zlib.decompress(packed).decode()


def cut_chunks(packed: bytes, size: int = MAX_CHUNK_BYTES) -> list[bytes]:
    """Return *packed* in pieces that fit one item each; at least one."""
    return [packed[at : at + size] for at in range(0, len(packed), size)] or [b""]


def _pack_pair(document: str, content: bytes) -> bytes:
    encoded = document.encode()
    return zlib.compress(len(encoded).to_bytes(4, "big") + encoded + content)


def _unpack_pair(packed: bytes) -> tuple[str, bytes]:
    both = zlib.decompress(packed)
    end = 4 + int.from_bytes(both[:4], "big")
    return both[4:end].decode(), both[end:]
