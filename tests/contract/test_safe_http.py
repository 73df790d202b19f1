"""The guarded client: what goes well, redirects, private addresses, the environment."""

# ruff: noqa: F811 - fixtures that are imported are named again as arguments

from __future__ import annotations

import gzip
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bokit.errors import AddressRefusedError, BokitError, SourceMalformedError, SourceUnavailableError
from bokit.net.response import SafeResponse
from bokit.net.session import SafeSession
from tests.support.guarded import (  # noqa: F401
    SECRET_PATH,
    Serve,
    a_client,
    a_lured_client,
    a_patient_client,
    canary,
    certificate,
    error_texts,
    follow_all,
    leads_to,
    request_all,
    serve,
)
from tests.support.hostile_urls import make_hostile_forms
from tests.support.scripted_server import ScriptedServer, make_certificate, ok, redirect, say

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GZIPPED = "Content-Encoding: gzip"
zipped = partial(gzip.compress, mtime=0)  # its bytes are in the tests' names, which every worker must give alike


def hang(sock: socket.socket, asked: bytes) -> bool:
    """Say nothing until the other end goes."""
    return sock.recv(1) != b""


# --- what goes well --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        ok(b"feed"),
        ok(zipped(b"feed"), GZIPPED),
        ok(zipped(b"fe") + zipped(b"ed"), GZIPPED),
        ok(zipped(b"feed") + bytes(8), GZIPPED),
        ok(b"feed", "Content-Encoding: identity"),
        ok(zipped(b"feed"), "Content-Encoding: X-GZip"),
        CHUNKED + b"2\r\nfe\r\n2;a=b\r\ned\r\n0\r\nA: b\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nfeed",
        b"HTTP/1.1 203 Otherwise\r\nContent-Length: 4\r\n\r\nfeed",
        b"HTTP/1.1 100 Continue\r\n\r\n" + ok(b"feed"),
    ],
)
def test_a_body_is_read_in_every_form(answer: bytes, serve: Serve) -> None:
    """Plain, gzip of one member and of several, chunks, an end without a length: the same body."""
    assert a_patient_client().request("GET", serve(say(answer, then_close=True)).url()).content == b"feed"


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
    assert [client.request("GET", server.url()).status_code for _ in range(3)] == [200, 200, 200]
    with pytest.raises(SourceUnavailableError) as caught:
        client.request("POST", server.url(), data=b"x")
    assert caught.value.stable_code == "connection"


def test_what_follows_a_body_is_not_the_next_answer(serve: Serve) -> None:
    """A server that announces too short a body cannot add to the next response."""
    server = serve(say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + ok(b"smuggled")))
    client = a_patient_client()
    assert [client.request("GET", server.url()).content for _ in range(5)] == [b"ok"] * 5


def test_threads_share_a_client_without_disturbing_each_other(serve: Serve) -> None:
    """Each of many threads gets the answer to its own request, while another's request runs into its deadline."""
    server = serve(lambda sock, head: (hang if b"/hang" in head else say(ok(head.split()[1])))(sock, head))
    client = a_client(deadline=3.0)

    def ask(path: str) -> bytes | str:
        try:
            return client.request("GET", server.url(path)).content
        except BokitError as error:
            return error.stable_code

    paths = ["/hang", *(f"/{number}" for number in range(200))]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, paths)) == ["timeout", *(path.encode() for path in paths[1:])]


# --- redirects -------------------------------------------------------------------------------------------------------------

HEADERS = {"Authorization": "Bearer SENTINEL", "X-Api-Key": "SENTINEL", "Accept": "text/calendar", "If-None-Match": '"1"'}


@pytest.mark.parametrize("count", [1, 2, 5])
def test_five_redirects_are_followed(count: int, serve: Serve) -> None:
    """Up to five redirects lead to the answer, whose host is that of the URL first asked."""
    hops = [redirect(f"/{number}") for number in range(count)]
    server = serve(lambda sock, head: say(hops.pop() if hops else ok(b"feed"))(sock, head))
    answer = a_patient_client().request("GET", server.url())
    assert (answer.content, answer.host, len(server.heads)) == (b"feed", "127.0.0.1", count + 1)


def test_a_sixth_redirect_is_not_followed(serve: Serve) -> None:
    """Five are followed, and no more."""
    server = serve(say(redirect("/again")))
    with pytest.raises(SourceMalformedError):
        a_patient_client().request("GET", server.url())
    assert len(server.heads) == 6


def test_a_space_in_a_location_is_followed(serve: Serve) -> None:
    """As browsers do: the space is sent as %20."""
    hops = [redirect("/two words.ics?name=a b")]
    server = serve(lambda sock, head: say(hops.pop() if hops else ok(b"feed"))(sock, head))
    assert a_patient_client().request("GET", server.url()).content == b"feed"
    assert server.heads[1].startswith(b"GET /two%20words.ics?name=a%20b HTTP/1.1")


@pytest.mark.parametrize("encoding", ["UTF-8", "iso-8859-1", "none", "binary"])
def test_an_encoding_that_is_none_is_ignored(encoding: str, serve: Serve) -> None:
    """A character set, or the word for no encoding, in Content-Encoding."""
    server = serve(say(ok(b"feed", f"Content-Encoding: {encoding}")))
    assert a_patient_client().request("GET", server.url()).content == b"feed"


def test_gzip_is_read_where_the_server_does_not_say_so(serve: Serve) -> None:
    """A file that is stored compressed."""
    server = serve(say(ok(zipped(b"feed"))))
    assert a_patient_client().request("GET", server.url()).content == b"feed"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_another_origin_gets_no_credentials(status: int, serve: Serve) -> None:
    """What leads to another origin gets neither user info nor headers that could hold a secret; validators it gets."""
    other = serve(say(ok(b"feed")))
    server = serve(say(redirect(other.url(), status)))
    url = server.url().replace("://", "://SENTINEL:SENTINEL@")
    assert a_patient_client().request("GET", url, headers=HEADERS).content == b"feed"
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
        ("GET", 301, "GET"),
        ("GET", 302, "GET"),
        ("GET", 303, "GET"),
        ("GET", 307, "GET"),
        ("GET", 308, "GET"),
        ("POST", 301, "GET"),
        ("POST", 302, "GET"),
        ("POST", 303, "GET"),
        ("POST", 307, "POST"),
        ("POST", 308, "POST"),
        ("HEAD", 303, "HEAD"),
    ],
)
def test_methods_change_as_in_browsers(method: str, status: int, then: str, serve: Serve) -> None:
    """303 and, for a POST, 301 and 302 become a GET without a body."""
    server = serve(lambda sock, head: answer_with_body(sock, head, redirect("/onward", status)))
    body = b"body" if method == "POST" else None
    a_patient_client().request(method, server.url(), data=body, headers={"Content-Type": "text/plain"} if body else None)
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
    """A Location beside a status that is not a redirect leads nowhere."""
    server = serve(say(redirect("/onward", status)))
    assert a_patient_client().request("GET", server.url()).status_code == status
    assert len(server.heads) == 1


def test_https_does_not_lead_to_http(serve: Serve, canary: ScriptedServer, certificate: tuple[Any, str]) -> None:
    """A redirect from https to http is refused, even where all addresses are allowed."""
    server = serve(say(redirect(canary.url())), certificate[0])
    with pytest.raises(AddressRefusedError):
        a_patient_client(ca_file=certificate[1]).request("GET", server.url(scheme="https"))


# --- private addresses -----------------------------------------------------------------------------------------------------


def a_strict_client(**more: Any) -> SafeSession:
    """A client as a deployed stack has it."""
    return SafeSession(deadline=10.0, **more)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0", "127.0.0.1."]
)
@pytest.mark.parametrize("scheme", ["http", "https", "webcal"])
def test_loopback_is_not_asked(host: str, scheme: str, canary: ScriptedServer) -> None:
    """No way to write loopback reaches it without the setting."""
    with pytest.raises(AddressRefusedError):
        a_strict_client().request("GET", f"{scheme}://{host}:{canary.port}/")


@pytest.mark.parametrize(
    "addresses",
    [("127.0.0.1",), ("8.8.8.8", "127.0.0.1"), ("127.0.0.1", "8.8.8.8"), ("169.254.169.254",), ("0.0.0.0",)],  # noqa: S104
)
def test_a_public_name_with_a_private_address_is_not_asked(addresses: tuple[str, ...], canary: ScriptedServer) -> None:
    """All addresses of a name must be public, or none is connected to."""
    client = a_strict_client(resolver=leads_to(*addresses, port=canary.port))
    with pytest.raises(AddressRefusedError) as caught:
        client.request("GET", f"http://feeds.example.org{SECRET_PATH}")
    assert caught.value.stable_code == "address-refused"
    assert "SENTINEL" not in error_texts(caught.value)


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
    assert [client.request("GET", "https://feeds.example.org/x").content for _ in range(2)] == [b"feed", b"feed"]
    assert asked == ["feeds.example.org"]
    assert b"Host: feeds.example.org\r\n" in server.heads[0]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "inner.example.org", "user@127.0.0.1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_redirect_does_not_lead_to_a_private_address(status: int, host: str, scheme: str, canary: ScriptedServer) -> None:
    """A public server cannot send us to a private address, nor to a name that has one."""
    client, adapter = a_lured_client(leads_to("127.0.0.1", port=canary.port))
    adapter.lure, adapter.status = f"{scheme}://{host}:{canary.port}/SENTINEL".encode(), status
    with pytest.raises(AddressRefusedError) as caught:
        client.request("GET", "http://feeds.example.org/")
    assert "SENTINEL" not in error_texts(caught.value)


def test_no_hostile_form_is_requested(canary: ScriptedServer) -> None:
    """13,000 forms of hostile URLs are refused before any name is resolved, and reach no canary."""
    damage = request_all(make_hostile_forms(canary.port))

    assert not damage.is_damage, damage.traces[:5]
    assert damage.tried >= 13_000


def test_no_hostile_form_is_followed(canary: ScriptedServer) -> None:
    """Each form, as a redirect's Location, is refused or stays with the server that sent it: no other server is asked."""
    damage = follow_all(make_hostile_forms(canary.port))

    assert not damage.is_damage, damage.traces[:5]


# --- the environment, and TLS ----------------------------------------------------------------------------------------------


def test_the_environment_has_no_say(
    serve: Serve, canary: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Proxies and netrc of the environment are not used."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, canary.url("/"))
        monkeypatch.setenv(name.upper(), canary.url("/"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    (tmp_path / "netrc").write_text("default login SENTINEL password SENTINEL\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server = serve(say(ok(b"feed")))
    assert a_patient_client().request("GET", server.url()).content == b"feed"
    assert b"authorization" not in server.heads[0].lower()


def test_certificates_and_key_logs_of_the_environment_have_no_say(
    serve: Serve, certificate: tuple[Any, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
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


def test_a_server_without_tls_is_reported(serve: Serve) -> None:
    """https to a server that speaks http ends as tls."""
    server = serve(say(b"HTTP/1.1 400 Bad Request\r\n\r\n", then_close=True), script_connection=True)
    assert_tls_fails(a_patient_client(), server.url(SECRET_PATH, scheme="https"))


def assert_tls_fails(client: SafeSession, url: str) -> None:
    """The error is tls and shows no URL."""
    with pytest.raises(SourceUnavailableError) as caught:
        client.request("GET", url)
    assert caught.value.stable_code == "tls"
    assert "SENTINEL" not in error_texts(caught.value)


# --- waiting ---------------------------------------------------------------------------------------------------------------

NOW = "Mon, 01 Jun 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("retry_after", "date", "seconds"),
    [
        ("120", None, 120.0),
        (" 0 ", None, 0.0),
        ("Mon, 01 Jun 2026 12:02:00 GMT", NOW, 120.0),
        ("9" * 400, None, 999_999_999.0),
        ("Mon, 01 Jun 2026 11:00:00 GMT", NOW, 0.0),
        ("Mon, 01 Jun 2026 12:02:00 GMT", None, None),
        ("-5", NOW, None),
        ("soon", NOW, None),
        ("²", NOW, None),
        ("1.5", NOW, None),
        ("", NOW, None),
        (None, NOW, None),
        ("inf", NOW, None),
        ("Mon, 01 Jun 2026 12:02:00 GMT", "yesterday", None),
        ("Mon, 99 Jun 2026 12:02:00 GMT", NOW, None),
    ],
)
def test_retry_after_is_read_in_both_forms(retry_after: str | None, date: str | None, seconds: float | None) -> None:
    """Retry-After is a number of seconds or a date relative to the server's Date; anything else is ignored."""
    headers = {name: value for name, value in {"retry-after": retry_after, "date": date}.items() if value is not None}
    assert SafeResponse(url="https://x", status=503, headers=headers).retry_after == seconds
