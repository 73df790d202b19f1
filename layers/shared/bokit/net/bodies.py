"""Bodies of responses: read whole, decoded, and never larger than allowed, whatever length the server announces."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable

import urllib3

from bokit.errors import SourceMalformedError, SourceUnavailableError
from bokit.net.limits import MAX_BODY_PIECES

CHUNK_BYTES = 65_536
_NO_ENCODINGS = frozenset({"", "identity", "none", "binary", "7bit", "8bit", "text"})
_CHARSET = re.compile(r"(?:utf-?(?:8|16)|us-ascii|ascii|iso-?8859-\d{1,2}|latin-?1|windows-125\d|cp125\d)")
_GZIP_START = b"\x1f\x8b"


def read_body(response: urllib3.BaseHTTPResponse, max_bytes: int) -> bytes:
    """Return the decoded body; raises if it is (or is announced) larger than *max_bytes*, is cut short, or is not gzip."""
    if _announced(response) > max_bytes:
        raise _too_large(max_bytes)
    unzip = _choose_decoder(response.headers.get("content-encoding", ""))
    body, taken = bytearray(), 0
    for pieces, raw in enumerate(response.stream(CHUNK_BYTES, decode_content=False)):
        if not taken and unzip is None and raw.startswith(_GZIP_START):
            unzip = _Gunzip()  # some servers send a file as it is stored, and do not say so
        taken += len(raw)
        body += unzip.feed(raw, max_bytes + 1 - len(body)) if unzip else raw
        if max(taken, len(body)) > max_bytes or pieces >= MAX_BODY_PIECES:
            raise _too_large(max_bytes)
    if unzip and taken and not unzip.is_whole:
        raise SourceUnavailableError("the response was cut short; Bokit will retry", code="truncated")
    return bytes(body)


def _announced(response: urllib3.BaseHTTPResponse) -> int:
    length = response.headers.get("content-length", "").lstrip("0")
    return int(length[:18]) if length.isascii() and length.isdecimal() else 0


def _too_large(max_bytes: int) -> SourceMalformedError:
    return SourceMalformedError("the response is too large", code="too-large", max_bytes=max_bytes)


def _choose_decoder(encoding: str) -> _Gunzip | None:
    """Return the decoder of *encoding*. Only gzip is requested; a chain of encodings is a bomb.

    Some servers write a character set, or "no encoding", into the header.
    """
    name = encoding.strip().lower()
    if name in _NO_ENCODINGS or _CHARSET.fullmatch(name):
        return None
    if name in ("gzip", "x-gzip"):
        return _Gunzip()
    raise SourceMalformedError("the response has an encoding that was not requested", code="bad-encoding")


class _Gunzip:
    """Decodes gzip, of one member or several, and returns no more than requested."""

    def __init__(self) -> None:
        self._member = _new_member()
        self._rest = b""

    @property
    def is_whole(self) -> bool:
        """Return whether the input ends where a member does."""
        return self._member.eof

    def feed(self, raw: bytes, max_bytes: int) -> bytes:
        """Return what *raw* adds, at most *max_bytes* of it."""
        out, raw = bytearray(), self._rest + raw
        self._rest = b""
        while raw and len(out) < max_bytes:
            if self._member.eof:
                if len(raw) < len(_GZIP_START):
                    self._rest = raw
                    break
                if not raw.startswith(_GZIP_START):
                    break  # padding, which gzip itself ignores too
                self._member = _new_member()
            out += _inflate(self._member.decompress, raw, max_bytes - len(out))
            raw = self._member.unused_data
        return bytes(out)


def _new_member() -> zlib._Decompress:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


def _inflate(decompress: Callable[[bytes, int], bytes], raw: bytes, max_bytes: int) -> bytes:
    try:
        return decompress(raw, max_bytes)
    except zlib.error:
        pass
    raise SourceMalformedError("the response is not valid gzip", code="bad-encoding")
