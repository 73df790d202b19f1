"""Servers on loopback that answer byte by byte as a test scripts it, and a canary that must see nothing."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Script = Callable[[socket.socket, bytes], bool]
"""Answers one request, whose head it is given, on a connection; says whether the connection may stay open."""
TIMEOUT = 10.0
"""Longer than any deadline of a test: no server outlives a stuck one."""


class ScriptedServer:
    """A server in threads; it keeps the head of every request that it saw."""

    def __init__(self, script: Script, context: ssl.SSLContext | None = None, *, script_connection: bool = False) -> None:
        self.script, self._context, self._script_connection = script, context, script_connection
        self.heads: list[bytes] = []
        self.connections = 0
        self.ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def url(self, path: str = "/x.ics", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def stop(self) -> None:
        """End all that is under way: scripts that wait for `ended` wake up."""
        self.ended.set()
        for sock in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                self._open.append(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(TIMEOUT)
        with contextlib.suppress(OSError):
            if self._script_connection:
                self.script(sock, b"")
            else:
                secured = self._context.wrap_socket(sock, server_side=True) if self._context else sock
                self._open.append(secured)
                while (head := read_head(secured)) and self._answer(secured, head):
                    pass
                secured.close()
        sock.close()

    def _answer(self, sock: socket.socket, head: bytes) -> bool:
        self.heads.append(head)
        return self.script(sock, head)


def read_head(sock: socket.socket) -> bytes:
    """Return the head of the next request, or nothing where the other end closed."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = sock.recv(1)
        if not piece:
            return b""
        head += piece
    return head


def say(*pieces: bytes, then_close: bool = False) -> Script:
    """Return a script that sends *pieces*."""

    def script(sock: socket.socket, head: bytes) -> bool:
        for piece in pieces:
            sock.sendall(piece)
        return not then_close

    return script


def ok(body: bytes = b"BEGIN:VCALENDAR", *headers: str, status: str = "200 OK") -> bytes:
    """Return a whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def redirect(where: str, status: int = 302) -> bytes:
    """Return an answer that leads elsewhere."""
    return ok(b"", f"Location: {where}", status=f"{status} Found")


def make_certificate(folder: Path, *names: str) -> tuple[ssl.SSLContext, str]:
    """Return a server's context and the file of its certificate, self-signed for *names* and made for this test."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test's own")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([*_alternatives(names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "certificate.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    return context, str(pem)


def _alternatives(names: tuple[str, ...]) -> Iterator[x509.GeneralName]:
    for name in names:
        try:
            yield x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            yield x509.DNSName(name)
