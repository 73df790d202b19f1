"""HTTP/1.1 on a socket: the bytes of a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from bokit.net.addresses import SCHEMES, Target
from bokit.wire import ILLEGAL, TOKEN

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
        if not TOKEN.fullmatch(name) or ILLEGAL.search(value):
            raise ValueError("not a header")
        lines.append(f"{name}: {value}")
    if "content-length" not in given and (content is not None or method in _WITH_BODY):
        lines.append(f"Content-Length: {len(content or b'')}")
    if not TOKEN.fullmatch(method) or ILLEGAL.search(path):
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
