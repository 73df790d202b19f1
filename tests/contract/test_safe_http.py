"""The guarded client against servers that err, lie and lure."""

from __future__ import annotations

import gzip
import logging
import socket
import struct
import threading
import time
import traceback
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import urllib3

from bokit.errors import AddressRefusedError, BokitError, SourceMalformedError, SourceUnavailableError
from bokit.sources.safe_http import Answer, SafeClient
from tests.contract.scripted_server import Script, ScriptedServer, make_certificate, ok, redirect, say
from tests.hostile_urls import HOSTILE_URLS

DEADLINE = 0.8
"""Seconds that a request to a server that errs may take; what hangs ends with the client's own code for it."""
Serve = Callable[..., ScriptedServer]
SECRET_PATH = "/SENTINEL-path/x.ics?s=SENTINEL-query"
SECRET_HEADERS = {"X-Key": "SENTINEL-header"}


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers; they stop after the test."""
    servers: list[ScriptedServer] = []

    def start(script: Script, *args: Any, **more: Any) -> ScriptedServer:
        servers.append(ScriptedServer(script, *args, **more))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def canary(serve: Serve) -> Iterator[ScriptedServer]:
    """A server that nobody may connect to."""
    server = serve(say(ok(b"you should not be here")))
    yield server
    assert server.connections == 0


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    """A certificate of loopback and of a name."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1", "feeds.example.org")


def a_client(**more: Any) -> SafeClient:
    """A client that may ask loopback, and that is soon out of patience."""
    return SafeClient(**{"allow_private_addresses": True, "deadline": DEADLINE, **more})


def a_patient_client(**more: Any) -> SafeClient:
    """A client whose deadline plays no part."""
    return a_client(deadline=30.0, **more)


def leads_to(*addresses: str, port: int | None = None) -> Callable[[str, int], list[tuple[Any, ...]]]:
    """A resolver that answers the same for every name."""

    def resolver(host: str, asked_port: int) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port or asked_port)) for address in addresses]

    return resolver


def all_that_is_told(error: BaseException) -> str:
    """Return whatever a log, a page or a person could see of an error and of all that it came from."""
    told, waiting, met = [], [error], set()
    while waiting:
        one = waiting.pop()
        if id(one) in met:
            continue
        met.add(id(one))
        told += [str(one), repr(one), repr(one.args), repr(getattr(one, "facts", "")), repr(getattr(one, "__notes__", ""))]
        told += traceback.format_exception(one)
        waiting += [more for more in (one.__cause__, one.__context__, *one.args) if isinstance(more, BaseException)]
    return "\n".join(told)


# --- faults of a network ---------------------------------------------------------------------------------------------------


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
    press = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join(press.compress(bytes(1_000_000)) for _ in range(megabytes)) + press.flush()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GZIPPED = "Content-Encoding: gzip"
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
    "tells nonsense for a chunk's length": (say(CHUNKED + b"zz\r\nx\r\n"), "truncated"),
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
    "sends gzip that is none": (say(ok(b"BEGIN:VCALENDAR", GZIPPED)), "bad-encoding"),
    "speaks another protocol": (say(b"220 ftp.example.org ready\r\n", then_close=True), "bad-http"),
    "sends an endless line": (endless(b"HTTP/1.1 200 OK\r\nX-Y: ", b"x" * 65_536), "bad-http"),
    "sends endless headers": (endless(b"HTTP/1.1 200 OK\r\n", b"X-Y: z\r\n" * 1000), "bad-http"),
    "redirects in a circle": (say(redirect("/SENTINEL-path/x.ics?s=SENTINEL-query")), "too-many-redirects"),
    "redirects to a file": (say(redirect("file:///etc/passwd?SENTINEL")), "address-refused"),
    "redirects to what is no URL": (say(redirect("http://[SENTINEL/")), "address-refused"),
    "redirects to a port that is none": (say(redirect("http://127.0.0.1:SENTINEL/")), "address-refused"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_ends_in_its_code_and_tells_no_url(name: str, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """Each fault ends in the error for it; neither the error, nor what it came from, nor a debug log holds the URL's secrets."""
    script, code = FAULTS[name]
    server = serve(script)
    client = a_client() if code == "timeout" else a_patient_client()
    url = server.url(SECRET_PATH).replace("://", "://SENTINEL-user:SENTINEL-password@")
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "urllib3"), pytest.raises(BokitError) as caught:
        client.request("GET", url, headers=SECRET_HEADERS)
    assert caught.value.stable_code == code
    assert "SENTINEL" not in all_that_is_told(caught.value) + caplog.text


def test_the_kinds_of_faults_are_as_many_as_promised() -> None:
    """There are at least 14."""
    assert len(FAULTS) >= 14


def test_success_is_not_logged_with_its_url(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """A debug log holds no path, even of what went well or had odd headers."""
    server = serve(say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nno header at all\r\n\r\n"))
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "urllib3"):
        a_patient_client().request("GET", server.url(SECRET_PATH))
    assert "SENTINEL" not in caplog.text


def test_a_drip_on_a_kept_connection_ends_too(serve: Serve) -> None:
    """The deadline of the second request holds, not that of the first, which opened the connection."""
    slow = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    server = serve(lambda sock, head: (slow if b"/slow" in head else say(ok()))(sock, head))
    client = a_client()
    client.request("GET", server.url())
    with pytest.raises(SourceUnavailableError) as caught:
        client.request("GET", server.url("/slow"))
    assert (caught.value.stable_code, server.connections) == ("timeout", 1)


@pytest.mark.parametrize(
    "script", [drip(b"HTTP/1.1 200 OK\r\nX-Y: "), drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"), hang]
)
def test_a_drip_over_tls_ends_too(script: Script, serve: Serve, certificate: tuple[Any, str]) -> None:
    """The deadline holds over TLS."""
    server = serve(script, certificate[0])
    with pytest.raises(SourceUnavailableError) as caught:
        a_client(ca_file=certificate[1]).request("GET", server.url(scheme="https"))
    assert caught.value.stable_code == "timeout"


@pytest.mark.parametrize("script", [drip(b"\x16\x03\x03\x40\x00", b"\x00"), lambda sock, head: time.sleep(2) or False])
def test_a_handshake_that_drips_or_hangs_ends_too(script: Script, serve: Serve) -> None:
    """The deadline holds over the TLS handshake."""
    server = serve(script, script_connection=True)
    with pytest.raises(SourceUnavailableError) as caught:
        a_client().request("GET", server.url(scheme="https"))
    assert caught.value.stable_code == "timeout"


def test_redirects_share_one_deadline(serve: Serve) -> None:
    """Slow redirects do not each get a deadline of their own."""

    def script(sock: socket.socket, head: bytes) -> bool:
        time.sleep(DEADLINE * 0.6)
        return say(redirect("/x.ics"))(sock, head)

    server = serve(script)
    with pytest.raises(SourceUnavailableError) as caught:
        a_client().request("GET", server.url())
    assert caught.value.stable_code == "timeout"
    assert len(server.heads) == 2


def test_a_resolver_that_hangs_does_not_hold_the_client() -> None:
    """The deadline holds over the look-up of a name."""
    stop = threading.Event()
    with pytest.raises(SourceUnavailableError) as caught:
        a_client(resolver=lambda host, port: stop.wait(10) and []).request("GET", "http://feeds.example.org/")
    stop.set()
    assert caught.value.stable_code == "timeout"


@pytest.mark.parametrize("failure", [socket.gaierror(-2, "SENTINEL"), UnicodeError("SENTINEL"), OSError("SENTINEL")])
def test_an_unknown_name_is_told_as_such(failure: Exception) -> None:
    """A name that cannot be resolved ends as dns."""

    def resolver(host: str, port: int) -> list[Any]:
        raise failure

    with pytest.raises(SourceUnavailableError) as caught:
        a_client(resolver=resolver).request("GET", "http://feeds.example.org/")
    assert caught.value.stable_code == "dns"
    assert "SENTINEL" not in all_that_is_told(caught.value)


def test_nobody_listening_is_told_as_such() -> None:
    """A refused connection ends as connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(SourceUnavailableError) as caught:
        a_client().request("GET", f"http://127.0.0.1:{port}/")
    assert caught.value.stable_code == "connection"


def test_the_next_address_is_tried_where_one_does_not_answer(serve: Serve) -> None:
    """A name with several addresses is asked at the first that answers."""
    server = serve(say(ok()))

    def resolver(host: str, port: int) -> list[tuple[Any, ...]]:
        silent = [(9999, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 9)), (socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("::1", 9))]
        return silent + leads_to("127.0.0.1", port=server.port)(host, port)

    client = a_patient_client(resolver=resolver)
    assert client.request("GET", "http://feeds.example.org/").status == 200


def test_a_bomb_takes_little_memory(serve: Serve) -> None:
    """200 KB that unpack to 200 MB are cut at the cap, and so is a redirect that carries them."""
    bomb = make_bomb(200)
    server = serve(say(ok(bomb, GZIPPED)))
    luring = serve(say(ok(bomb, GZIPPED, f"Location: {server.url()}", status="302 Found")))
    tracemalloc.start()
    with pytest.raises(SourceMalformedError) as caught:
        a_patient_client().request("GET", luring.url())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.stable_code == "too-large"
    assert peak < 20_000_000


@pytest.mark.parametrize(("size", "code"), [(1000, None), (1001, "too-large")])
@pytest.mark.parametrize("pack", [lambda body: ok(body), lambda body: ok(gzip.compress(body), GZIPPED)])
def test_the_cap_is_exact(size: int, code: str | None, pack: Callable[[bytes], bytes], serve: Serve) -> None:
    """A body as large as allowed passes, one byte more does not, counted after decoding."""
    client = a_patient_client(most_bytes=1000)
    server = serve(say(pack(b"x" * size)))
    if code is None:
        assert client.request("GET", server.url()).body == b"x" * size
        return
    with pytest.raises(SourceMalformedError) as caught:
        client.request("GET", server.url())
    assert caught.value.stable_code == code


# --- what goes well --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        ok(b"feed"), ok(gzip.compress(b"feed"), GZIPPED), ok(gzip.compress(b"fe") + gzip.compress(b"ed"), GZIPPED),
        ok(gzip.compress(b"feed") + bytes(8), GZIPPED), ok(b"feed", "Content-Encoding: identity"),
        ok(gzip.compress(b"feed"), "Content-Encoding: X-GZip"), CHUNKED + b"2\r\nfe\r\n2;a=b\r\ned\r\n0\r\nA: b\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nfeed", b"HTTP/1.1 203 Otherwise\r\nContent-Length: 4\r\n\r\nfeed",
        b"HTTP/1.1 100 Continue\r\n\r\n" + ok(b"feed"),
    ],
)  # fmt: skip
def test_a_body_is_read_in_every_form(answer: bytes, serve: Serve) -> None:
    """Plain, gzip of one member and of several, chunks, an end without a length: the same body."""
    assert a_patient_client().request("GET", serve(say(answer, then_close=True)).url()).body == b"feed"


def test_a_request_looks_like_a_browser_and_asks_for_gzip(serve: Serve) -> None:
    """The agent is like a browser's; path and query arrive as they were given; user info as credentials."""
    server = serve(say(ok()))
    a_patient_client().request("GET", server.url("/a%20b;c?d=%2F&e=ü").replace("://", "://ana:p%40w@"))
    head = server.heads[0].decode()
    assert head.startswith("GET /a%20b;c?d=%2F&e=%C3%BC HTTP/1.1\r\n")
    assert "User-Agent: Mozilla/5.0" in head
    assert "Accept-Encoding: gzip\r\n" in head
    assert "Authorization: Basic YW5hOnBAdw==\r\n" in head


def test_connections_are_kept_and_cookies_are_not(serve: Serve) -> None:
    """A second request uses the first one's connection, after 304 too, and sends back no cookie."""
    server = serve(
        lambda sock, head: say(ok(b"", "Set-Cookie: a=b", status="304 Same" if b"/304" in head else "200 OK"))(sock, head)
    )
    client = a_patient_client()
    for path in ("/304", "/1", "/304", "/2"):
        client.request("GET", server.url(path))
    assert server.connections == 1
    assert b"cookie" not in b"".join(server.heads).lower()


def test_a_kept_connection_that_the_server_closed_costs_no_request(serve: Serve) -> None:
    """Where a kept connection turns out to be dead, a GET is asked once more on a new one; a POST is not."""

    def script(sock: socket.socket, head: bytes) -> bool:
        met.append(sock)
        return met.count(sock) == 1 and say(ok())(sock, head)

    met: list[socket.socket] = []
    server, client = serve(script), a_patient_client()
    assert [client.request("GET", server.url()).status for _ in range(3)] == [200, 200, 200]
    with pytest.raises(SourceUnavailableError) as caught:
        client.request("POST", server.url(), body=b"x")
    assert caught.value.stable_code == "connection"


def test_what_follows_a_body_is_not_the_next_answer(serve: Serve) -> None:
    """A server that announces too little cannot put words into the next answer."""
    server = serve(say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + ok(b"smuggled")))
    client = a_patient_client()
    assert [client.request("GET", server.url()).body for _ in range(5)] == [b"ok"] * 5


def test_threads_share_a_client_without_disturbing_each_other(serve: Serve) -> None:
    """Each of many threads gets the answer to its own request, while another's request runs into its deadline."""
    server = serve(lambda sock, head: (hang if b"/hang" in head else say(ok(head.split()[1])))(sock, head))
    client = a_client(deadline=3.0)

    def ask(path: str) -> bytes | str:
        try:
            return client.request("GET", server.url(path)).body
        except BokitError as error:
            return error.stable_code

    paths = ["/hang", *(f"/{number}" for number in range(200))]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, paths)) == ["timeout", *(path.encode() for path in paths[1:])]


# --- redirects -------------------------------------------------------------------------------------------------------------

HEADERS = {"Authorization": "Bearer SENTINEL", "X-Api-Key": "SENTINEL", "Accept": "text/calendar", "If-None-Match": '"1"'}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_three_redirects_are_followed(count: int, serve: Serve) -> None:
    """Up to three redirects lead to the answer, whose host is that of the URL first asked."""
    hops = [redirect(f"/{number}") for number in range(count)]
    server = serve(lambda sock, head: say(hops.pop() if hops else ok(b"feed"))(sock, head))
    answer = a_patient_client().request("GET", server.url())
    assert (answer.body, answer.host, len(server.heads)) == (b"feed", "127.0.0.1", count + 1)


def test_a_fourth_redirect_is_not_followed(serve: Serve) -> None:
    """Three are followed, and no more."""
    server = serve(say(redirect("/again")))
    with pytest.raises(SourceMalformedError):
        a_patient_client().request("GET", server.url())
    assert len(server.heads) == 4


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_another_origin_gets_no_credentials(status: int, serve: Serve) -> None:
    """What leads to another origin gets neither user info nor headers that could hold a secret; validators it gets."""
    other = serve(say(ok(b"feed")))
    server = serve(say(redirect(other.url(), status)))
    url = server.url().replace("://", "://SENTINEL:SENTINEL@")
    assert a_patient_client().request("GET", url, headers=HEADERS).body == b"feed"
    head = other.heads[0]
    assert b"SENTINEL" not in head
    assert b"Authorization" not in head
    assert b'Accept: text/calendar\r\nIf-None-Match: "1"' in head


def test_the_same_origin_gets_credentials_again(serve: Serve) -> None:
    """A redirect within an origin keeps user info and headers."""
    server = serve(lambda sock, head: say(ok(b"feed") if b"/onward" in head else redirect("onward"))(sock, head))
    a_patient_client().request("GET", server.url().replace("://", "://ana:pw@"), headers={"X-Api-Key": "k"})
    assert b"X-Api-Key: k" in server.heads[1]
    assert b"Authorization: Basic YW5hOnB3" in server.heads[1]


@pytest.mark.parametrize(
    ("method", "status", "then"),
    [
        ("GET", 301, "GET"), ("GET", 302, "GET"), ("GET", 303, "GET"), ("GET", 307, "GET"), ("GET", 308, "GET"),
        ("POST", 301, "GET"), ("POST", 302, "GET"), ("POST", 303, "GET"), ("POST", 307, "POST"), ("POST", 308, "POST"),
        ("HEAD", 303, "HEAD"),
    ],
)  # fmt: skip
def test_methods_change_as_in_browsers(method: str, status: int, then: str, serve: Serve) -> None:
    """303 and, for a POST, 301 and 302 become a GET without a body."""
    server = serve(lambda sock, head: answer_with_body(sock, head, redirect("/onward", status)))
    body = b"body" if method == "POST" else None
    a_patient_client().request(method, server.url(), body=body, headers={"Content-Type": "text/plain"} if body else None)
    assert server.heads[1].startswith(f"{then} /onward ".encode())
    assert (b"content-type" in server.heads[1].lower()) == (then == "POST")


def answer_with_body(sock: socket.socket, head: bytes, first: bytes) -> bool:
    """Take the body of a request, and answer."""
    if b"Content-Length: 4" in head:
        sock.recv(4)
    sock.sendall(ok() if b"/onward" in head else first)
    return True


@pytest.mark.parametrize("status", [300, 304, 305, 306, 404, 503])
def test_other_statuses_are_not_followed(status: int, serve: Serve) -> None:
    """A Location beside a status that is no redirect leads nowhere."""
    server = serve(say(redirect("/onward", status)))
    assert a_patient_client().request("GET", server.url()).status == status
    assert len(server.heads) == 1


def test_https_does_not_lead_to_http(serve: Serve, canary: ScriptedServer, certificate: tuple[Any, str]) -> None:
    """A redirect from https to http is refused, even where all addresses are allowed."""
    server = serve(say(redirect(canary.url())), certificate[0])
    with pytest.raises(AddressRefusedError):
        a_patient_client(ca_file=certificate[1]).request("GET", server.url(scheme="https"))


# --- private addresses -----------------------------------------------------------------------------------------------------


def a_strict_client(**more: Any) -> SafeClient:
    """A client as a deployed stack has it."""
    return SafeClient(deadline=10.0, **more)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0", "127.0.0.1."]
)
@pytest.mark.parametrize("scheme", ["http", "https", "webcal"])
def test_loopback_is_not_asked(host: str, scheme: str, canary: ScriptedServer) -> None:
    """No way to write loopback reaches it without the setting."""
    with pytest.raises(AddressRefusedError):
        a_strict_client().request("GET", f"{scheme}://{host}:{canary.port}/")


@pytest.mark.parametrize(
    "addresses", [("127.0.0.1",), ("8.8.8.8", "127.0.0.1"), ("127.0.0.1", "8.8.8.8"), ("169.254.169.254",), ("0.0.0.0",)]  # noqa: S104
)  # fmt: skip
def test_a_public_name_with_a_private_address_is_not_asked(addresses: tuple[str, ...], canary: ScriptedServer) -> None:
    """All addresses of a name must be public, or none is connected to."""
    client = a_strict_client(resolver=leads_to(*addresses, port=canary.port))
    with pytest.raises(AddressRefusedError) as caught:
        client.request("GET", f"http://feeds.example.org{SECRET_PATH}")
    assert caught.value.stable_code == "address-refused"
    assert "SENTINEL" not in all_that_is_told(caught.value)


def test_a_name_that_changes_its_address_does_not_reach_a_private_one(canary: ScriptedServer) -> None:
    """A name is resolved once for a connection: a public answer that later becomes a private one is of no use."""

    def resolver(host: str, port: int) -> list[tuple[Any, ...]]:
        asked.append(host)
        if len(asked) > 1:
            return leads_to("127.0.0.1", port=canary.port)(host, port)
        # public, and of a family that there is not: nothing leaves this machine
        return [(9999, socket.SOCK_STREAM, 0, "", ("8.8.8.8", canary.port))]

    asked: list[str] = []
    client = a_strict_client(resolver=resolver)
    with pytest.raises(SourceUnavailableError):
        client.request("GET", "http://feeds.example.org/")
    assert asked == ["feeds.example.org"]
    with pytest.raises(AddressRefusedError):
        client.request("GET", "http://feeds.example.org/")


def test_the_address_that_was_checked_is_the_one_that_is_asked(serve: Serve, certificate: tuple[Any, str]) -> None:
    """The connection goes to the first answer's address, while Host and certificate are those of the name."""
    server = serve(say(ok(b"feed")), certificate[0])
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[tuple[Any, ...]]:
        asked.append(host)
        return leads_to("127.0.0.1" if len(asked) == 1 else "127.0.0.9", port=server.port)(host, port)

    client = a_patient_client(resolver=resolver, ca_file=certificate[1])
    assert [client.request("GET", "https://feeds.example.org/x").body for _ in range(2)] == [b"feed", b"feed"]
    assert asked == ["feeds.example.org"]
    assert b"Host: feeds.example.org\r\n" in server.heads[0]


class LuredClient(SafeClient):
    """A strict client for which a public server is played; all other hosts are asked for real."""

    lure = b""
    status = 302

    def _ask(self, asked: Any, exchange: Any) -> urllib3.BaseHTTPResponse:
        if asked.target.host == "feeds.example.org":
            return urllib3.HTTPResponse(status=self.status, headers={"Location": self.lure.decode("latin-1")})
        return super()._ask(asked, exchange)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "inner.example.org", "user@127.0.0.1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_redirect_does_not_lead_to_a_private_address(status: int, host: str, scheme: str, canary: ScriptedServer) -> None:
    """A public server cannot send us to a private address, nor to a name that has one."""
    client = LuredClient(resolver=leads_to("127.0.0.1", port=canary.port))
    client.lure, client.status = f"{scheme}://{host}:{canary.port}/SENTINEL".encode(), status
    with pytest.raises(AddressRefusedError) as caught:
        client.request("GET", "http://feeds.example.org/")
    assert "SENTINEL" not in all_that_is_told(caught.value)


def test_no_hostile_url_is_followed() -> None:
    """Each hostile URL, as a redirect's Location, is refused or stays with the server that sent it: nobody else is asked."""
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[Any]:
        asked.append(host)
        return []

    client = LuredClient(resolver=resolver)
    for url in filter(str.strip, HOSTILE_URLS):
        client.lure = url.encode("utf-8", "surrogatepass")
        with pytest.raises((AddressRefusedError, SourceMalformedError, SourceUnavailableError)):
            client.request("GET", "http://feeds.example.org/")
    assert not [host for host in asked if not host.endswith("example.org")]


# --- the environment, and TLS ----------------------------------------------------------------------------------------------


def test_the_environment_has_no_say(
    serve: Serve, canary: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:  # fmt: skip
    """Proxies and netrc of the environment are not used."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, canary.url("/"))
        monkeypatch.setenv(name.upper(), canary.url("/"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    (tmp_path / "netrc").write_text("default login SENTINEL password SENTINEL\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server = serve(say(ok(b"feed")))
    assert a_patient_client().request("GET", server.url()).body == b"feed"
    assert b"authorization" not in server.heads[0].lower()


def test_certificates_and_key_logs_of_the_environment_have_no_say(
    serve: Serve, certificate: tuple[Any, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:  # fmt: skip
    """A certificate that the environment trusts is not trusted, and no session keys are written where it says."""
    keys = tmp_path / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, certificate[1])
    server = serve(say(ok(b"feed")), certificate[0])
    assert_tls_fails(a_patient_client(), server.url(scheme="https"))
    a_patient_client(ca_file=certificate[1]).request("GET", server.url(scheme="https"))
    assert not keys.exists()


def test_a_certificate_of_another_name_is_not_trusted(serve: Serve, tmp_path: Path) -> None:
    """The certificate must be the name's."""
    context, pem = make_certificate(tmp_path, "other.example.org")
    server = serve(say(ok(b"feed")), context)
    assert_tls_fails(a_patient_client(ca_file=pem), server.url(SECRET_PATH, scheme="https"))


def test_a_server_without_tls_is_told_as_such(serve: Serve) -> None:
    """https to a server that speaks http ends as tls."""
    server = serve(say(b"HTTP/1.1 400 Bad Request\r\n\r\n", then_close=True), script_connection=True)
    assert_tls_fails(a_patient_client(), server.url(SECRET_PATH, scheme="https"))


def assert_tls_fails(client: SafeClient, url: str) -> None:
    """A request ends as tls, and tells no URL."""
    with pytest.raises(SourceUnavailableError) as caught:
        client.request("GET", url)
    assert caught.value.stable_code == "tls"
    assert "SENTINEL" not in all_that_is_told(caught.value)


# --- waiting ---------------------------------------------------------------------------------------------------------------

NOW = "Mon, 01 Jun 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("told", "date", "seconds"),
    [
        ("120", None, 120.0), (" 0 ", None, 0.0), ("Mon, 01 Jun 2026 12:02:00 GMT", NOW, 120.0), ("9" * 400, None, 999_999_999.0),
        ("Mon, 01 Jun 2026 11:00:00 GMT", NOW, 0.0), ("Mon, 01 Jun 2026 12:02:00 GMT", None, None), ("-5", NOW, None),
        ("soon", NOW, None), ("²", NOW, None), ("1.5", NOW, None), ("", NOW, None), (None, NOW, None), ("inf", NOW, None),
        ("Mon, 01 Jun 2026 12:02:00 GMT", "yesterday", None),
        ("Mon, 99 Jun 2026 12:02:00 GMT", NOW, None),
    ],
)  # fmt: skip
def test_retry_after_is_read_in_both_forms(told: str | None, date: str | None, seconds: float | None) -> None:
    """Retry-After is a number of seconds, or a date told against the server's own; nonsense is as if it were not there."""
    headers = {name: value for name, value in {"retry-after": told, "date": date}.items() if value is not None}
    assert Answer(status=503, headers=headers, body=b"", host="x").retry_after == seconds
