"""The guarded client against servers that err and lie."""

# ruff: noqa: F811 - fixtures that are imported are named again as arguments

from __future__ import annotations

import gzip
import logging
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from bokit.errors import BokitError, SourceMalformedError, SourceUnavailableError
from tests.support.guarded import (  # noqa: F401
    DEADLINE,
    SECRET_HEADERS,
    SECRET_PATH,
    Serve,
    a_client,
    a_patient_client,
    canary,
    certificate,
    error_texts,
    leads_to,
    serve,
)
from tests.support.network_faults import FAULTS, GZIPPED, drip, hang, make_bomb
from tests.support.scripted_server import Script, ok, redirect, say


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_ends_in_its_code_and_shows_no_url(name: str, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """Each fault ends in the error for it; neither the error, nor what it came from, nor a debug log holds the URL's secrets."""
    script, code = FAULTS[name]
    server = serve(script)
    client = a_client() if code == "timeout" else a_patient_client()
    url = server.url(SECRET_PATH).replace("://", "://SENTINEL-user:SENTINEL-password@")
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "urllib3"), pytest.raises(BokitError) as caught:
        client.request("GET", url, headers=SECRET_HEADERS)
    assert caught.value.stable_code == code
    assert "SENTINEL" not in error_texts(caught.value) + caplog.text


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


def hang_for_two_seconds(sock: socket.socket, head: bytes) -> bool:
    """Answer nothing for a while."""
    time.sleep(2)
    return False


@pytest.mark.parametrize("script", [drip(b"\x16\x03\x03\x40\x00", b"\x00"), hang_for_two_seconds])
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
def test_an_unknown_name_is_reported(failure: Exception) -> None:
    """A name that cannot be resolved ends as dns."""

    def resolver(host: str, port: int) -> list[Any]:
        raise failure

    with pytest.raises(SourceUnavailableError) as caught:
        a_client(resolver=resolver).request("GET", "http://feeds.example.org/")
    assert caught.value.stable_code == "dns"
    assert "SENTINEL" not in error_texts(caught.value)


def test_nobody_listening_is_reported() -> None:
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
    assert client.request("GET", "http://feeds.example.org/").status_code == 200


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
    client = a_patient_client(max_bytes=1000)
    server = serve(say(pack(b"x" * size)))
    if code is None:
        assert client.request("GET", server.url()).content == b"x" * size
        return
    with pytest.raises(SourceMalformedError) as caught:
        client.request("GET", server.url())
    assert caught.value.stable_code == code
