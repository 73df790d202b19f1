"""Bodies of answers: read whole, decoded, and never larger than allowed, whatever the server says of their length."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import urllib3

from bokit.errors import SourceMalformedError, SourceUnavailableError

CHUNK = 65_536
MAX_PIECES = 100_000
"""Each piece costs a few microseconds, however small it is: chunks of a byte are an attack, not a feed."""
_GZIP_START = b"\x1f\x8b"


def read_body(response: urllib3.BaseHTTPResponse, max_bytes: int) -> bytes:
    """Return the body, decoded; raises where it is, or says it is, larger than *most_bytes*, is cut short or is no gzip."""
    if _announced(response) > max_bytes:
        raise _too_large(max_bytes)
    unzip = _choose_decoder(response.headers.get("content-encoding", ""))
    body, taken = bytearray(), 0
    for pieces, raw in enumerate(response.stream(CHUNK, decode_content=False)):
        taken += len(raw)
        body += unzip.feed(raw, max_bytes + 1 - len(body)) if unzip else raw
        if max(taken, len(body)) > max_bytes or pieces >= MAX_PIECES:
            raise _too_large(max_bytes)
    if unzip and taken and not unzip.is_whole:
        raise SourceUnavailableError("the answer broke off", code="truncated")
    return bytes(body)


def _announced(response: urllib3.BaseHTTPResponse) -> int:
    told = response.headers.get("content-length", "").lstrip("0")
    return int(told[:18]) if told.isascii() and told.isdecimal() else 0


def _too_large(max_bytes: int) -> SourceMalformedError:
    return SourceMalformedError("the answer is too large", code="too-large", max_bytes=max_bytes)


def _choose_decoder(encoding: str) -> _Gunzip | None:
    """Return what decodes *encoding*; we ask for gzip alone, and chains of encodings are a bomb's."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name in ("gzip", "x-gzip"):
        return _Gunzip()
    raise SourceMalformedError("the answer is compressed in a way that was not asked for", code="bad-encoding")


class _Gunzip:
    """Undoes gzip, of one member or several, and gives no more than it is asked for."""

    def __init__(self) -> None:
        self._member = _new_member()
        self._rest = b""

    @property
    def is_whole(self) -> bool:
        """Return whether what was fed ends where a member does."""
        return self._member.eof

    def feed(self, raw: bytes, most: int) -> bytes:
        """Return what *raw* adds, at most *most* bytes of it."""
        out, raw = bytearray(), self._rest + raw
        self._rest = b""
        while raw and len(out) < most:
            if self._member.eof:
                if len(raw) < len(_GZIP_START):
                    self._rest = raw
                    break
                if not raw.startswith(_GZIP_START):
                    break  # padding, as gzip itself ignores it
                self._member = _new_member()
            out += _inflate(self._member.decompress, raw, most - len(out))
            raw = self._member.unused_data
        return bytes(out)


def _new_member() -> zlib._Decompress:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


def _inflate(decompress: Callable[[bytes, int], bytes], raw: bytes, most: int) -> bytes:
    try:
        return decompress(raw, most)
    except zlib.error:
        pass
    raise SourceMalformedError("the answer is wrongly compressed", code="bad-encoding")
