"""Calendar feeds over HTTP: what is sent, and what each answer means."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bokit.core.model.catalog import ShardId, Source
from bokit.core.model.records import Scope, SourceId, TenantId
from bokit.errors import AddressRefusedError, BokitError, SourceMalformedError, SourceRefusedError, SourceUnavailableError
from bokit.net.session import SafeSession
from bokit.sources.ical import IcalFetcher
from bokit.sources.protocols import Fetched
from bokit.sources.secrets import Reveal
from tests.support.scripted_server import ScriptedServer, ok, redirect, say

FEED = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
Serve = Callable[[bytes], ScriptedServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that say the same to everybody; they stop after the test."""
    servers: list[ScriptedServer] = []

    def start(answer: bytes) -> ScriptedServer:
        servers.append(ScriptedServer(say(answer)))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def a_source(url: str) -> Source:
    """Return a source at *url*."""
    return Source(
        id=SourceId("src_1"), tenant=TenantId("t"), name="Airbnb", kind="ical", url=url, scope=Scope("u"), shard_id=ShardId("s")
    )


def fetch(url: str, reveal: Reveal = lambda text, tenant: text, **validators: Any) -> Fetched:
    """Fetch *url* as the engine does."""
    client = SafeSession(allow_private_addresses=True, deadline=10.0)
    return IcalFetcher(client, reveal).fetch(a_source(url), **validators)


def fingerprint_of(url: str) -> str:
    """Return what is kept of the address that answered in the end."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def test_a_redirect_gives_the_fingerprint_of_where_it_leads(serve: Serve) -> None:
    """The address of another listing behind a short link is another address; its URL is not kept."""
    server = serve(ok(FEED))
    short = serve(redirect(server.url()))

    assert fetch(short.url()).fingerprint == fetch(server.url()).fingerprint == fingerprint_of(server.url())


def test_a_feed_is_fetched_with_its_validators(serve: Serve) -> None:
    """A feed comes with ETag, date, age and the host that the owner gave; no URL shows in a log."""
    server = serve(ok(FEED, 'ETag: W/"1"', "Last-Modified: Mon, 01 Jun 2026 12:00:00 GMT", "Age: 60"))
    fetched = fetch(server.url())
    assert fetched == Fetched(
        body=FEED,
        etag='W/"1"',
        last_modified="Mon, 01 Jun 2026 12:00:00 GMT",
        age="60",
        host="127.0.0.1",
        url=server.url(),
    )
    assert server.url() not in repr(fetched)
    assert b"Accept: text/calendar" in server.heads[0]
    assert b"If-" not in server.heads[0]


@pytest.mark.parametrize(
    ("validators", "sent", "unsent"),
    [
        ({"etag": 'W/"1"'}, b'If-None-Match: W/"1"\r\n', b"If-Modified-Since"),
        ({"last_modified": "Mon, 01 Jun 2026 12:00:00 GMT"}, b"If-Modified-Since: Mon, 01 Jun 2026 12:00:00 GMT\r\n", b"If-None"),
    ],
)
def test_a_version_that_we_have_is_not_fetched_again(
    validators: dict[str, str], sent: bytes, unsent: bytes, serve: Serve
) -> None:
    """304 to a validator of ours means that nothing changed."""
    server = serve(ok(b"", status="304 Not Modified"))
    assert fetch(server.url(), **validators) == Fetched(not_modified=True, host="127.0.0.1", url=server.url())
    assert sent in server.heads[0]
    assert unsent not in server.heads[0]


def test_validators_are_sent_after_a_redirect(serve: Serve) -> None:
    """A feed that lives at another origin than its URL is still fetched only when it changed."""
    target = serve(ok(b"", status="304 Not Modified"))
    server = serve(redirect(target.url()))
    assert fetch(server.url(), etag='"1"').not_modified
    assert b'If-None-Match: "1"' in target.heads[0]


def test_an_unrequested_304_is_an_error(serve: Serve) -> None:
    """304 to a request without a validator says nothing: it is tried again later."""
    with pytest.raises(SourceUnavailableError) as caught:
        fetch(serve(ok(b"", status="304 Not Modified")).url())
    assert caught.value.stable_code == "http-304"


@pytest.mark.parametrize(
    ("error", "statuses"),
    [
        (SourceRefusedError, (401, 403, 404, 410)),
        (SourceUnavailableError, (202, 408, 425, 429, 500, 502, 503, 504, 520, 599)),
        (SourceMalformedError, (201, 204, 206, 300, 302, 305, 400, 402, 405, 406, 418, 451)),
    ],
)
def test_a_status_ends_in_its_error(error: type[BokitError], statuses: tuple[int, ...], serve: Serve) -> None:
    """Statuses that the owner must fix, that are retried, and that no feed sends have different errors."""
    for status in statuses:
        server = serve(ok(b"" if status == 204 else b"SENTINEL", status=f"{status} SENTINEL"))
        with pytest.raises(error) as caught:
            fetch(server.url("/SENTINEL"))
        assert caught.value.stable_code == f"http-{status}"
        assert "SENTINEL" not in str(caught.value) + repr(caught.value)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (("Retry-After: 120",), 120.0),
        (("Retry-After: Mon, 01 Jun 2026 12:02:00 GMT", "Date: Mon, 01 Jun 2026 12:00:00 GMT"), 120.0),
        (("Retry-After: soon",), None),
        ((), None),
    ],
)
@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_the_retry_after_of_a_server_is_passed_on(
    headers: tuple[str, ...], seconds: float | None, status: str, serve: Serve
) -> None:
    """Retry-After reaches the schedule, as seconds, in both of its forms."""
    with pytest.raises(SourceUnavailableError) as caught:
        fetch(serve(ok(b"", *headers, status=status)).url())
    assert caught.value.retry_after == seconds


def test_a_header_too_long_to_store_is_ignored(serve: Serve) -> None:
    """No server fills our table with its ETag."""
    fetched = fetch(serve(ok(FEED, f'ETag: "{"x" * 600}"', "Last-Modified:", f"Date: {'y' * 600}")).url())
    assert (fetched.body, fetched.etag, fetched.last_modified, fetched.date) == (FEED, None, None, None)


def test_a_secret_url_is_resolved_for_each_fetch(serve: Serve) -> None:
    """A reference is revealed just before it is asked; the host is the revealed URL's."""
    server = serve(ok(FEED))
    assert fetch("secret:bokit/rosa", lambda text, tenant: server.url(f"/revealed/{tenant}")).host == "127.0.0.1"
    assert server.heads[0].startswith(b"GET /revealed/t ")


@pytest.mark.parametrize("value", ["", "SENTINEL", "file:///SENTINEL", "https://SENTINEL@SENTINEL@x/"])
def test_a_secret_that_is_not_a_url_is_refused_unseen(value: str) -> None:
    """The error does not show a secret that is not a URL."""
    with pytest.raises(AddressRefusedError) as caught:
        fetch("secret:bokit/rosa", lambda text, tenant: value)
    assert "SENTINEL" not in str(caught.value) + repr(caught.value)


def test_webcal_is_fetched(serve: Serve) -> None:
    """A webcal URL is a feed's."""
    assert fetch(serve(ok(FEED)).url(scheme="webcal")).body == FEED
