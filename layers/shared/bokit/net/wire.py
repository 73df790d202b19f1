"""HTTP/1.1 on a socket: the bytes of a request, and a response from the bytes that come, without a copy more than needed.

    head     every line as the standard has it: split here; any other: as Python's own ``http.client`` reads it
    body     of the announced length, in chunks, or until the connection ends

Errors are those of ``http.client``.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from bokit.net.addresses import SCHEMES, Target
from bokit.net.limits import MAX_HEAD_BYTES, MAX_INTERIM_RESPONSES, MAX_LINE_BYTES, MAX_TRAILERS

RECEIVE_BYTES = 65_536
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_ILLEGAL = re.compile(r"[\r\n\0]")
_SAFE = "-._~!$&'()*+,;=:@/?"
_PLAIN_PATH = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?]+")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_HEAD_END = re.compile(rb"\n\r?\n")
_STATUS = re.compile(r"HTTP/1\.(\d+)[ \t]+([1-9]\d\d)(?:[ \t][^\r\n]*)?")
_HEX = re.compile(rb"[0-9A-Fa-f]{1,16}")
_EMPTY_LINES = (b"\r\n", b"\n")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
MAX_LENGTH_DIGITS = 18
"""Of an announced length; a longer one is beyond every cap."""

Headers = dict[str, tuple[str, str]]
"""By their names in lower case: names as they came, and values; of a name that came again the values, joined."""


def write_request(method: str, target: Target, headers: Mapping[str, str], body: bytes | str | None) -> bytes:
    """Return a request as it is sent; raises ValueError for what could be read as more than one line."""
    content = body.encode() if isinstance(body, str) else body
    path = target.path if _PLAIN_PATH.fullmatch(target.path) else encode_path(target.path)
    given = {name.lower() for name in headers}
    lines = [f"{method} {path} HTTP/1.1"]
    if "host" not in given:
        lines.append(f"Host: {_host_of(target)}")
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or _ILLEGAL.search(value):
            raise ValueError("not a header")
        lines.append(f"{name}: {value}")
    if "content-length" not in given and (content is not None or method in _WITH_BODY):
        lines.append(f"Content-Length: {len(content or b'')}")
    if not _TOKEN.fullmatch(method) or _ILLEGAL.search(path):
        raise ValueError("not a request")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (content or b"")


def encode_path(path: str) -> str:
    """Return a path and query of which every character may be sent; a ``%`` stays one where all of them begin an escape.

    >>> encode_path("/Łódź/a%2fb?q=50")
    '/%C5%81%C3%B3d%C5%BA/a%2Fb?q=50'
    """
    escaped, count = _ESCAPE.subn(lambda found: found[0].upper(), path)
    return quote(escaped, safe=_SAFE + "%" * (count == path.count("%")), errors="surrogatepass")


def _host_of(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == SCHEMES[target.scheme] else f"{host}:{target.port}"


class Input:
    """What a connection brings, read in as few calls as possible; one for each response."""

    def __init__(self, sock: socket.socket) -> None:
        self._receive = sock.recv
        self._rest, self._at = b"", 0

    @property
    def is_used(self) -> bool:
        """Return whether nothing is left of what came."""
        return self._at == len(self._rest)

    def read_head(self) -> bytes:
        """Return a head with the empty line at its end."""
        came = bytearray(self._rest[self._at :])
        searched = 0
        while not (found := _HEAD_END.search(came, searched)):
            searched = max(0, len(came) - 2)
            if not b"HTTP/".startswith(came[:5]):
                raise http.client.BadStatusLine("")
            if len(came) > MAX_HEAD_BYTES:
                raise http.client.LineTooLong("head")
            if not (more := self._receive(RECEIVE_BYTES)):
                raise http.client.IncompleteRead(b"") if came else http.client.RemoteDisconnected("")
            came += more
        self._rest, self._at = bytes(came), found.end()
        return self._rest[: self._at]

    def read(self, size: int) -> bytes:
        """Return *size* bytes; fewer where the connection ends."""
        begun, self._at = self._at, min(self._at + size, len(self._rest))
        piece = self._rest[begun : self._at]
        if len(piece) == size:
            return piece
        pieces, left = [piece], size - len(piece)
        while left and (more := self._receive(min(left, RECEIVE_BYTES))):
            pieces.append(more)
            left -= len(more)
        return b"".join(pieces)

    def read_some(self, size: int) -> bytes:
        """Return what is there, at most *size* bytes; none where the connection has ended."""
        return self._receive(size) if self.is_used else self.read(min(size, len(self._rest) - self._at))

    def read_line(self) -> bytes:
        """Return a line with its end; without one where the connection ends."""
        while (end := self._rest.find(b"\n", self._at)) < 0:
            if len(self._rest) - self._at > MAX_LINE_BYTES:
                raise http.client.LineTooLong("line")
            if not (more := self._receive(RECEIVE_BYTES)):
                break
            self._rest, self._at = self._rest[self._at :] + more, 0
        return self.read((end + 1 if end >= 0 else len(self._rest)) - self._at)


class WireResponse:
    """A response whose head has come: its status and headers, and its body as it comes."""

    def __init__(self, source: Input, method: str, version: int, status: int, headers: Headers) -> None:
        self._source, self.status, self.headers = source, status, headers
        encodings = self.header("transfer-encoding").lower().split(",")
        self._is_chunked = any(name.strip() == "chunked" for name in encodings)
        self._length = None if self._is_chunked else _read_length(self.header("content-length"))
        if status in (204, 304) or status < 200 or method == "HEAD":
            self._is_chunked, self._length = False, 0
        connection = self.header("connection").lower()
        self._closes = "close" in connection if version else "keep-alive" not in connection
        self._is_read = self._length == 0

    def header(self, name: str) -> str:
        """Return the value of a header, by its name in lower case; empty: it did not come."""
        found = self.headers.get(name)
        return found[1] if found else ""

    @property
    def may_be_followed(self) -> bool:
        """Return whether another response may come on this connection: this one was read, and its end is known."""
        is_open = not self._closes and (self._is_chunked or self._length is not None)
        return is_open and self._is_read and self._source.is_used and self.status >= 200

    def stream(self, size: int) -> Iterator[bytes]:
        """Yield the body in pieces of at most *size* bytes; raises IncompleteRead where it is cut short."""
        if self._is_chunked:
            yield from self._stream_chunks(size)
        elif self._length is None:
            while piece := self._source.read_some(size):
                yield piece
        else:
            yield from self._stream_length(self._length, size)
        self._is_read = True

    def _stream_length(self, length: int, size: int) -> Iterator[bytes]:
        while length:
            piece = self._source.read(min(length, size))
            length -= len(piece)
            if not piece:
                raise http.client.IncompleteRead(b"", length)
            yield piece

    def _stream_chunks(self, size: int) -> Iterator[bytes]:
        while length := self._read_chunk_size():
            yield from self._stream_length(length, size)
            if self._source.read_line() not in _EMPTY_LINES:
                raise http.client.IncompleteRead(b"")
        for _ in range(MAX_TRAILERS):
            if self._source.read_line() in (*_EMPTY_LINES, b""):
                return
        raise http.client.HTTPException("too many trailers")

    def _read_chunk_size(self) -> int:
        size = self._source.read_line().partition(b";")[0].strip()
        if not _HEX.fullmatch(size):
            raise http.client.IncompleteRead(b"")
        return int(size, 16)


def read_response(sock: socket.socket, method: str) -> WireResponse:
    """Return the response to a request of this *method*, its head read; interim responses (1xx) are skipped."""
    source = Input(sock)
    for _ in range(MAX_INTERIM_RESPONSES):
        version, status, headers = _read_head(source.read_head())
        if status >= 200 or status == http.client.SWITCHING_PROTOCOLS:
            return WireResponse(source, method, version, status, headers)
    raise http.client.HTTPException("too many interim responses")


def _read_head(head: bytes) -> tuple[int, int, Headers]:
    """Return the minor version, the status and the headers of a head."""
    first, _, rest = head.partition(b"\n")
    found = _STATUS.fullmatch(first.decode("latin-1").rstrip())
    if not found:
        raise http.client.BadStatusLine("")
    headers = _split_headers(rest.decode("latin-1"))
    return min(int(found[1][:3]), 1), int(found[2]), _parse_headers(rest) if headers is None else headers


def _split_headers(text: str) -> Headers | None:
    """Return the headers where every line is a name, a colon and a value, and ends in CR LF; else None."""
    lines = text.split("\r\n")
    if len(lines) > http.client._MAXHEADERS or lines[-2:] != ["", ""]:  # type: ignore[attr-defined]
        return None
    headers: Headers = {}
    for line in lines[:-2]:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name) or _ILLEGAL.search(value):
            return None
        _add(headers, name, value)
    return headers


def _parse_headers(rest: bytes) -> Headers:
    """Return headers as Python's own reader understands them: folded, with other line ends, or with lines that are none."""
    headers: Headers = {}
    for name, value in http.client.parse_headers(io.BytesIO(rest)).items():
        _add(headers, name, str(value))
    return headers


def _add(headers: Headers, name: str, value: str) -> None:
    key, value = name.lower(), value.strip(" \t")
    headers[key] = (name, f"{headers[key][1]}, {value}") if key in headers else (name, value)


def _read_length(header: str) -> int | None:
    """Return the announced length of a body; None: none is. Raises HTTPException where two are announced."""
    lengths = {each.strip().lstrip("0") or "0" for each in header.split(",")} if header else set()
    if len(lengths) > 1:
        raise http.client.HTTPException("two lengths")
    text = next(iter(lengths), "")
    if not (text.isascii() and text.isdecimal()):
        return None
    return int(text) if len(text) <= MAX_LENGTH_DIGITS else 10**MAX_LENGTH_DIGITS
