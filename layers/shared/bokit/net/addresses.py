"""Which URLs and addresses may be asked: http, https and webcal, at addresses that are public.

Any other could lead into a private network: loopback, the cloud's metadata service, a router.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from urllib.parse import SplitResult, unquote, urlsplit

from bokit.errors import AddressRefusedError
from bokit.net.limits import MAX_URL_LENGTH
from bokit.values import Value

SCHEMES = {"http": 80, "https": 443, "webcal": 443, "webcals": 443}

_REFUSED = (
    "0.0.0.0/8",  # "this network"; many systems treat it as loopback
    "10.0.0.0/8",
    "100.64.0.0/10",  # carriers' shared addresses, and a cloud's metadata service
    "127.0.0.0/8",
    "168.63.129.16/32",  # a cloud's internal services, on an address that looks public
    "169.254.0.0/16",  # link-local, and most clouds' metadata services
    "172.16.0.0/12",
    "192.0.0.0/24",  # protocol assignments
    "192.0.2.0/24",  # documentation
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and broadcast
    "2001::/23",  # protocol assignments, Teredo among them
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4, whichever IPv4 address it contains
    "2620:4f:8000::/48",  # AS112
    "3fff::/20",  # documentation
)
REFUSED_NETWORKS = tuple(ipaddress.ip_network(text) for text in _REFUSED)
GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
"""All that is assigned for global unicast; fc00::/7, fe80::/10, fec0::/10, ff00::/8, ::1 and ::a.b.c.d are outside."""
_CONTAINS_V4 = (ipaddress.IPv6Network("::ffff:0:0/96"), ipaddress.IPv6Network("64:ff9b::/96"))
"""IPv4-mapped, and NAT64 of an IPv6-only network: as public as the IPv4 address in their last 32 bits."""

_PORT = r"(?::(?P<port>[0-9]{0,5}))?"
_HOST_AND_PORT = re.compile(rf"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:@/?#%\\]+)){_PORT}")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_LOCAL_NAMES = (
    ".localhost",
    ".localdomain",
    ".local",
    ".internal",
    ".home.arpa",
    ".lan",
    ".intranet",
    ".corp",
    ".home",
    ".private",
    ".svc",
)

_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f\\]")
"""Characters that some readers of a URL drop, end it at, or take for a slash."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(address: str) -> bool:
    """Return whether *address* is public.

    Sources: IANA's special-purpose registries (RFC 6890), RFC 4291 2.5.5 and RFC 6052 for addresses that contain another.
    `is_global` alone is not enough: its answers differ between versions of Python.
    """
    parsed = _read_address(address)
    if parsed is None:
        return False
    inner = _unwrap(parsed)
    if isinstance(inner, ipaddress.IPv6Address) and inner not in GLOBAL_V6:
        return False
    return inner.is_global and not any(inner.version == net.version and inner in net for net in REFUSED_NETWORKS)


def _read_address(text: str) -> Address | None:
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


def _unwrap(address: Address) -> Address:
    """Return the IPv4 address in an IPv6 one, or the address itself."""
    if isinstance(address, ipaddress.IPv6Address) and any(address in net for net in _CONTAINS_V4):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class Target(Value, not_shown=("path", "auth")):
    """A URL that was checked: where to connect, what to request, and what may be shown of it."""

    scheme: str
    """http or https."""
    host: str
    """In ASCII and lower case; an IPv6 address without brackets."""
    port: int
    path: str
    """Path and query."""
    auth: tuple[str, str] | None = None

    @property
    def url(self) -> str:
        """Return the URL to request, without user info or fragment: a secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == SCHEMES[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """Return what credentials and headers belong to."""
        return self.scheme, self.host, self.port


def read_url(url: str, *, allow_private_addresses: bool = False) -> Target:
    """Return the target of *url*, checked without any network; raises AddressRefusedError that says what is wrong.

    webcal means https, except on a stack that allows private addresses, where a webcal URL with a port means http.
    A URL that browsers, resolvers and libraries read differently (backslashes, tabs, two @, 0177.1) is refused.
    """
    text = url.strip()
    parts = _split(text)
    if parts is None:
        raise _bad("not a URL; write https://… as the platform shows it")
    if parts.scheme not in SCHEMES:
        raise _bad("not a URL that can be fetched; write https://…, http://… or webcal://…")
    user, _, place = parts.netloc.rpartition("@")
    found = None if "@" in user else _read_place(place)
    if found is None:
        raise _bad("not a host name; write the URL as the platform shows it")
    host, written_port = found
    if not allow_private_addresses and not _may_be_public(host):
        raise AddressRefusedError("the address is not public; a deployed stack fetches public addresses only")
    scheme = _read_scheme(parts.scheme, is_local=allow_private_addresses and bool(written_port))
    port = int(written_port or SCHEMES[scheme])
    if not 0 < port < 65536:
        raise _bad("the port of a URL must be 1–65535")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme=scheme, host=host, port=port, path=path, auth=_read_auth(user))


def check_url(url: str, allow_private_addresses: bool = False) -> None:
    """Raise AddressRefusedError for a URL that is never fetched; a ``secret:`` reference is checked when it is resolved."""
    if not url.startswith("secret:"):
        read_url(url, allow_private_addresses=allow_private_addresses)


def _bad(message: str) -> AddressRefusedError:
    return AddressRefusedError(message, code="bad-url")


def _split(text: str) -> SplitResult | None:
    """Return the parts of *text*, or None if readers would differ. The library's own errors quote the URL and are dropped."""
    if len(text) > MAX_URL_LENGTH or _AMBIGUOUS.search(text):
        return None
    try:
        return urlsplit(text)
    except ValueError:
        return None


def _read_scheme(scheme: str, *, is_local: bool) -> str:
    return "http" if scheme == "http" or (scheme == "webcal" and is_local) else "https"


def _read_auth(user: str) -> tuple[str, str] | None:
    name, _, password = user.partition(":")
    return (unquote(name), unquote(password)) if user.strip(":") else None


@lru_cache(maxsize=1024)
def _read_place(place: str) -> tuple[str, str | None] | None:
    """Return host and port, as it is written, of what a URL has between user info and path: kept, for it holds no secret."""
    found = _HOST_AND_PORT.fullmatch(place)
    host = _read_host(found) if found else None
    return (host, found["port"]) if found and host is not None else None


def _read_host(found: re.Match[str]) -> str | None:
    """Return the host in ASCII, as it is resolved; None for one that a resolver would read differently."""
    if found["v6"]:
        return str(parsed) if (parsed := _read_address(found["v6"])) else None
    name = _in_ascii(found["name"])
    if name is None:
        return None
    name = name.lower().removesuffix(".")
    is_name = len(name) <= 253 and all(_LABEL.fullmatch(label) for label in name.split("."))
    return name if is_name else None


def _in_ascii(name: str) -> str | None:
    """Return an international name as browsers resolve it (UTS 46); full-width digits and dots become plain ones."""
    if name.isascii():
        return name
    import idna

    try:
        return idna.encode(name, uts46=True, std3_rules=True).decode("ascii")
    except UnicodeError:
        return None


@lru_cache(maxsize=1024)
def _may_be_public(host: str) -> bool:
    """Return whether *host* could be public, by its text: literal addresses, odd number forms, local names.

    A last label that is a number (0x7f.1, 127.1, 2130706433, 017700000001) is a disguised IPv4 address, or invalid.
    """
    last = host.rsplit(".", 1)[-1]
    if ":" in host or last.isdigit() or last.startswith("0x"):
        return is_public(host)
    return "." in host and not host.endswith(_LOCAL_NAMES)
