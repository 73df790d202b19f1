"""Answers that browsers and curl take: the feed is fetched over a socket, read as a sync reads it, and is whole."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bokit.core.ical.reader import ReadSettings, read_ical
from bokit.core.model.catalog import ShardId, Source
from bokit.core.model.records import Scope, SourceId, TenantId
from bokit.core.model.source_rules import Verdict
from bokit.net.session import SafeSession
from bokit.sources.ical import IcalFetcher
from tests.support.scripted_server import ScriptedServer, ok, redirect, say

TEXT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Small PMS//EN\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTART;VALUE=DATE:20270310\r\n"
    "DTEND;VALUE=DATE:20270313\r\nSUMMARY:Łucja Müller\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
FEED = TEXT.encode()
CHUNKED = "Transfer-Encoding: chunked"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
Serve = Callable[..., ScriptedServer]


def head(*headers: str, version: str = "1.1") -> bytes:
    """Return the head of an answer without a length."""
    return "\r\n".join((f"HTTP/{version} 200 OK", *headers)).encode() + b"\r\n\r\n"


def chunks(body: bytes, size: int, trailer: bytes = b"") -> bytes:
    """Return *body* in chunks."""
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + trailer + b"\r\n"


def deflate(body: bytes) -> bytes:
    """Return *body* in deflate without zlib's header, as some servers send it."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


ANSWERS = {
    "a charset as encoding": ok(FEED, "Content-Encoding: UTF-8", "Content-Type: text/calendar; charset=UTF-8"),
    "an encoding that is none": ok(FEED, "Content-Encoding: none"),
    "an encoding that is binary": ok(FEED, "Content-Encoding: binary"),
    "gzip": ok(gzip.compress(FEED), "Content-Encoding: gzip"),
    "x-gzip": ok(gzip.compress(FEED), "Content-Encoding: x-gzip"),
    "gzip, and identity": ok(gzip.compress(FEED), "Content-Encoding: gzip, identity"),
    "gzip without saying so": ok(gzip.compress(FEED)),
    "gzip without saying so, a byte a chunk": head(CHUNKED) + chunks(gzip.compress(FEED), 1),
    "gzip announced, plain": ok(FEED, "Content-Encoding: gzip"),
    "gzip announced, plain, a byte a chunk": head(CHUNKED, "Content-Encoding: gzip") + chunks(FEED, 1),
    "deflate": ok(zlib.compress(FEED), "Content-Encoding: deflate"),
    "deflate without its header": ok(deflate(FEED), "Content-Encoding: deflate"),
    "early hints": HINTS + ok(FEED),
    "several interim responses": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + HINTS * 3 + ok(FEED),
    "chunks with trailers": head(CHUNKED, "Trailer: X-Sum") + chunks(FEED, 50, b"X-Sum: 1\r\n"),
    "HTTP/1.0 without a length": head(version="1.0") + FEED,
    "no length": head("Connection: close") + FEED,
    "lines that end in LF": b"HTTP/1.1 200 OK\nContent-Length: %d\n\n" % len(FEED) + FEED,
    "no reason": b"HTTP/1.1 200\r\nContent-Length: %d\r\n\r\n" % len(FEED) + FEED,
    "a type of pages": ok(FEED, "Content-Type: text/html; charset=utf-8"),
    "a type of nothing": ok(FEED, "Content-Type: application/octet-stream"),
    "UTF-16 with a mark": ok(b"\xff\xfe" + TEXT.encode("utf-16-le")),
    "UTF-16 of the other order": ok(b"\xfe\xff" + TEXT.encode("utf-16-be")),
    "UTF-16 without a mark": ok(TEXT.encode("utf-16-le")),
    "a mark and blank lines": ok(b"\xef\xbb\xbf\r\n\r\n" + FEED),
    "blank lines and a mark": ok(b"\r\n\r\n\xef\xbb\xbf" + FEED),
    "a character set of central Europe": ok(TEXT.encode("iso-8859-2"), "Content-Type: text/calendar; charset=ISO-8859-2"),
    "the same of Windows": ok(TEXT.encode("cp1250"), 'Content-Type: text/calendar; charset="windows-1250"'),
    "a character set that is another": ok(FEED, "Content-Type: text/calendar; charset=ISO-8859-2"),
    "a character set that nobody knows": ok(FEED, "Content-Type: text/calendar; charset=unicode_escape"),
    "a warning before the calendar": ok(b"<br />\n<b>Warning</b>: x in y on line 3<br />" + FEED),
    "indented lines": ok(FEED.replace(b"\r\n", b"\r\n    ")),
    "a script's result after the calendar": ok(FEED.rstrip() + b"0"),
}


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that give one answer after another; they stop after the test."""
    servers: list[ScriptedServer] = []

    def start(*answers: bytes, then_close: bool = False) -> ScriptedServer:
        left = list(answers)
        servers.append(ScriptedServer(lambda sock, head: say(left.pop(0), then_close=then_close)(sock, head)))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def read(url: str) -> tuple[Verdict, list[str]]:
    """Fetch and read a feed as the engine does; return the verdict, and the summary of each event."""
    source = Source(
        id=SourceId("src_1"), tenant=TenantId("t"), name="Feed", kind="ical", url=url, scope=Scope("u"), shard_id=ShardId("s")
    )
    fetcher = IcalFetcher(SafeSession(allow_private_addresses=True, deadline=10.0), lambda text, tenant: text)
    settings = ReadSettings(at=datetime(2026, 11, 20, tzinfo=UTC), timezone=ZoneInfo("Europe/Rome"))
    seen = read_ical(fetcher.fetch(source).body, settings)
    return seen.verdict, [entry.summary for entry in seen.entries]


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_browsers_take_is_read(name: str, serve: Serve) -> None:
    """The verdict is ok, and the text is read as it was written."""
    assert read(serve(ANSWERS[name], then_close=True).url()) == (Verdict.OK, ["Łucja Müller"])


def test_an_answer_in_latin_1_without_a_charset_is_read(serve: Serve) -> None:
    """What is not UTF-8 is read as Latin-1, and the signs of Windows' larger set as they were meant."""
    body = TEXT.replace("Łucja", "Zoé’s").encode("cp1252")

    assert read(serve(ok(body)).url()) == (Verdict.OK, ["Zoé’s Müller"])


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ("/two words.ics?n=a b", b"GET /two%20words.ics?n=a%20b HTTP/1.1"),
        ("/für.ics", b"GET /f%C3%BCr.ics HTTP/1.1"),
        ("other.ics#top", b"GET /other.ics HTTP/1.1"),
        ("?room=2", b"GET /x.ics?room=2 HTTP/1.1"),
    ],
)
def test_a_location_is_read_as_browsers_read_it(location: str, asked: bytes, serve: Serve) -> None:
    """Spaces and other letters are escaped as UTF-8, and relative addresses resolved."""
    answer = redirect("LOCATION").replace(b"LOCATION", location.encode())
    server = serve(answer, ok(FEED))

    assert read(server.url()) == (Verdict.OK, ["Łucja Müller"])
    assert server.heads[1].startswith(asked)


def test_five_redirects_of_five_kinds_lead_to_the_feed(serve: Serve) -> None:
    """Each of the redirecting statuses is followed, and each may come after early hints."""
    hops = [HINTS + redirect(f"/{status}", status) for status in (301, 302, 303, 307, 308)]

    assert read(serve(*hops, ok(FEED)).url()) == (Verdict.OK, ["Łucja Müller"])


def test_an_answer_compressed_twice_is_not_taken_for_an_empty_calendar(serve: Serve) -> None:
    """A stored file that the server compresses again is unreadable, as it is for a browser."""
    assert read(serve(ok(gzip.compress(gzip.compress(FEED)), "Content-Encoding: gzip")).url()) == (Verdict.UNREADABLE, [])
