"""Ports of loopback for servers of the tests' own."""

from __future__ import annotations

import socket
from random import SystemRandom

FIRST, LAST = 20_000, 32_000
"""Below the ports that the system gives to outgoing connections: none of those takes one before its server listens."""


def free_port() -> int:
    """Return a port of loopback that nobody listens on, and that hardly any other worker is about to use."""
    choose = SystemRandom()
    for _ in range(1_000):
        port = choose.randrange(FIRST, LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
