"""HTTP/1.1 on a socket: the bytes of a request, and a response as Python's own ``http.client`` reads it, within limits.

What ``http.client`` leaves open is closed here: how much may come, a head that is cut short, two lengths, a body that ends too
early, and what comes after it. Errors are those of ``http.client``.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from bokit.net.addresses import SCHEMES, Target
from bokit.net.limits import MAX_FRAME_BYTES, MAX_INTERIM_RESPONSES

RECEIVE_BYTES = 65_536
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_ILLEGAL = re.compile(r"[\r\n\0]")
_SAFE = "-._~!$&'()*+,;=:@/?"
_PLAIN_PATH = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?]+")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


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


class RawInput(io.RawIOBase):
    """What a socket brings, and no more than may come: ``http.client`` reads heads and trailers for as long as they come."""

    def __init__(self, sock: socket.socket) -> None:
        self._receive = sock.recv_into
        self.left = MAX_FRAME_BYTES
        """Bytes that may still come."""
        self.has_ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if self.has_ended:
            return 0
        if self.left <= 0:
            raise http.client.HTTPException("more than may come")
        count = self._receive(buffer)
        self.left -= count
        self.has_ended = not count
        return count


class Input(io.BufferedReader):
    """The same, in as few calls as possible; to ``http.client`` it is the socket and the socket's file."""

    def __init__(self, sock: socket.socket) -> None:
        self.incoming = RawInput(sock)
        super().__init__(self.incoming, RECEIVE_BYTES)

    def makefile(self, mode: str) -> Input:
        return self

    def close(self) -> None:
        """Stay open: ``http.client`` closes it at the end of each response, interim ones too."""

    def is_used(self) -> bool:
        """Return whether the connection goes on and nothing is left of what came; nothing more is received."""
        if self.incoming.has_ended:
            return False
        self.incoming.has_ended = True
        return not self.peek()


class WireResponse(http.client.HTTPResponse):
    """A response whose head has come: its status and headers, and its body as it comes."""

    def __init__(self, source: Input, method: str) -> None:
        super().__init__(source, method=method)  # type: ignore[arg-type]  # all that it does with a socket is to open its file
        self._source = source
        self.fields: dict[str, tuple[str, str]] = {}
        """By their names in lower case: names as they came, and values; of a name that came again the values, joined."""

    def begin(self) -> None:
        super().begin()
        if self._source.incoming.has_ended:
            raise http.client.IncompleteRead(b"")
        fields = self.fields
        for name, value in self.getheaders():
            key, text = name.lower(), value.strip(" \t")
            fields[key] = (name, f"{fields[key][1]}, {text}") if key in fields else (name, text)
        if len(set(map(str.strip, self.header("content-length").split(",")))) > 1:
            raise http.client.HTTPException("two lengths")
        encodings = map(str.strip, self.header("transfer-encoding").lower().split(","))
        if not self.chunked and self.length != 0 and "chunked" in encodings:
            # `http.client` knows chunks of what is not encoded otherwise
            self.chunked, self.chunk_left, self.length = True, None, None

    def header(self, name: str) -> str:
        """Return the value of a header, by its name in lower case; empty: it did not come."""
        found = self.fields.get(name)
        return found[1] if found else ""

    @property
    def may_be_followed(self) -> bool:
        """Return whether another response may come on this connection: this one was read, and its end is known."""
        is_read = self.length == 0 or (self.chunked and self.isclosed())
        return is_read and not self.will_close and self.status >= 200 and self._source.is_used()

    def stream(self, max_bytes: int) -> Iterator[bytes]:
        """Yield the body in pieces; raises HTTPException where it is cut short, or much more than *max_bytes* come."""
        self._source.incoming.left = max_bytes + MAX_FRAME_BYTES
        while self.length != 0 and (piece := self.read1(RECEIVE_BYTES)):
            yield piece
        if self.length:
            raise http.client.IncompleteRead(b"", self.length)


def read_response(sock: socket.socket, method: str) -> WireResponse:
    """Return the response to a request of this *method*, its head read; interim responses (1xx) are skipped."""
    source = Input(sock)
    for _ in range(MAX_INTERIM_RESPONSES):
        response = WireResponse(source, method)
        response.begin()
        if response.status >= 200 or response.status == http.client.SWITCHING_PROTOCOLS:
            return response
    raise http.client.HTTPException("too many interim responses")
