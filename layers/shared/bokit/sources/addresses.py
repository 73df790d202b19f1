"""Which URLs and addresses Bokit asks: http, https and webcal, and addresses that the whole internet may ask.

Everything else could be a door into somebody's private network: loopback, the cloud's metadata service, a router.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from bokit.errors import AddressRefusedError

SCHEMES = {"http": 80, "https": 443, "webcal": 443, "webcals": 443}
_MORE = (
    "100.64.0.0/10",  # carriers' shared addresses
    "168.63.129.16/32",  # a cloud's internal services, on an address that looks public
    "192.88.99.0/24",  # 6to4 relays
    "fec0::/10",  # site-local, deprecated, still routed in places
    "100::/64",
    "2001::/23",  # protocol assignments, Teredo among them
)
REFUSED = tuple(ipaddress.ip_network(text) for text in _MORE)
_WRAPPED = (
    (ipaddress.ip_network("::/96"), 0),  # IPv4-compatible, deprecated
    (ipaddress.ip_network("64:ff9b::/96"), 0),  # NAT64
    (ipaddress.ip_network("64:ff9b:1::/48"), 0),
    (ipaddress.ip_network("2002::/16"), 80),  # 6to4: the IPv4 address stands in bits 16 to 48
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(address: str) -> bool:
    """Tell whether *address* may be asked: global, unicast, and not an IPv6 form that leads to an IPv4 one which is not.

    Source: IANA's special-purpose registries, RFC 6890; RFC 4291 2.5.5, RFC 6052, RFC 3056 for the wrapped forms.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if not parsed.is_global or parsed.is_multicast or parsed.is_unspecified or parsed.is_reserved:
        return False
    if any(parsed.version == net.version and parsed in net for net in REFUSED):
        return False
    inner = _unwrap(parsed)
    return inner is None or is_public(str(inner))


def _unwrap(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped:
        return address.ipv4_mapped
    for net, shift in _WRAPPED:
        if address in net:
            return ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL, judged: what is asked, and what may be shown of it."""

    url: str
    """http or https, without user info or fragment."""
    scheme: str
    host: str
    port: int
    auth: tuple[str, str] | None = None

    @property
    def shown(self) -> str:
        """All of the URL that may be seen: scheme and host."""
        return f"{self.scheme}://{self.host}/…"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What credentials and headers belong to."""
        return self.scheme, self.host, self.port


def read_url(url: str, *, allow_private_addresses: bool = False) -> Target:
    """Return *url*, judged without asking any network; raises AddressRefusedError that says what is wrong with it.

    webcal means https, except on a stack that allows private addresses, where a URL with a port means http.
    """
    text = url.strip()
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise AddressRefusedError("not a URL; write https://… as the platform shows it", code="bad-url") from None
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES:
        raise AddressRefusedError("not a URL that is fetched; write https://…, http://… or webcal://…", code="bad-url")
    if not host or _has_odd_characters(text) or "%" in host or len(text) > 4096:
        raise AddressRefusedError("not a URL; write https://… as the platform shows it", code="bad-url")
    host = _read_host(host)
    if not allow_private_addresses and not _may_be_public(host):
        raise AddressRefusedError(
            "the address is not public; a deployed stack fetches public addresses only", code="address-refused"
        )
    local = allow_private_addresses and port is not None and scheme == "webcal"
    scheme = "http" if scheme == "http" or local else "https"
    port = port if port is not None else SCHEMES[scheme]
    auth = (parts.username, parts.password or "") if parts.username else None
    shown_host = f"[{host}]" if ":" in host else host
    netloc = shown_host if port == SCHEMES[scheme] else f"{shown_host}:{port}"
    clean = urlunsplit((scheme, netloc, parts.path or "/", parts.query, ""))
    return Target(url=clean, scheme=scheme, host=host, port=port, auth=auth)


def check_url(url: str, allow_private_addresses: bool = False) -> None:
    """Refuse a URL that would never be fetched; a ``secret:`` reference is judged when it is resolved."""
    if not url.startswith("secret:"):
        read_url(url, allow_private_addresses=allow_private_addresses)


def _has_odd_characters(text: str) -> bool:
    return any(ord(c) <= 32 or ord(c) == 127 or c in "\\" for c in text)


def _read_host(host: str) -> str:
    """Return the host in ASCII, or raise: what a resolver would read otherwise than we do is no host."""
    try:
        return host if ":" in host else host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise AddressRefusedError("not a host name; write it as the platform shows it", code="bad-url") from None


def _may_be_public(host: str) -> bool:
    """Tell whether *host* could be public, judged by its text: literal addresses, odd number forms, local names.

    A last label of digits (0x7f.1, 127.1, 2130706433, 017700000001) is an IPv4 address in disguise or nothing at all.
    """
    if ":" in host:
        return is_public(host)
    last = host.rsplit(".", 1)[-1]
    if last.isdigit() or last.lower().startswith("0x"):
        return is_public(host)
    if host == "localhost" or "." not in host:
        return False
    return not host.endswith((".localhost", ".local", ".internal", ".home.arpa", ".lan", ".intranet", ".corp", ".home"))
