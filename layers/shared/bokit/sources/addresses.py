"""Which URLs and which network addresses Bokit fetches. Pure: a name is judged by what it resolves to, at the connection.

Tables instead of ``ipaddress.is_global``: that one changes between versions of Python, and lets through what is public on
paper and private in a cloud (Azure's 168.63.129.16, tunnels to any IPv4 address).
"""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from bokit.errors import AddressRefusedError

_CLOSED_V4 = tuple(IPv4Network(text) for text in (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4",
    "168.63.129.16/32",  # Azure's own services, on a public address
))  # fmt: skip
_OPEN_V6 = IPv6Network("2000::/3")
"""All that is given out to the public lies here."""
_CLOSED_V6 = tuple(IPv6Network(text) for text in (
    "2001::/23",  # Teredo and other protocols, which carry any IPv4 address
    "2001:db8::/32",
    "2002::/16",  # 6to4, likewise
    "3fff::/20",
))  # fmt: skip
_NAT64 = IPv6Network("64:ff9b::/96")
"""Where a network without IPv4 shows the public IPv4 addresses: as good as the address inside."""
_SCHEMES = {"http": 80, "https": 443}
_LOWEST_FREE_PORT = 1024
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
_LOCAL_NAME = re.compile(r"(?:^|\.)(?:localhost|localdomain|local|internal|intranet|lan|home\.arpa)\.?$")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\\]")
_LONGEST = 4096

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL that was read: where to, and (secret) what for. What is secret stays out of its repr."""

    scheme: str
    host: str
    """ASCII, in lower case; an IPv6 address without brackets."""
    port: int
    path: str = field(repr=False)
    """With the query."""
    authorization: str | None = field(default=None, repr=False)
    """From user and password, where the URL had them."""

    @property
    def origin(self) -> tuple[str, str, int]:
        """Credentials are for this alone."""
        return self.scheme, self.host.rstrip("."), self.port

    @property
    def url(self) -> str:
        """The whole URL, without user and password: a secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _SCHEMES[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    @property
    def shown(self) -> str:
        """Scheme and host: all that anybody is shown."""
        return f"{self.scheme}://{self.host}/…"


def check_url(url: str, allow_private: bool = False) -> None:
    """Raise AddressRefusedError, without any network, for a URL that can't be fetched or is private to the eye."""
    target = read_target(url, allow_private)
    if allow_private:
        return
    address = read_address(target.host)
    if _LOCAL_NAME.search(target.host) if address is None else not is_public(address):
        raise refused_address(target.host)


def show_url(url: str) -> str:
    """Return what may be shown of *url*: scheme and host.

    >>> show_url("https://user:word@Host.example/a/b.ics?s=1")
    'https://host.example/…'
    """
    try:
        return read_target(url, True).shown
    except AddressRefusedError:
        return "…"


def read_target(url: str, allow_private: bool = False) -> Target:
    """Return *url* read, or raise AddressRefusedError that says what is wrong with it.

    ``webcal`` is ``https``; on a stack that may fetch private addresses it is ``http`` where the host is loopback.
    """
    parts = _split(url)
    host = _read_host(parts)
    scheme = _read_scheme(parts.scheme, host, allow_private)
    port = _read_port(parts) or _SCHEMES[scheme]
    if not allow_private and port < _LOWEST_FREE_PORT and port not in _SCHEMES.values():
        raise _bad("the URL's port is no web server's; ports below 1024 are 80 and 443", port=port)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme=scheme, host=host, port=port, path=path, authorization=_read_user(parts))


def read_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that *host* spells, decimal, octal and hexadecimal forms included; None: it is a name.

    >>> read_address("0x7f.1"), read_address("example.org")
    (IPv4Address('127.0.0.1'), None)
    """
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host.rstrip(".")))
    except OSError:
        return None


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether *address* is one that the whole internet reaches.

    >>> is_public(ip_address("169.254.169.254")), is_public(ip_address("1.1.1.1"))
    (False, True)
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_V4)
    if address.ipv4_mapped is not None or address in _NAT64:
        return is_public(address.ipv4_mapped or IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _OPEN_V6 and not any(address in network for network in _CLOSED_V6)


def refused_address(host: str) -> AddressRefusedError:
    """Return the error of a host whose address is not public."""
    return AddressRefusedError("the URL leads to an address that is not public; give the feed's public URL", host=host)


def _split(url: str) -> SplitResult:
    if not isinstance(url, str) or not url or len(url) > _LONGEST or _FORBIDDEN.search(url):
        raise _bad("not a URL; write https://… in one piece")
    # urlsplit's own message holds the URL: no error may be chained to ours
    parts = _try(lambda: urlsplit(url))
    if parts is None or not parts.netloc:
        raise _bad("not a URL; write https://… with a host")
    return parts


def _read_scheme(scheme: str, host: str, allow_private: bool) -> str:
    if scheme in ("webcal", "webcals"):
        address = read_address(host)
        is_here = host == "localhost" or (address is not None and address.is_loopback)
        return "http" if allow_private and is_here and scheme == "webcal" else "https"
    if scheme not in _SCHEMES:
        raise _bad("the URL's scheme is not fetched; write https://, http:// or webcal://", scheme=scheme[:20])
    return scheme


def _read_host(parts: SplitResult) -> str:
    host = _try(lambda: parts.hostname) or ""
    if parts.netloc.rpartition("@")[2].startswith("["):
        address = _try(lambda: IPv6Address(host))
        if address is None or address.scope_id is not None:
            raise _bad("the URL's host is no address")
        return str(address)
    if not host.isascii():
        host = _encode_name(host)
    if not host or len(host) > 253 or not _HOST.fullmatch(host):
        raise _bad("the URL's host is no name; write https://… with a host")
    return host


def _encode_name(host: str) -> str:
    import idna  # its tables cost milliseconds, and few hosts need them

    return (_try(lambda: idna.encode(host, uts46=True)) or b"").decode().lower()


def _read_port(parts: SplitResult) -> int | None:
    text = parts.netloc.rpartition("@")[2].rpartition("]")[2].partition(":")[2]
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:6]) < 65536 and len(text) < 6):
        raise _bad("the URL's port is no port; write a number from 1 to 65535, or none")
    return int(text)


def _read_user(parts: SplitResult) -> str | None:
    user, at, _ = parts.netloc.rpartition("@")
    if not at:
        return None
    name, _, password = user.partition(":")
    return "Basic " + base64.b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode()


def _try(read: Callable[[], T]) -> T | None:
    """Return what *read* returns, None where the text does not allow it: its error would tell the URL."""
    try:
        return read()
    except (ValueError, UnicodeError):
        return None


def _bad(message: str, **facts: object) -> AddressRefusedError:
    return AddressRefusedError(message, code="bad-url", **facts)
