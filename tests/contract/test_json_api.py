"""JSON APIs over real HTTP: what is asked, what is kept to ourselves, and what no server may do to us."""

# ruff: noqa: F811 - fixtures that are imported are named again as arguments

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from bokit.core.items.reader import read_body
from bokit.core.model.catalog import ShardId, Source
from bokit.core.model.records import CollectionName, Scope, SourceId, TenantId
from bokit.errors import AddressRefusedError, BokitError, SourceMalformedError, SourceRefusedError, SourceUnavailableError
from bokit.net.session import SafeSession
from bokit.sources.json_api import JsonApiFetcher, Waiting
from simulator.server import SharedWorld, SimulatorServer
from simulator.world import World
from tests.support.guarded import a_client, canary, error_texts, serve  # noqa: F401 - fixtures
from tests.support.scripted_server import ok, redirect, say

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
HEADERS = {"Authorization": "Bearer secret:sentinel"}
KEY = {"Authorization": "Bearer sim-key"}


def a_source(url: str, **settings) -> Source:
    """A source of clients at *url*."""
    clients = CollectionName("clients")
    return Source(
        id=SourceId("src_1"),
        tenant=TenantId("default"),
        name="CRM",
        kind="json",
        url=url,
        collection=clients,
        scope=Scope(clients),
        shard_id=ShardId("1"),
        settings=settings,
    )


def reveal_sentinels(text, tenant):
    """Return a text with the secrets of these tests."""
    return text.replace("secret:", "SENTINEL-")


def fetch(source: Source, client: SafeSession | None = None, reveal=reveal_sentinels, **given):
    """Fetch a source as a sync does, without waiting."""
    wait = Waiting(sleep=lambda s: None, chance=lambda: 0.0)
    return JsonApiFetcher(client or a_client(), reveal, lambda: NOW, wait).fetch(source, **given)


def test_all_pages_together_take_no_longer_than_the_host_gives(simulator):
    """Each look at the clock takes 3 s here: of an API of many pages few are asked, and no request begins after the end."""
    source = a_source(f"{simulator.url}/api/paged", headers=KEY, pages={"page": "page", "size": 2})
    times, waits = iter(range(0, 10_000, 3)), []
    wait = Waiting(sleep=waits.append, monotonic=lambda: float(next(times)))
    fetcher = JsonApiFetcher(a_client(), reveal_sentinels, lambda: NOW, wait)

    with pytest.raises(SourceUnavailableError) as late:
        fetcher.fetch(source, seconds=20.0)

    assert late.value.stable_code == "timeout"
    assert next(times) <= 30
    assert waits == []


def test_a_pause_that_outlasts_the_fetch_is_not_begun(simulator):
    """With `sync.request_delay` the second page would come too late."""
    source = a_source(f"{simulator.url}/api/paged", headers=KEY, pages={"page": "page", "size": 2}, request_delay=60_000)
    waits = []
    fetcher = JsonApiFetcher(a_client(), reveal_sentinels, lambda: NOW, Waiting(sleep=waits.append))

    with pytest.raises(SourceUnavailableError, match="took too long"):
        fetcher.fetch(source, seconds=30.0)

    assert waits == []


@pytest.fixture
def simulator():
    """The simulator, as `python -m simulator serve` runs it."""
    server = SimulatorServer(SharedWorld(World(seed=1)))
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("path", "settings"),
    [
        ("clients", {"items": "data"}),
        ("linked?size=50", {"items": "data", "pages": {"next": "links.next"}}),
        ("paged", {"pages": {"page": "page", "size": 50}}),
        ("offset", {"items": "items", "pages": {"offset": "offset", "limit": 50}}),
        ("cursor?size=50", {"items": "results", "pages": {"cursor": "meta.next", "param": "cursor"}}),
    ],
)
def test_the_simulators_clients_come_whole(simulator, path, settings):
    """Every style of pages gives the same 122 clients over HTTP, with the key in its header."""
    source = a_source(f"{simulator.url}/api/{path}", headers={"Authorization": "Bearer sim-key"}, **settings)

    whole, items = read_body(fetch(source, a_client(deadline=10)).body)

    assert (whole, len(items), {c["id"] for c in items}) == (True, 122, set(range(1, 123)))


def test_without_the_key_it_is_refused(simulator):
    """A wrong key needs the owner to fix it."""
    source = a_source(f"{simulator.url}/api/clients", items="data", headers={"Authorization": "Bearer wrong"})

    with pytest.raises(SourceRefusedError) as caught:
        fetch(source, a_client(deadline=10))

    assert caught.value.stable_code == "http-401"


def test_a_secret_is_revealed_late_and_sent_as_it_is(serve):
    """The header holds what the secret says; method, body and other headers are as declared."""
    server = serve(say(ok(b"[]")))

    fetch(a_source(server.url("/x"), headers={**HEADERS, "X-Version": "2"}))

    head = server.heads[0].decode().lower()
    assert "authorization: bearer sentinel-sentinel" in head
    assert "x-version: 2" in head
    assert "accept: application/json" in head


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "é"])
def test_a_secret_that_no_header_can_hold_is_refused(serve, canary, value):
    """What a secret says never becomes another header; nothing is sent."""

    def reveal(text, tenant):
        return value if text.startswith("secret:") else text

    with pytest.raises(SourceRefusedError):
        fetch(a_source(canary.url("/x"), headers=HEADERS), reveal=reveal)


def test_headers_follow_no_redirect_to_another_host(serve):
    """A redirect on the same origin keeps the key; to another it is asked without."""
    other = serve(say(ok(b"[]")))
    first = serve(say(redirect(other.url("/y"))))

    fetch(a_source(first.url("/x"), headers=HEADERS))

    assert b"SENTINEL" in first.heads[0]
    assert b"SENTINEL" not in other.heads[0]


def test_a_next_link_leads_to_no_other_host(serve, canary):
    """A page whose next link names another host is refused before anything is asked there."""
    page = json.dumps({"data": [{"id": 1}], "next": canary.url("/x").replace("127.0.0.1", "localhost")}).encode()
    server = serve(say(ok(page)))

    with pytest.raises(SourceMalformedError) as caught:
        fetch(a_source(server.url("/x"), items="data", pages={"next": "next"}, headers=HEADERS))

    assert caught.value.stable_code == "bad-next-link"


@pytest.mark.parametrize(
    "link", ["//127.0.0.1/y?p=2", "http://127.0.0.1:9/y?p=2", "https://127.0.0.1/y?p=2", "/y?p=2", "y?p=2", "?p=2"]
)
def test_a_next_link_is_followed_on_our_own_way(serve, link):
    """Whatever scheme or port a proxy writes into the link: we stay on the one by which we came."""
    pages = iter([{"data": [{"id": 1}], "next": link}, {"data": [{"id": 2}], "next": None}])

    def script(sock, head):
        sock.sendall(ok(json.dumps(next(pages)).encode()))
        return True

    server = serve(script)

    _, items = read_body(fetch(a_source(server.url("/x"), items="data", pages={"next": "next"})).body)

    assert [i["id"] for i in items] == [1, 2]
    assert b"p=2" in server.heads[1].splitlines()[0]


def test_an_unpaged_list_is_asked_by_its_etag(serve):
    """One answer that stands for all is not fetched again while its ETag holds."""
    answers = iter([ok(b'[{"id": 1}]', 'ETag: "7"'), ok(b"", status="304 Not Modified")])

    def script(sock, head):
        sock.sendall(next(answers))
        return True

    server = serve(script)
    first = fetch(a_source(server.url("/x")))
    second = fetch(a_source(server.url("/x")), etag=first.etag)

    assert (first.etag, second.not_modified) == ('"7"', True)
    assert b'If-None-Match: "7"' in server.heads[1]


def test_changes_are_asked_from_the_servers_own_clock(serve):
    """The next incremental pass begins before the last one did, by whichever clock was behind."""
    dates = iter(["Sat, 21 Nov 2026 08:50:00 GMT", "Sat, 21 Nov 2026 09:10:00 GMT"])

    def script(sock, head):
        sock.sendall(ok(b"[]", f"Date: {next(dates)}"))
        return True

    server = serve(script)
    source = a_source(server.url("/x?a=1"), updated_since={"param": "since", "overlap": 60})

    first = fetch(source)
    second = fetch(source, etag=first.etag)

    assert first.etag == "since:2026-11-21T08:50:00+00:00"
    assert second.etag == "since:2026-11-21T09:00:00+00:00"
    assert server.heads[1].split()[1] == b"/x?a=1&since=2026-11-21T08%3A49%3A00Z"
    assert read_body(second.body)[0] is False


def test_the_query_of_the_url_stays_as_it_is(serve):
    """Parameters are added; what the owner wrote is not rewritten."""
    server = serve(say(ok(b"[]")))

    fetch(a_source(server.url("/x?q=a%20b&flag&page=9"), pages={"page": "page", "size": 10}))

    assert server.heads[0].split()[1] == b"/x?q=a%20b&flag&size=10&page=1"


def test_a_post_sends_its_body(serve):
    """APIs that are asked by POST get what is declared."""
    seen = []

    def script(sock, head):
        seen.append(sock.recv(1000))
        sock.sendall(ok(b'{"rows": [{"id": 1}]}'))
        return True

    server = serve(script)

    fetch(a_source(server.url("/x"), method="POST", body={"query": "all"}, items="rows"))

    assert server.heads[0].startswith(b"POST /x")
    assert json.loads(seen[0]) == {"query": "all"}


def test_an_address_that_is_not_public_is_not_asked(canary):
    """A deployed stack asks no private address for records either."""
    with pytest.raises(AddressRefusedError):
        fetch(a_source(canary.url("/x")), SafeSession())


@pytest.mark.parametrize(
    "answer",
    [
        ok(b"<html>SENTINEL</html>"),
        ok(b"SENTINEL"),
        ok(b'{"error": "SENTINEL"}'),
        ok(b"", status="500 SENTINEL"),
        ok(b"SENTINEL", status="403 No"),
        b"SENTINEL\r\n\r\n",
        ok(b'[{"id": 1}]')[:-3],
        ok(b'{"data": [NaN]}'),
        ok(b"[" * 100_000),
        ok(
            b"",
            status="429 No",
        ),
        redirect("http://127.0.0.1:1/SENTINEL"),
    ],
)
def test_no_error_shows_what_was_sent_or_answered(serve, answer):
    """Neither URL nor key nor body is in an error, its causes or its traceback."""
    server = serve(say(answer, then_close=True))
    source = a_source(server.url("/SENTINEL?key=SENTINEL"), headers=HEADERS)

    with pytest.raises(BokitError) as caught:
        fetch(source)

    assert isinstance(caught.value, (SourceMalformedError, SourceRefusedError, SourceUnavailableError, AddressRefusedError))
    assert "SENTINEL" not in error_texts(caught.value).replace('"SENTINEL"', "")


def test_numbers_and_order_of_fields_make_no_difference(serve):
    """1.0 is 1, and names come in any order: the body is the same, byte for byte, line by line."""
    one, two = serve(say(ok(b'[{"id": 1, "n": 1.0, "m": 2.50}]'))), serve(say(ok(b'[ {"m": 2.5, "n": 1,\n "id": 1.0} ]')))

    assert fetch(a_source(one.url("/x"))).body == fetch(a_source(two.url("/x"))).body
