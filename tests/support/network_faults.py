"""Faults of a network: servers that hang, drip, reset, lie about lengths, and send bombs; and how each ends."""

from __future__ import annotations

import gzip
import socket
import struct
import time
import zlib

from tests.support.scripted_server import Script, ok, redirect, say


def drip(head: bytes, piece: bytes = b"x") -> Script:
    """A server that says *head*, and then a byte or so now and then: no read ever hangs for long."""

    def script(sock: socket.socket, asked: bytes) -> bool:
        sock.sendall(head)
        for _ in range(100):
            time.sleep(0.05)
            sock.sendall(piece)
        return False

    return script


def reset_after(head: bytes) -> Script:
    """A server that says *head* and breaks the connection off."""

    def script(sock: socket.socket, asked: bytes) -> bool:
        sock.sendall(head)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return script


def endless(head: bytes, piece: bytes) -> Script:
    """A server that says *head*, and *piece* for ever (but no more than 64 MB)."""

    def script(sock: socket.socket, asked: bytes) -> bool:
        sock.sendall(head)
        for _ in range(64_000_000 // len(piece)):
            sock.sendall(piece)
        return False

    return script


def hang(sock: socket.socket, asked: bytes) -> bool:
    """Say nothing until the other end goes."""
    return sock.recv(1) != b""


def make_bomb(megabytes: int) -> bytes:
    """Return zeros, a thousandth of their size in gzip."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(megabytes)) + packer.flush()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GZIPPED = "Content-Encoding: gzip"
DEFLATED = "Content-Encoding: deflate"
GZIPPED_CHUNKS = CHUNKED.replace(b"\r\n", b"\r\nContent-Encoding: gzip\r\n", 1)
BOMB = make_bomb(20)
FAULTS: dict[str, tuple[Script, str]] = {
    "closes without a word": (say(then_close=True), "connection"),
    "resets without a word": (reset_after(b""), "connection"),
    "says nothing": (hang, "timeout"),
    "stops within the head": (reset_after(b"HTTP/1.1 200 OK\r\nContent-Le"), "connection"),
    "drips the status line": (drip(b"HTTP/1.1 200 O"), "timeout"),
    "drips a header": (drip(b"HTTP/1.1 200 OK\r\nX-Y: "), "timeout"),
    "drips headers": (drip(b"HTTP/1.1 200 OK\r\n", b"X-Y: z\r\n"), "timeout"),
    "drips the body": (drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"), "timeout"),
    "drips a body of unknown length": (drip(b"HTTP/1.1 200 OK\r\n\r\n"), "timeout"),
    "drips chunks": (drip(CHUNKED, b"1\r\nx\r\n"), "timeout"),
    "drips a chunk's length": (drip(CHUNKED, b"0"), "timeout"),
    "drips trailers": (drip(CHUNKED + b"1\r\nx\r\n0\r\n", b"A: b\r\n"), "timeout"),
    "drips gzip": (drip(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"x")[:10], b""), "timeout"),
    "says continue for ever": (drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "timeout"),
    "announces more than it sends": (say(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", then_close=True), "truncated"),
    "resets within the body": (reset_after(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort"), "truncated"),
    "stops within a chunk": (say(CHUNKED + b"ff\r\nshort", then_close=True), "truncated"),
    "stops between chunks": (say(CHUNKED + b"5\r\nshort\r\n", then_close=True), "truncated"),
    "stops within gzip": (say(ok(gzip.compress(b"x" * 999)[:-9], GZIPPED)), "truncated"),
    "sends an invalid chunk length": (say(CHUNKED + b"zz\r\nx\r\n"), "truncated"),
    "announces two lengths": (say(ok(b"x" * 9, "Content-Length: 4")), "bad-http"),
    "announces ten gigabytes": (say(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\nx"), "too-large"),
    "announces a thousand digits": (say(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 1000 + b"\r\n\r\nx"), "too-large"),
    "never ends": (endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536), "too-large"),
    "never ends, in chunks": (endless(CHUNKED, b"1000\r\n" + b"x" * 4096 + b"\r\n"), "too-large"),
    "sends a byte a chunk": (endless(CHUNKED, b"1\r\nx\r\n" * 5000), "too-large"),
    "sends a bomb": (say(ok(BOMB, GZIPPED)), "too-large"),
    "sends a bomb in chunks": (say(GZIPPED_CHUNKS + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BOMB), BOMB)), "too-large"),
    "sends many small bombs": (say(ok(gzip.compress(bytes(100_000)) * 100, GZIPPED)), "too-large"),
    "sends a bomb within a bomb": (say(ok(gzip.compress(BOMB), "Content-Encoding: gzip, gzip")), "bad-encoding"),
    "encodes as nobody asked": (say(ok(b"x", "Content-Encoding: br")), "bad-encoding"),
    "sends gzip that is none": (say(ok(b"\x1f\x8bBEGIN:VCALENDAR", GZIPPED)), "bad-encoding"),
    "sends deflate that is none": (say(ok(b"BEGIN:VCALENDAR", DEFLATED)), "bad-encoding"),
    "stops within deflate": (say(ok(zlib.compress(b"x" * 999)[:-5], DEFLATED)), "truncated"),
    "sends a bomb in deflate": (say(ok(zlib.compress(bytes(20_000_000)), DEFLATED)), "too-large"),
    "sends a bomb and does not say so": (say(ok(BOMB)), "too-large"),
    "sends early hints for ever": (endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 1000), "bad-http"),
    "drips early hints": (drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), "timeout"),
    "speaks another protocol": (say(b"220 ftp.example.org ready\r\n", then_close=True), "bad-http"),
    "sends an endless line": (endless(b"HTTP/1.1 200 OK\r\nX-Y: ", b"x" * 65_536), "bad-http"),
    "sends endless headers": (endless(b"HTTP/1.1 200 OK\r\n", b"X-Y: z\r\n" * 1000), "bad-http"),
    "redirects in a circle": (say(redirect("/SENTINEL-path/x.ics?s=SENTINEL-query")), "too-many-redirects"),
    "redirects to a file": (say(redirect("file:///etc/passwd?SENTINEL")), "address-refused"),
    "redirects to an invalid URL": (say(redirect("http://[SENTINEL/")), "address-refused"),
    "redirects to a port that is none": (say(redirect("http://127.0.0.1:SENTINEL/")), "address-refused"),
}
