"""Requests as they are written, and responses as they are read, beside Python's own ``http.client`` and urllib3."""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.util.url import _encode_target

from bokit.net.addresses import Target
from bokit.net.limits import MAX_FRAME_BYTES, MAX_INTERIM_RESPONSES
from bokit.net.wire import WireResponse, encode_path, read_response, write_request

HERE = Target(scheme="https", host="feeds.example.org", port=443, path="/x.ics?s=1")
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
names = st.text("abcXYZ-_!0", min_size=1, max_size=12)
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f\x85"), max_size=20)


def both_ends(sent: bytes) -> socket.socket:
    """Return a socket that brings *sent*, and then its end."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)

    def send() -> None:
        with theirs, suppress(OSError):  # who refuses an answer does not read on
            theirs.sendall(sent)

    threading.Thread(target=send, daemon=True).start()
    return ours


def receive(sent: bytes, method: str = "GET") -> WireResponse:
    return read_response(both_ends(sent), method)


def body_of(sent: bytes) -> bytes:
    return b"".join(receive(sent).stream(10_000))


def by_http_client(sent: bytes) -> tuple[int, dict[str, str]]:
    """Return status and headers as Python's own client reads them, those of one name joined."""
    found = http.client.HTTPResponse(both_ends(sent))
    found.begin()
    headers: dict[str, str] = {}
    for name, value in found.getheaders():
        key, own = name.lower(), value.strip(" \t")
        headers[key] = f"{headers[key]}, {own}" if key in headers else own
    return found.status, headers


# --- heads -----------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.tuples(names, values), max_size=8), st.integers(200, 599))
def test_a_head_is_read_as_http_client_reads_it(headers: list[tuple[str, str]], status: int) -> None:
    """Names, values and their order within a name are the same for every head as the standard has it."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers if name.lower() not in ("content-length", "connection"))
    sent = f"HTTP/1.1 {status} Some reason\r\n{lines}\r\n".encode("latin-1")
    found = receive(sent)
    assert (found.status, {key: value for key, (_, value) in found.fields.items()}) == by_http_client(sent)


@pytest.mark.parametrize(
    "lines",
    [
        b"A: 1\r\n folded\r\nB: 2\r\n\r\n",
        b"A: 1\nB: 2\n\n",
        b"A: 1\r\nno colon\r\nB: 2\r\n\r\n",
        b"A : 1\r\nB: 2\r\n\r\n",
        b"A: 1\r\n: 2\r\n\r\n",
        b"A: \xc5\x81\r\n\r\n",
        b"A: 1\rB: 2\r\n\r\n",
        b"\r\n",
    ],
)
def test_a_head_that_is_not_as_it_should_be_is_read_as_before(lines: bytes) -> None:
    """Folded lines, other line ends and lines that are none mean what http.client says."""
    found = receive(OK + lines)
    assert (found.status, {key: value for key, (_, value) in found.fields.items()}) == by_http_client(OK + lines)


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"<html>",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 99 Odd\r\n\r\n",
        b"HTTP/1.1 2000 Odd\r\n\r\n",
        b"\r\n" + OK + b"\r\n",
        OK + b"A: 1\r\n" * 101 + b"\r\n",
        OK + b"A: " + b"x" * (MAX_FRAME_BYTES + 70_000),
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        OK + b"Content-Length: 2, 3\r\n\r\nabc",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * (MAX_INTERIM_RESPONSES + 1),
    ],
)
def test_what_is_not_http_is_refused(sent: bytes) -> None:
    """No status, too many or too long lines, two lengths, interim responses without end."""
    with pytest.raises(http.client.HTTPException):
        receive(sent)


def test_a_head_that_is_cut_short_is_none() -> None:
    """The connection ended before the empty line: what the head would have said is not known."""
    for cut in (OK + b"Content-Length: 5\r\n", OK + b"Content-Le", OK, b"HTTP/1.1 200 OK"):
        with pytest.raises(http.client.IncompleteRead):
            receive(cut)
    with pytest.raises(http.client.RemoteDisconnected):
        receive(b"")


# --- bodies ----------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.binary(max_size=400), st.integers(1, 50))
def test_a_body_is_the_same_in_every_framing(body: bytes, chunk: int) -> None:
    """By its length, in chunks of any size, or until the connection ends."""
    parts = [body[at : at + chunk] for at in range(0, len(body), chunk)]
    chunks = b"".join(b"%X;ext=1\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\nX-Sum: 1\r\n\r\n"
    assert body_of(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body) == body
    assert body_of(CHUNKED + chunks) == body
    assert body_of(OK + b"Transfer-Encoding: identity, Chunked \r\n\r\n" + chunks) == body
    assert body_of(OK + b"\r\n" + body) == body


@pytest.mark.parametrize(
    "sent",
    [
        OK + b"Content-Length: 9\r\n\r\nshort",
        CHUNKED + b"5\r\nhel",
        CHUNKED + b"5\r\nhello",
        CHUNKED + b"5\r\nhelloX\r\n0\r\n\r\n",
        CHUNKED + b"5\r\nhello\r\n",
        CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"-1\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"0\r\n" + b"X: 1\r\n" * (MAX_FRAME_BYTES // 4) + b"\r\n",
    ],
)
def test_a_body_that_does_not_end_as_announced_is_refused(sent: bytes) -> None:
    """Cut short, a chunk whose size is none, or trailers without end."""
    with pytest.raises(http.client.HTTPException):
        body_of(sent)


@pytest.mark.parametrize(
    ("sent", "method", "again"),
    [
        (OK + b"Content-Length: 2\r\n\r\nok", "GET", True),
        (CHUNKED + b"2\r\nok\r\n0\r\n\r\n", "GET", True),
        (b"HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n", "GET", True),
        (b"HTTP/1.1 204 None\r\n\r\n", "GET", True),
        (b"HTTP/1.1 204 None\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", True),
        (b"HTTP/1.1 304 Same\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "GET", True),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", "HEAD", True),
        (OK + b"Content-Length: 9\r\n\r\n", "HEAD", True),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok", "GET", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "GET", False),
        (OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", "GET", False),
        (OK + b"\r\nok", "GET", False),
        (OK + b"Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK", "GET", False),
        (CHUNKED + b"2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK", "GET", False),
        (CHUNKED + b"2\r\nok\r\n0\r\n", "GET", False),
        (b"HTTP/1.1 101 Switching\r\n\r\n", "GET", False),
    ],
)
def test_a_connection_is_used_again_only_where_the_end_of_its_response_is_known(sent: bytes, method: str, again: bool) -> None:
    """Not where the server closes, has no end but that of the connection, or says more than it announced."""
    found = receive(sent, method)
    for _ in found.stream(10_000):
        pass
    assert found.may_be_followed is again


def test_a_response_that_was_not_read_is_not_followed() -> None:
    """What is left of it would be the next answer."""
    assert not receive(OK + b"Content-Length: 2\r\n\r\nok").may_be_followed
    assert not receive(CHUNKED + b"0\r\n\r\n").may_be_followed


def test_no_more_is_received_than_may_come() -> None:
    """A chunk of size -1 reads to the end in ``http.client``, and trailers have none: both stop, soon after the cap."""
    for begun in (CHUNKED + b"-1\r\n", CHUNKED + b"0\r\n"):
        found = receive(begun + b"X: 1\r\n" * 1_000_000)
        with pytest.raises(http.client.HTTPException, match="more than may come"):
            sum(map(len, found.stream(10_000)))


# --- requests --------------------------------------------------------------------------------------------------------------


def test_a_request_is_written_whole() -> None:
    """Its line, Host with a port that is not the scheme's, the headers, and the length of its body."""
    odd = Target(scheme="https", host="::1", port=8443, path="/ü")
    assert write_request("GET", HERE, {"Accept": "*/*"}, None) == (
        b"GET /x.ics?s=1 HTTP/1.1\r\nHost: feeds.example.org\r\nAccept: */*\r\n\r\n"
    )
    assert (
        write_request("POST", odd, {}, "é") == b"POST /%C3%BC HTTP/1.1\r\nHost: [::1]:8443\r\nContent-Length: 2\r\n\r\n\xc3\xa9"
    )
    assert write_request("POST", HERE, {}, None).endswith(b"Content-Length: 0\r\n\r\n")
    assert write_request("POST", HERE, {"Content-Length": "1"}, b"x").count(b"Content-Length") == 1


@pytest.mark.parametrize(
    ("method", "name", "value"),
    [
        ("GET", "X", "1\r\nY: 2"),
        ("GET", "X", "1\nY: 2"),
        ("GET", "X", "1\0"),
        ("GET", "X: 1\r\nY", "2"),
        ("GET", "X Y", "2"),
        ("GET", "", "2"),
        ("GET /other HTTP/1.1\r\nX:", "X", "1"),
        ("GET", "X", "Ł"),
    ],
)
def test_no_header_becomes_two_lines(method: str, name: str, value: str) -> None:
    """What could be read as more than one line, or cannot be sent, is refused."""
    with pytest.raises(ValueError, match=r"not a|encode"):
        write_request(method, HERE, {name: value}, None)


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\r\n#"), max_size=30))
def test_a_path_is_encoded_as_urllib3_encodes_it(text: str) -> None:
    """So that an address asks for the same as before."""
    assert encode_path(f"/{text}") == _encode_target(f"/{text}")
