"""JSON APIs over real HTTP: what is asked, what is kept to ourselves, and what no server may do to us."""

# ruff: noqa: F811 - fixtures that are imported are named again as arguments

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from bokit.core.items.reader import read_body, read_problems
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


# ── what an API says without saying it ──


def script_of(*answers):
    """Return a script that gives these answers, one for each request."""
    left = iter(answers)

    def script(sock, head):
        sock.sendall(next(left))
        return True

    return script


def items_of(fetched):
    return [item["id"] for item in read_body(fetched.body)[1]]


@pytest.mark.parametrize(
    ("settings", "answers", "ids"),
    [
        ({"items": "users", "pages": {"cursor": "next", "param": "c"}},
         [ok(b'{"users": [{"id": 1}], "next": "b"}'), ok(b'{"users": null, "next": null}')], [1]),
        ({"items": "a.users[]"}, [ok(b'{"a": {"users": null}}')], []),
        ({}, [ok(b"null")], []),
        ({}, [ok(b"", status="204 No Content")], []),
        ({"pages": {"page": "p", "size": 1, "first": 1}}, [ok(b'[{"id": 1}]'), ok(b"", status="204 No Content")], [1]),
        ({}, [ok(b"", "Retry-After: 0", status="202 Accepted"), ok(b'[{"id": 1}]')], [1]),
        ({}, [ok(b"", "Retry-After: 0", "X-RateLimit-Remaining: 0", status="403 Forbidden"), ok(b'[{"id": 1}]')], [1]),
    ],
    ids=["null-page", "null-list", "null", "204", "204-behind-a-page", "202", "403-is-a-limit"],
)  # fmt: skip
def test_nothing_is_said_in_many_ways(serve, settings, answers, ids):
    """null and 204 are no items; 202, and 403 of a limit, are requested again."""
    server = serve(script_of(*answers))

    assert items_of(fetch(a_source(server.url("/x"), **settings))) == ids
    assert len(server.heads) == len(answers)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_incremental_pass_without_news_is_a_success(serve, status):
    """204 and 304 to `since` say that nothing changed: the next pass begins where this one did."""
    server = serve(script_of(ok(b'[{"id": 1}]'), ok(b"", status=status)))
    source = a_source(server.url("/x"), updated_since={"param": "since"})

    second = fetch(source, etag=fetch(source).etag)

    assert (read_body(second.body), second.etag) == ((False, []), f"since:{NOW.isoformat()}")


@pytest.mark.parametrize(
    ("answer", "code", "message", "wait"),
    [
        (ok(b"", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795251660", status="403 No"), "http-403", "limit", 60.0),
        (ok(b"", "RateLimit-Remaining: 0", "RateLimit-Reset: 90", status="429 No"), "http-429", "retry", 90.0),
        (ok(b"", "Retry-After: Sat, 21 Nov 2026 09:02:00 GMT", status="503 No"), "http-503", "retry", 120.0),
        (ok(b'{"errors": [{"message": "SENTINEL"}], "data": null}'), "api-error", "error in place of items (`errors`)", None),
        (ok(b'{"success": false, "data": []}'), "api-error", "error in place of items (`success`)", None),
    ],
)  # fmt: skip
def test_what_happened_is_said_in_its_own_words(serve, answer, code, message, wait):
    """A limit is a limit, with the time until it is over, also by our clock alone; an error with status 200 is an error."""
    server = serve(say(answer))

    with pytest.raises(BokitError) as caught:
        fetch(a_source(server.url("/x"), items="data"))

    assert (caught.value.stable_code, getattr(caught.value, "retry_after", None)) == (code, wait)
    assert message in caught.value.message


def test_a_redirect_that_drops_the_key_says_so(serve):
    """The other origin refuses what comes without the key: the message names it, and not the key."""
    other = serve(say(ok(b"", status="401 No")))
    first = serve(say(redirect(other.url("/y"))))

    with pytest.raises(SourceRefusedError, match=r"redirects to http://127\.0\.0\.1:") as caught:
        fetch(a_source(first.url("/x"), headers=HEADERS))

    assert (caught.value.stable_code, b"SENTINEL" in other.heads[0]) == ("key-not-sent", False)


def test_a_next_link_gets_the_urls_key_and_on_refusal_its_other_parameters(serve):
    """The key that the link leaves out is added at once; the tenant once the API refuses the link without it."""
    pages = [b'{"data": [{"id": %d}], "next": "/x?p=%d"}' % (n, n + 1) for n in (1, 2)]
    refused, last = ok(b"", status="401 No"), b'{"data": [{"id": 3}]}'
    server = serve(script_of(ok(pages[0]), refused, ok(pages[1]), ok(last)))

    fetched = fetch(a_source(server.url("/x?api_key=k&tenant=7"), items="data", pages={"next": "next"}))

    assert items_of(fetched) == [1, 2, 3]
    asked = [head.split()[1] for head in server.heads]
    assert asked[1:] == [b"/x?p=2&api_key=k", b"/x?p=2&api_key=k&tenant=7", b"/x?p=3&api_key=k&tenant=7"]


def test_an_api_that_counts_its_pages_from_0_is_read_from_there(serve):
    """Where `first` is not declared, page 0 is requested once; what it says is kept for the next pass."""

    def page(sock, head):
        number = int(head.split()[1].rpartition(b"=")[2])
        sock.sendall(ok(json.dumps([{"id": n} for n in range(1, 6)][number * 2 : number * 2 + 2]).encode()))
        return True

    server = serve(page)
    source = a_source(server.url("/x"), pages={"page": "p", "size": 2})
    first = fetch(source)
    second = fetch(source, etag=first.etag)

    assert (sorted(items_of(first)), items_of(second), first.etag) == ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], "first:0")
    assert second.etag == "first:0"
    assert [head.split()[1].rpartition(b"=")[2] for head in server.heads] == [b"1", b"2", b"3", b"0", b"0", b"1", b"2", b"3"]


def test_a_page_that_is_not_there_is_requested_again_before_the_list_is_incomplete(serve):
    """A 404 behind a full page passes, or it is a problem of the run; the items are there either way."""
    full, gone = ok(b'[{"id": 1}, {"id": 2}]'), ok(b"", status="404 Not Found")
    source = {"pages": {"page": "p", "size": 2, "first": 1}}
    passing = serve(script_of(full, gone, ok(b'[{"id": 3}]'), ok(b"[]")))
    lasting = serve(script_of(full, gone, gone, gone))

    assert items_of(fetch(a_source(passing.url("/x"), **source))) == [1, 2, 3]
    body = fetch(a_source(lasting.url("/x"), **source)).body
    assert ([p.code for p in read_problems(body)], len(lasting.heads)) == (["page-missing"], 4)


def test_an_item_that_is_nested_too_deeply_is_a_problem_of_its_own(serve):
    """The others come; the body names the id of the one that does not."""
    deep = b'{"id": 1, "x": ' + b"[" * 60 + b"]" * 60 + b"}"
    server = serve(say(ok(b'[%s, {"id": 2}]' % deep)))

    fetched = fetch(a_source(server.url("/x")))

    assert items_of(fetched) == [2]
    assert [(p.code, p.uid) for p in read_problems(fetched.body)] == [("too-deep", "1")]


def test_pages_in_the_body_of_a_post(serve):
    """GraphQL: the cursor goes into the variables, until a page says that it is the last."""
    seen = []
    answers = iter(
        b'{"data": {"c": {"nodes": [{"id": %d}], "pageInfo": {"endCursor": "%d", "hasNextPage": %s}}}}' % (n, n, more)
        for n, more in ((1, b"true"), (2, b"false"))
    )

    def script(sock, head):
        seen.append(json.loads(sock.recv(1000)))
        sock.sendall(ok(next(answers)))
        return True

    server = serve(script)
    info = "data.c.pageInfo"
    pages = {"cursor": f"{info}.endCursor", "more": f"{info}.hasNextPage", "param": "variables.after", "in": "body"}

    fetched = fetch(a_source(server.url("/x"), method="POST", body={"query": "q"}, items="data.c.nodes", pages=pages))

    assert items_of(fetched) == [1, 2]
    assert seen == [{"query": "q"}, {"query": "q", "variables": {"after": "1"}}]


def test_an_api_that_repeats_its_last_page_has_ended(serve):
    """The pages before it differed, so the parameter works; one page again and again proves nothing."""
    one, two = ok(b'[{"id": 1}, {"id": 2}]'), ok(b'[{"id": 3}]')
    pages = {"pages": {"page": "p", "size": 2, "first": 1}}

    fetched = fetch(a_source(serve(script_of(one, two, two, ok(b"[]"))).url("/x"), **pages))

    assert (items_of(fetched), read_problems(fetched.body)) == ([1, 2, 3], ())
    with pytest.raises(SourceMalformedError) as caught:
        fetch(a_source(serve(say(one)).url("/x"), **pages))
    assert caught.value.stable_code == "repeated-page"
