"""Lists of records over HTTP: filtered, followed by time, and read with bounded work for each page."""

from __future__ import annotations

import json

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.engine.records import listing
from bokit.http.limits import MAX_TEXT_LENGTH
from tests.support.caller import ApiApp, Caller

TEAM = "/collections/team/records"
MEMBERS = {
    "1": {"name": "Ada", "level": 7, "address": {"city": "London"}, "active": True},
    "2": {"name": "Bob", "level": "7", "address": {"city": "Rome"}, "active": False},
    "3": {"name": "Ada", "level": 1.5, "address.city": "Paris", "big": 2**60},
}


@pytest.fixture(params=[1, 4])
def caller(app: ApiApp, request: pytest.FixtureRequest) -> Caller:
    """The caller, with three members of a team, in one bucket or in four."""
    app.bokit.catalog.collections.declare(DEFAULT_TENANT, {"name": "team", "buckets": request.param})
    for key, member in MEMBERS.items():
        app.caller.ask("PUT", f"{TEAM}/{key}", member)
    return app.caller


def ids(caller: Caller, **query: str) -> list[str]:
    return sorted(record["id"] for record in caller.every(TEAM, **query))


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"name": "Ada"}, ["1", "3"]),
        ({"level": "7"}, ["1", "2"]),
        ({"level": "1.5"}, ["3"]),
        ({"active": "true"}, ["1"]),
        ({"active": "null"}, ["3"]),
        ({"address.city": "London"}, ["1"]),
        ({"address.city": "Paris"}, ["3"]),
        ({"big": str(2**60)}, ["3"]),
        ({"id": "2"}, ["2"]),
        ({"name": "Ada", "level": "7"}, ["1"]),
        ({"address": json.dumps({"city": "Rome"})}, []),
        ({"name": "ada"}, []),
    ],
)
def test_a_filter_compares_the_text_of_a_value(caller: Caller, fields: dict[str, str], found: list[str]) -> None:
    """A text as it is, other values as JSON; all of several fields; objects are compared with nothing."""
    assert ids(caller, **{f"filter[{name}]": value for name, value in fields.items()}) == found


def test_a_wrong_filter_is_refused(app: ApiApp, caller: Caller) -> None:
    """Without a field, with too many of them, too long, not a path, or one that the schema excludes."""
    strict = {"name": "strict", "schema": {"properties": {"a": {}}, "additionalProperties": False}}
    app.bokit.catalog.collections.declare(DEFAULT_TENANT, strict)
    many, long = {f"filter[f{n}]": "" for n in range(11)}, "x" * (MAX_TEXT_LENGTH + 1)
    wrong = ({"filter": "x"}, {"filter[a..b]": "x"}, {"filter[a]": long}, many)
    answers = [caller.ask("GET", TEAM, query=query) for query in wrong]
    answers.append(caller.ask("GET", "/collections/strict/records", query={"filter[b.c]": "x"}))

    assert [(a.status, a.doc["errors"][0]["field"]) for a in answers] == [(422, "filter")] * 5
    assert caller.ask("GET", "/collections/strict/records", query={"filter[a.c]": "x", "filter[id]": "1"}).status == 200
    assert caller.ask("GET", "/units", query={"filter[a]": "x"}).code == "unknown-parameter"


def test_a_page_reads_only_so_much(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page without records has a cursor where more are to be read; to the end, each is found once."""
    monkeypatch.setattr(listing, "MAX_LIST_COST", 5)
    monkeypatch.setattr(listing, "WALK_PAGE", 1)
    pages, cursor = [], None
    while not pages or cursor:
        page = caller.get(TEAM, **{"filter[name]": "Bob"}, **({"cursor": cursor} if cursor else {}))
        pages.append([record["id"] for record in page["items"]])
        cursor = page["cursor"]

    assert [record for page in pages for record in page] == ["2"]
    assert len(pages) >= 3
    other = caller.get(TEAM, limit=1)["cursor"]
    assert caller.ask("GET", TEAM, query={"cursor": other, "filter[name]": "Bob"}).code == "bad-cursor"


def test_a_client_follows_a_collection_with_since(app: ApiApp, caller: Caller) -> None:
    """What was written, edited and deleted after it, once each at least; what did not change long ago, not at all."""
    app.clock.move(hours=3)
    since = caller.get(TEAM)["since"]
    app.clock.move(minutes=10)
    caller.ask("DELETE", f"{TEAM}/1")
    caller.ask("PUT", f"{TEAM}/4", {"name": "Eve"})
    later = caller.get(TEAM, limit=1, since=since)

    assert ids(caller, since=since) == ["1", "4"]
    assert ids(caller, since=since, presence="gone") == ["1"]
    assert ids(caller, since=since.replace("Z", "+00:00")) == ids(caller, since=since.replace("Z", " 00:00")) == ["1", "4"]
    assert caller.get(TEAM, limit=1, since=since, cursor=later["cursor"])["since"] == later["since"] > since
    app.clock.move(hours=2)
    assert ids(caller, since=caller.get(TEAM)["since"]) == []
    for wrong in ("yesterday", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z"):
        assert caller.ask("GET", TEAM, query={"since": wrong}).doc["errors"][0]["field"] == "since"


def test_times_and_the_writer_are_bokits_own(app: ApiApp, caller: Caller) -> None:
    """What a client sends for them is not taken, and named; the page of changes says who and when."""
    before = caller.get(f"{TEAM}/1")
    app.clock.move(minutes=1)
    own = {"createdAt": "1999-01-01", "updatedAt": "1999-01-01", "updatedBy": "eve"}

    answers = [caller.ask("PUT", f"{TEAM}/1", {**own, "level": 8}), caller.ask("PATCH", f"{TEAM}/1", {**own, "level": 9})]

    for answer in answers:
        assert set(answer.doc["preserved"]) == set(own)
        assert answer.doc["record"]["createdAt"] == before["createdAt"]
        assert answer.doc["record"]["updatedBy"] == answer.doc["record"]["_meta"]["updated_by"] == "token:tok_tests"
        assert answer.doc["record"]["updatedAt"] == answer.doc["record"]["_meta"]["updated_at"] > before["updatedAt"]
