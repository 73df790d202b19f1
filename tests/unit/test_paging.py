"""The end of a list: what proves it, what does not, and what a list says that goes on all the same."""

from __future__ import annotations

import pytest

from bokit.core.items.api_spec import read_api, read_json_settings
from bokit.core.items.links import keep_credentials, keep_params, lost_params
from bokit.core.items.page_advice import suggest_pages, write_setting
from bokit.core.items.page_signals import Page, find_errors, find_link, read_range, read_signals
from bokit.core.items.paging import PageRequest, PageSequence

URL = "https://api.example/c?key=k&kind=a"


def walk(pages, answers, items="data", **source):
    """Follow *answers* (documents, statuses, or pairs of headers and a document) as declared; return URLs and problems."""
    given = {"method": "POST", "body": {"q": 1}, **source} if (pages or {}).get("in") else source
    spec = read_api(read_json_settings({**given, **({"pages": pages} if pages else {}), "items": items or "@"}))
    sequence = PageSequence(pages=spec.pages, items=items, base=URL)
    request, asked, count = sequence.first(PageRequest(url=URL, body=spec.body)), [], 0
    for answer in answers:
        if request is None:
            break
        asked.append((request.url.removeprefix(f"{URL}&"), request.body))
        if isinstance(answer, int):
            assert sequence.may_end_at(answer)
            sequence.end_at(answer)
            request = None
            break
        headers, document = answer if isinstance(answer, tuple) else ({}, answer)
        found = document.get(items) if items else document
        status = 206 if "content-range" in headers else 200
        page = Page(document=document, items=len(found or ()), headers=headers, status=status)
        count += page.items
        request = sequence.follow(request, page, count)
    return (
        [url for url, _ in asked] if spec.body is None else [body for _, body in asked],
        [p.code for p in sequence.problems],
        request,
    )


def of(number, /, **said):
    return {"data": [{"id": n} for n in range(number)], **said}


PAGED = {"page": "page", "size": 3, "first": 1}


@pytest.mark.parametrize(
    ("pages", "answers", "requests", "problems"),
    [
        # a number: until an empty page, whatever is short before it
        (PAGED, [of(3), of(2), of(3), of(0)], 4, []),
        (PAGED, [of(3), of(0, has_more=True), of(2), of(0, has_more=False)], 4, []),
        (PAGED, [of(3), *[of(0, has_more=True)] * 20], 12, ["more-pages"]),
        (PAGED, [of(3, total=5), of(0, total=5), of(0, total=5), of(0)], 3, ["more-pages"]),
        (PAGED, [of(3, total=3), of(0, total=3)], 2, []),
        ({**PAGED, "total": "total"}, [of(3, total=5), of(2, total=5)], 2, []),
        ({**PAGED, "total": "header:X-Total"}, [({"x-total": "3"}, of(3))], 1, []),
        ({**PAGED, "more": "more"}, [of(3, more=True), of(3, more=False)], 2, []),
        # 404 behind a page proves nothing, unless it is declared, or what came before says that it was all
        (PAGED, [of(3), 404], 2, ["page-missing"]),
        (PAGED, [of(3), of(1), 416], 3, ["page-missing"]),
        ({**PAGED, "past_end": 404}, [of(3), of(1), 404], 3, []),
        (PAGED, [of(3, count=4, next="?page=2"), of(1, count=4, next=None), 404], 3, []),
        (PAGED, [of(3, total=4), of(1, total=4), 404], 3, []),
        (PAGED, [({"x-total-count": "4"}, of(3)), ({"x-total-count": "4"}, of(1)), 410], 3, []),
        (PAGED, [of(3, count=3), 404], 2, ["page-missing"]),
        ({"offset": "o", "limit": 3}, [of(3), of(2), of(0)], 3, []),
        # a link, a cursor, a header: until there is none
        ({"next": "links.next"}, [of(3, links={"next": "?p=2"}), of(0, links={"next": "?p=3"}), of(1, links={})], 3, []),
        ({"next": "links.next"}, [of(3, links={"next": None}, has_more=True)], 1, ["more-pages"]),
        ({"link": "next"}, [({"link": '<?p=2>; rel="prev next"'}, of(3)), ({"link": '<?p=1>; rel="prev"'}, of(3))], 2, []),
        ({"cursor": "c", "param": "c"}, [of(3, c="a"), of(3, c="b"), of(0, c="b")], 3, []),
        ({"cursor": "c", "param": "c"}, [of(3, c=7), of(3, c=None, total=9)], 2, ["more-pages"]),
        ({"cursor": "next_cursor", "param": "c", "more": "has_more"}, [of(3, next_cursor="a", has_more=False)], 1, []),
        ({"cursor": "c", "param": "c", "more": "has_more"}, [of(3, c=None, has_more=True)], 1, ["more-pages"]),
        # nothing declared: one response, and what says that there is more
        (None, [of(3)], 1, []),
        (None, [of(3, total=3, has_more=False, next=None, page=1, total_pages=1)], 1, []),
        (None, [({"link": '</c?p=2>; rel="next"'}, of(3))], 1, ["more-pages"]),
        (None, [of(3, total=4)], 1, ["more-pages"]),
        (None, [of(3, meta={"pagination": 1, "total_pages": 2})], 1, ["more-pages"]),
        (None, [of(3, pagination={"hasNextPage": True})], 1, ["more-pages"]),
        (None, [of(3, last=False)], 1, ["more-pages"]),
        (None, [of(3, has_more="true")], 1, ["more-pages"]),
        (None, [of(3, hasMore=1)], 1, ["more-pages"]),
        (None, [of(3, hasMore=0, total="3")], 1, []),
        (None, [of(3, total="4")], 1, ["more-pages"]),
        (None, [of(3, meta={"pagination": {"total": 4}})], 1, ["more-pages"]),
        (None, [of(3, hits={"total": {"value": 9, "relation": "eq"}})], 1, ["more-pages"]),
        (None, [of(3, paging={"next": {"after": "7"}})], 1, ["more-pages"]),
        (None, [of(3, _links={"next": {"href": "/c?p=2"}})], 1, ["more-pages"]),
        (None, [of(3, **{"@odata.nextLink": "https://api.example/c?$skip=3"})], 1, ["more-pages"]),
        (None, [({"content-range": "items 0-2/9"}, of(3))], 1, ["more-pages"]),
        (None, [({"content-range": "items 0-2/*"}, of(3))], 1, ["more-pages"]),
        (None, [({"content-range": "items 0-2/3"}, of(3))], 1, []),
        (None, [({"x-next-page": "2"}, of(3))], 1, ["more-pages"]),
        ({"ignore": ["total"]}, [of(3, total=1520)], 1, []),
        (None, [of(3, errors=[{"message": "no rights for the rest"}])], 1, ["api-error"]),
        (None, [of(3, errors=[], error=None, success=True, status="ok")], 1, []),
    ],
)  # fmt: skip
def test_the_end_is_proved_and_never_guessed(pages, answers, requests, problems):
    """An empty page, no next link or cursor, a declared total or flag end a list; everything else goes on, or is a problem."""
    asked, found, after = walk(pages, answers)

    assert (len(asked), found, after) == (requests, problems, None)


def test_numbers_cursors_and_sizes_go_into_the_query_or_into_the_body():
    """Each style's next request; a body is filled at the path that is declared, objects on the way are made."""
    assert walk({"offset": "o", "limit": 3}, [of(3), of(2), of(0)])[0] == ["limit=3&o=0", "limit=3&o=3", "limit=3&o=5"]
    bodies = walk({"page": "paging.number", "size": 3, "size_param": "paging.size", "in": "body"}, [of(3), of(0)])[0]
    assert bodies == [{"q": 1, "paging": {"size": 3, "number": n}} for n in (1, 2)]
    graph = {"cursor": "info.endCursor", "more": "info.hasNextPage", "param": "variables.after", "in": "body"}
    answers = [of(3, info={"endCursor": "a", "hasNextPage": True}), of(1, info={"endCursor": "b", "hasNextPage": False})]
    assert walk(graph, answers) == ([{"q": 1}, {"q": 1, "variables": {"after": "a"}}], [], None)
    search_after = {"cursor": "data[-1].sort", "param": "search_after", "in": "body"}
    elastic = [{"data": [{"id": 1, "sort": [7, "x"]}]}, {"data": []}]
    assert walk(search_after, elastic)[0] == [{"q": 1}, {"q": 1, "search_after": [7, "x"]}]


@pytest.mark.parametrize(
    ("page", "is_post", "setting"),
    [
        (Page(headers={"link": "<?p=2>; rel=next"}), False, "pages: {link: next}"),
        (Page(document={"links": {"next": "/c?p=2"}}), False, "pages: {next: links.next}"),
        (Page(document={"@odata.nextLink": "https://a/c"}), False, 'pages: {next: "\\"@odata.nextLink\\""}'),
        (Page(document={"meta": {"next_cursor": "ab"}}), False, "pages: {cursor: meta.next_cursor, param: cursor}"),
        (Page(document={"nextPageToken": "ab"}), False, "pages: {cursor: nextPageToken, param: pageToken}"),
        (Page(document={"paging": {"next": {"after": "ab"}}}), False, "pages: {cursor: paging.next.after, param: after}"),
        (Page(document={"_links": {"next": {"href": "/c?p=2"}}}), False, "pages: {next: _links.next.href}"),
        (Page(document={"next_page": 2}, items=50), False, "pages: {page: page, size: 50}"),
        (Page(document={"total": 90}, items=30), False, "pages: {page: page, size: 30}"),
        (
            Page(document={"data": {"c": {"pageInfo": {"hasNextPage": True, "endCursor": "x"}}}}),
            True,
            "pages: {cursor: data.c.pageInfo.endCursor, more: data.c.pageInfo.hasNextPage, in: body, param: variables.after}",
        ),
    ],
)
def test_the_first_answer_suggests_what_to_declare(page, is_post, setting):
    """What the run's problem, `source test` and `config import` advise."""
    advice = suggest_pages(page, read_signals(page, "data.c.nodes"), is_post=is_post)

    assert advice is not None
    assert write_setting(advice) == setting
    read_json_settings({"method": "POST", "body": {}, "pages": advice})


def test_a_next_link_keeps_the_urls_credentials_and_on_demand_its_other_parameters():
    """What the owner wrote stays as it is written; what the link names itself is the link's."""
    base = "https://a.example/c?api_key=k%20&tenant=7&page=1"
    assert keep_credentials("https://a.example/c?p=2", base) == "https://a.example/c?p=2&api_key=k%20"
    assert keep_credentials("https://a.example/c?api_key=x", base) == "https://a.example/c?api_key=x"
    assert keep_params("https://a.example/c", base) == "https://a.example/c?api_key=k%20&tenant=7&page=1"
    assert lost_params("https://a.example/c?page=2", base) == ["api_key=k%20", "tenant=7"]


def test_headers_are_read_as_their_standards_say():
    """Link (RFC 8288) with commas, several links and relations; Content-Range (RFC 9110) with and without a total."""
    assert find_link('<a,b>; rel="prev", <c;d>; title="x, y"; rel=next') == "c;d"
    assert find_link("<a>; rel=\"next\", <b>; rel='next'") == "a"
    assert [find_link(text) for text in (None, "", "garbage", "<a>", '<a>; rel="nextish"')] == [None] * 5
    assert [read_range(t) for t in ("items 0-9/25", "0-9/25", "bytes */7", "x", None)] == [(10, 25), (10, 25), (0, 7), None, None]


def test_errors_with_status_200_are_found():
    """GraphQL's errors, flags and words of failure; empty ones are none."""
    bad = [{"errors": [1]}, {"error": "x"}, {"success": False}, {"status": "failed"}, {"error": {"code": 7}}]
    good = [{"errors": []}, {"error": None}, {"ok": True}, {"status": "done"}, {"error": {"code": 0, "message": ""}}, [], 7]

    assert [len(list(find_errors(document))) for document in [*bad, *good]] == [1] * len(bad) + [0] * len(good)
