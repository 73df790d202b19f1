"""A test app whose source is a long list: an API of pages that can be changed, cut short, and asked to die."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

import bokit.core.items.long_lists
import bokit.engine.lists.limits
import bokit.engine.lists.records
import bokit.engine.lists.session
import bokit.engine.sync.sync
import bokit.sources.limits
from bokit.net.response import SafeResponse
from tests.support.json_app import JsonApp
from tests.support.rows_app import Died

SIZE = 10
"""Items of a page."""


def shrink_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list is long after two pages of ten; buckets, batches and checkpoints are as small."""
    monkeypatch.setattr(bokit.sources.limits, "MAX_BODY_ITEMS", 2 * SIZE)
    monkeypatch.setattr(bokit.sources.limits, "MIN_LONG_PAGE_ITEMS", 1)
    monkeypatch.setattr(bokit.engine.sync.sync, "MAX_BODY_ITEMS", 2 * SIZE)
    monkeypatch.setattr(bokit.core.items.long_lists, "BUCKET_ITEMS", 2 * SIZE)
    monkeypatch.setattr(bokit.engine.lists.parts, "BATCH", SIZE // 2)
    monkeypatch.setattr(bokit.engine.lists.session, "CHECKPOINT_ITEMS", SIZE // 2)


class PagedApi:
    """Answers pages by number, offset, cursor or link, as the request asks for them."""

    def __init__(self, count: int) -> None:
        self.items: list[dict[str, Any]] = [make_item(n) for n in range(1, count + 1)]
        self.requests: list[str] = []
        self.lost: range = range(0)
        self.fault: Any = None
        """Called with the number of a request and its page: what it returns is answered, if it is not None."""
        self.die_at: int | None = None
        """The process dies at this request."""
        self.headers: dict[str, str] = {}
        self.extra: dict[str, Any] = {}
        """What each page says besides."""

    def request(
        self, method: str, url: str, *, headers: Any = None, data: bytes | None = None, timeout: float | None = None
    ) -> SafeResponse:
        self.requests.append(url)
        if self.die_at is not None and len(self.requests) >= self.die_at:
            raise Died
        parts, query = urlsplit(url), dict(parse_qsl(urlsplit(url).query))
        document = self._page(parts.path.rpartition("/")[2], query)
        status, changed = (self.fault and self.fault(len(self.requests), query, document)) or (200, document)
        body = b"" if status >= 300 else json.dumps(changed).encode()
        return SafeResponse(url="https://api.example/", status=status, headers=self.headers, body=body)

    def _page(self, style: str, query: dict[str, str]) -> Any:
        rows = [i for i in self.items if i.get("at", "") >= query.get("since", "")]
        if style == "paged":
            start = (int(query["page"]) - 1) * SIZE
            return [] if start < 0 else rows[start : start + SIZE]
        start = int(query.get("cursor") or query.get("from") or 0)
        end = start + SIZE
        following = end if end < len(rows) else None
        link = f"/api/linked?key={query.get('key')}&from={following}" if following else None
        return {"data": rows[start:end], "cursor": following and str(following), "next": link, **self.extra}


def make_item(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": number, "name": f"Client {number}", "email": f"c{number}@x.example", **fields}


class LongListApp(JsonApp):
    """Bokit with a paged API of many items."""

    def __init__(self, count: int = 100, style: str = "paged", store: Any = None, **source: Any) -> None:
        self.paged = PagedApi(count)
        styles: dict[str, dict[str, Any]] = {
            "paged": {"items": None, "pages": {"page": "page", "size": SIZE, "first": 1}},
            "cursor": {"items": "data", "pages": {"cursor": "cursor", "param": "cursor"}},
            "linked": {"items": "data", "pages": {"next": "next"}, "url": "https://crm.example/api/linked?key=SENTINEL"},
        }
        super().__init__(store, **{"url": f"https://crm.example/api/{style}", "headers": None, **styles[style], **source})

    def assemble(self, store: Any) -> Any:
        self.line = self.paged  # type: ignore[assignment]
        return super().assemble(store)

    def report(self, **asked: Any) -> Any:
        """Sync, and return the source's report."""
        return self.sync(**asked).sources[0]

    def shown(self) -> dict[str, tuple[dict[str, Any], str]]:
        """Return fields and presence of every record, by key."""
        return {r.key: (dict(r.fields), str(r.presence)) for r in self.records()}

    def presence(self) -> dict[str, set[int]]:
        """Return the keys by presence."""
        found: dict[str, set[int]] = {}
        for key, (_, presence) in self.shown().items():
            found.setdefault(presence, set()).add(int(key))
        return found
