"""Bodies of responses: read whole, decoded, and never larger than allowed, whatever length the server announces."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable

from bokit.errors import SourceMalformedError, SourceUnavailableError
from bokit.net.limits import MAX_BODY_PIECES
from bokit.net.wire import WireResponse

_NO_ENCODINGS = frozenset({"", "identity", "none", "binary", "7bit", "8bit", "text"})
_CHARSET = re.compile(r"(?:utf-?(?:8|16)|us-ascii|ascii|iso-?8859-\d{1,2}|latin-?1|windows-125\d|cp125\d)")
_GZIP_START = b"\x1f\x8b"
_GZIP, _DEFLATE = frozenset({"gzip", "x-gzip"}), "deflate"


def read_body(response: WireResponse, max_bytes: int) -> bytes:
    """Return the decoded body; raises if it is (or is announced) larger than *max_bytes*, is cut short, or is wrongly encoded."""
    if (response.length or 0) > max_bytes:
        raise _too_large(max_bytes)
    decoder = _Decoder(_read_encoding(response.header("content-encoding")))
    parts, taken, size = [], 0, 0
    for pieces, raw in enumerate(response.stream(max_bytes)):
        part = decoder.feed(raw, max_bytes + 1 - size)
        taken, size = taken + len(raw), size + len(part)
        if max(taken, size) > max_bytes or pieces >= MAX_BODY_PIECES:
            raise _too_large(max_bytes)
        parts.append(part)
    parts.append(decoder.finish())
    if not decoder.is_whole:
        raise SourceUnavailableError("the response was cut short; Bokit will retry", code="truncated")
    return b"".join(parts) if len(parts) > 2 or parts[-1] else parts[0]


def _too_large(max_bytes: int) -> SourceMalformedError:
    return SourceMalformedError("the response is too large", code="too-large", max_bytes=max_bytes)


def _read_encoding(header: str) -> str:
    """Return what a Content-Encoding means: ``gzip``, ``deflate`` or nothing; a chain of encodings is a bomb.

    Only gzip is requested. Some servers write a character set, or "no encoding", into the header.
    """
    names = [name.strip().lower() for name in header.split(",")]
    found = [name for name in names if name not in _NO_ENCODINGS and not _CHARSET.fullmatch(name)]
    if not found:
        return ""
    if len(found) == 1 and found[0] in _GZIP:
        return "gzip"
    if found == [_DEFLATE]:
        return _DEFLATE
    raise SourceMalformedError("the response has an encoding that was not requested", code="bad-encoding")


class _Decoder:
    """Decodes a body by its first two bytes, since headers are often wrong.

    announced    first bytes           the body
    any          of gzip               gzip: some servers send a stored file, and do not say so
    gzip         others                as it is: some servers announce what they do not do
    deflate      of zlib               zlib
    deflate      others                deflate without zlib's header, as some servers understand the standard
    nothing      others                as it is
    """

    def __init__(self, encoding: str) -> None:
        self._encoding, self._waiting = encoding, b""
        self._is_chosen = False
        self._inner: _Gunzip | _Inflate | None = None

    @property
    def is_whole(self) -> bool:
        """Return whether the body ends where its encoding does."""
        return self._inner is None or self._inner.is_whole

    def feed(self, raw: bytes, max_bytes: int) -> bytes:
        """Return what *raw* adds, of an encoded body at most *max_bytes*."""
        if not self._is_chosen:
            raw, self._waiting = self._waiting + raw, b""
            if len(raw) < len(_GZIP_START):
                self._waiting = raw
                return b""
            self._inner, self._is_chosen = _choose_decoder(self._encoding, raw), True
        return self._inner.feed(raw, max_bytes) if self._inner else raw

    def finish(self) -> bytes:
        """Return what is left at the end: a body that is too short to be encoded."""
        return self._waiting


def _choose_decoder(encoding: str, start: bytes) -> _Gunzip | _Inflate | None:
    if start.startswith(_GZIP_START):
        return _Gunzip()
    if encoding != _DEFLATE:
        return None
    has_header = start[0] & 0x0F == zlib.DEFLATED and int.from_bytes(start[:2], "big") % 31 == 0
    return _Inflate(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)


class _Inflate:
    """Decodes deflate, with or without zlib's header, and returns no more than requested; what follows its end is ignored."""

    def __init__(self, window_bits: int) -> None:
        self._stream = zlib.decompressobj(window_bits)

    @property
    def is_whole(self) -> bool:
        """Return whether the stream has ended."""
        return self._stream.eof

    def feed(self, raw: bytes, max_bytes: int) -> bytes:
        """Return what *raw* adds, at most *max_bytes* of it."""
        return b"" if self._stream.eof else _inflate(self._stream.decompress, raw, max_bytes)


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
    raise SourceMalformedError("the response is compressed wrongly", code="bad-encoding")
