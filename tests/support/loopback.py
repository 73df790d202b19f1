"""Keeps a process on loopback: names of other hosts are not found, and other addresses are not reached.

pytest's guard replaces methods, for as long as a test runs and in pytest alone. This one hears of each call from the interpreter
itself, so it holds in threads that outlive their test and in programs of the tests' own (``api_server``, ``api_examples``), too.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
from functools import cache
from typing import Any

LOOK_UPS = ("socket.getaddrinfo", "socket.gethostbyname")
DESTINATIONS = ("socket.connect", "socket.sendto", "socket.sendmsg")


@cache
def keep_to_loopback() -> None:
    """Refuse all else from now on, in this process; it cannot be undone."""
    sys.addaudithook(refuse)


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise the error of a machine without a network for what would leave this one."""
    if event in LOOK_UPS and not (is_loopback(arguments[0]) or read_address(arguments[0])):
        raise socket.gaierror(socket.EAI_NONAME, "tests look up no names of other hosts")
    if event in DESTINATIONS and isinstance(arguments[1], tuple) and not is_loopback(arguments[1][0]):
        raise OSError(errno.ENETUNREACH, "tests reach nothing but loopback")


def is_loopback(host: Any) -> bool:
    """Return whether a host is this machine, by its address or its name; none is."""
    name = host.decode() if isinstance(host, bytes) else host
    address = read_address(name)
    return name in (None, "", "localhost") or (address is not None and address.is_loopback)


def read_address(host: Any) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host is written as; None for a name. One within IPv6 is itself."""
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host or "")
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None) or address
