"""A back office's client API: 122 clients behind a key, every usual pagination, a rate limit and faults.

    /api/clients                                       all clients: {"data": [...], "total": 122}
    /api/linked?size=50                                pages by next link: {"data": [...], "links": {"next": "/api/linked?..."}}
    /api/paged?page=1&size=50                          pages by number, from 1 on: a list
    /api/offset?offset=0&limit=50                      pages by offset: {"items": [...], "total": 122}
    /api/cursor?cursor=...&size=50                     pages by cursor: {"results": [...], "meta": {"next": "..." | null}}

All take ``?since=2026-11-20T09:00:00Z`` (changed since then) and need ``Authorization: Bearer sim-key``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import urlencode

from simulator.faults import SimulatedResponse
from simulator.model import SimulatorError

Client = dict[str, Any]
CLIENT_COUNT = 122
KEY = "sim-key"
MAX_PAGE_SIZE = 100
JSON = "application/json"
_NAMES = ("Ada", "Bruno", "Chiara", "Dario", "Elif", "Farid", "Gina", "Hugo", "Ines", "Jonas", "Klara", "Luca", "Mira", "Nils")
_FAMILIES = ("Amato", "Bianchi", "Costa", "Duarte", "Egger", "Fischer", "Greco", "Huber", "Ivanov", "Janssen", "Keller", "Lindt")
_CITIES = ("Roma", "Torino", "Genova", "Lyon", "Graz", "Porto", "Gent", "Bergen")


@dataclass(slots=True)
class ClientApi:
    """The API's clients by id, its limits and faults. Equal seeds and equal commands give equal bytes."""

    clients: dict[int, Client]
    key: str = KEY
    limit: int = 0
    """Every request after so many is answered 429; 0: no limit."""
    pause: int = 2
    """Retry-After of a 429, in seconds."""
    faults: list[list[Any]] = field(default_factory=list)
    """Queued faults: kind, and the responses that it still affects (None: until cleared)."""
    asked: int = 0
    """Authorized requests so far."""

    # commands

    def add(self, now: datetime, **fields: Any) -> int:
        """Add a client and return its id."""
        number = max(self.clients, default=0) + 1
        self.clients[number] = {**_make(Random(f"client-{number}"), number, now), **fields, "id": number}
        return number

    def change(self, number: int, now: datetime, **fields: Any) -> None:
        """Change a client."""
        client = self._find(number)
        self.clients[number] = {**client, **fields, "id": number, "updated_at": _stamp(now)}

    def remove(self, number: int) -> None:
        """Delete a client."""
        self._find(number)
        del self.clients[number]

    def fault(self, kind: str, times: int | None = None) -> None:
        """Queue a fault for *times* responses, or until cleared."""
        if kind not in FAULTS:
            raise SimulatorError(f"no such fault: {kind}; faults are {', '.join(FAULTS)}")
        self.faults.append([kind, times])

    def clear(self) -> None:
        """Remove all faults."""
        self.faults.clear()

    def _find(self, number: int) -> Client:
        if number not in self.clients:
            raise SimulatorError(f"no such client: {number}")
        return self.clients[number]

    # responses

    def answer(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> SimulatedResponse:
        """Return the response to a request; *path* begins with ``/api/``, names of *headers* are in lower case."""
        if headers.get("authorization") != f"Bearer {self.key}":
            return _json({"error": "unauthorized"}, 401)
        self.asked += 1
        if self.limit and self.asked % (self.limit + 1) == 0:
            return _json({"error": "slow down"}, 429, {"Retry-After": str(self.pause)})
        style = _STYLES.get(path.removeprefix("/api/").strip("/"))
        if style is None:
            return _json({"error": "not found"}, 404)
        try:
            return self._apply_fault(style(self._select(query), query))
        except ValueError:
            return _json({"error": "bad request"}, 400)

    def _select(self, query: Mapping[str, str]) -> list[Client]:
        clients = [self.clients[number] for number in sorted(self.clients)]
        since = query.get("since")
        return [c for c in clients if c["updated_at"] >= since] if since else clients

    def _apply_fault(self, document: Any) -> SimulatedResponse:
        if not self.faults:
            return _json(document)
        kind, left = self.faults[0]
        if left is not None:
            self.faults[0][1] = left - 1
            if left <= 1:
                self.faults.pop(0)
        return FAULTS[kind](document, self.asked)


# pagination


def _all(clients: list[Client], query: Mapping[str, str]) -> Any:
    return {"data": clients, "total": len(clients)}


def _linked(clients: list[Client], query: Mapping[str, str]) -> Any:
    start, size = int(query.get("from", 0)), _size(query, "size")
    end = start + size
    kept = {name: value for name, value in query.items() if name != "from"}
    link = f"/api/linked?{urlencode({**kept, 'from': end})}" if end < len(clients) else None
    return {"data": clients[start:end], "links": {"next": link}}


def _paged(clients: list[Client], query: Mapping[str, str]) -> Any:
    number, size = int(query.get("page", 1)), _size(query, "size")
    return clients[(number - 1) * size : number * size] if number >= 1 else []


def _offset(clients: list[Client], query: Mapping[str, str]) -> Any:
    start = int(query.get("offset", 0))
    return {"items": clients[start : start + _size(query, "limit")], "total": len(clients)}


def _cursor(clients: list[Client], query: Mapping[str, str]) -> Any:
    cursor, size = query.get("cursor"), _size(query, "size")
    after = int(base64.urlsafe_b64decode(cursor.encode()).decode().removeprefix("after:")) if cursor else 0
    rest = [c for c in clients if c["id"] > after]
    last = rest[size - 1]["id"] if len(rest) > size else None
    return {"results": rest[:size], "meta": {"next": None if last is None else _make_cursor(last)}}


def _make_cursor(after: int) -> str:
    return base64.urlsafe_b64encode(f"after:{after}".encode()).decode()


def _size(query: Mapping[str, str], name: str) -> int:
    return max(1, min(MAX_PAGE_SIZE, int(query.get(name, 50))))


_STYLES: Mapping[str, Callable[[list[Client], Mapping[str, str]], Any]] = {
    "clients": _all,
    "linked": _linked,
    "paged": _paged,
    "offset": _offset,
    "cursor": _cursor,
}


# faults


def _items(document: Any) -> list[Client]:
    """Return the list of items in a page of any style."""
    if isinstance(document, list):
        return document
    return next(value for value in document.values() if isinstance(value, list))


def _with_items(document: Any, items: list[Client]) -> Any:
    if isinstance(document, list):
        return items
    return {name: items if isinstance(value, list) else value for name, value in document.items()}


def _changed(change: Callable[[list[Client]], list[Client]]) -> Callable[[Any, int], SimulatedResponse]:
    return lambda document, asked: _json(_with_items(document, change(_items(document))))


def _endless(document: Any, asked: int) -> SimulatedResponse:
    """Return a page with a new client and a link to another page, without end."""
    items = [{"id": 1_000_000 + asked, "name": "One more", "updated_at": "2026-01-01T00:00:00Z"}]
    if isinstance(document, list):
        return _json(items)
    linked = {"links": {"next": f"/api/linked?from={asked}&size=1"}, "meta": {"next": _make_cursor(asked)}}
    return _json({**_with_items(document, items), **{n: v for n, v in linked.items() if n in document}})


def _same_cursor(document: Any, asked: int) -> SimulatedResponse:
    kept = {"links": {"next": "/api/linked?from=1&size=50"}, "meta": {"next": _make_cursor(1)}}
    return _json({**document, **{n: v for n, v in kept.items() if n in document}} if isinstance(document, dict) else document)


def _twice(items: list[Client]) -> list[Client]:
    return [*items, {**items[0], "name": "Somebody Else"}] if items else items


def _plain(status: int, body: bytes, content_type: str = "text/html", **headers: str) -> Callable[[Any, int], SimulatedResponse]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda document, asked: SimulatedResponse(status=status, body=body, content_type=content_type, headers=sent)


FAULTS: Mapping[str, Callable[[Any, int], SimulatedResponse]] = {
    "html": _plain(200, b"<!DOCTYPE html><title>Sign in</title>Please sign in"),
    "not-json": _plain(200, b"{'id': 1}", JSON),
    "truncated": lambda document, asked: SimulatedResponse(body=json.dumps(document).encode()[:-20], content_type=JSON),
    "nothing": _plain(200, b"", JSON),
    "no-items": _plain(200, b'{"error": "maintenance"}', JSON),
    "empty": _changed(lambda items: []),
    "half": _changed(lambda items: items[::2]),
    "duplicate-ids": _changed(_twice),
    "no-id": _changed(lambda items: [{k: v for k, v in items[0].items() if k != "id"}, *items[1:]] if items else items),
    "other-type": _changed(lambda items: [{**c, "name": {"first": c["name"]}} for c in items]),
    "bad-email": _changed(lambda items: [{**c, "contact": {**c["contact"], "email": 7}} for c in items[:1]] + items[1:]),
    "endless": _endless,
    "same-cursor": _same_cursor,
    "401": _plain(401, b"Unauthorized"),
    "403": _plain(403, b"Forbidden"),
    "404": _plain(404, b"Not found"),
    "429": _plain(429, b"Too many requests", Retry_After="2"),
    "500": _plain(500, b"Internal error"),
    "503": _plain(503, b"Unavailable", Retry_After="600"),
}


def _json(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> SimulatedResponse:
    body = json.dumps(document, ensure_ascii=False).encode()
    return SimulatedResponse(status=status, body=body, content_type=JSON, headers=headers or {})


# making clients, reading and writing state


def make_clients(seed: int, now: datetime, count: int = CLIENT_COUNT) -> ClientApi:
    """Return an API of *count* clients, one changed on each of the days before *now*."""
    rng = Random(f"clients-{seed}")
    made = (_make(rng, n, now - timedelta(days=count - n + 1)) for n in range(1, count + 1))
    return ClientApi(clients={client["id"]: client for client in made})


def _make(rng: Random, number: int, at: datetime) -> Client:
    name, family = rng.choice(_NAMES), rng.choice(_FAMILIES)
    return {
        "id": number,
        "name": f"{name} {family}",
        "vip": rng.random() < 0.1,
        "discount": rng.choice((0, 0, 5, 7.5, 10)),
        "contact": {"email": f"{name}.{family}.{number}@clients.example".lower(), "phone": f"+39 333 {rng.randrange(10**7):07}"},
        "addresses": [{"kind": "home", "city": rng.choice(_CITIES), "zip": f"{rng.randrange(10**5):05}"}],
        "tags": sorted(rng.sample(("beach", "dogs", "families", "long stay", "skiing"), rng.randrange(3))),
        "createdAt": _stamp(at - timedelta(days=200)),
        "updated_at": _stamp(at),
    }


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def api_as_dict(api: ClientApi) -> dict[str, Any]:
    """Return *api* as JSON types."""
    return {
        "clients": list(api.clients.values()),
        "key": api.key,
        "limit": api.limit,
        "pause": api.pause,
        "faults": api.faults,
        "asked": api.asked,
    }


def read_api(document: Mapping[str, Any]) -> ClientApi:
    """Return the API that :func:`api_as_dict` wrote."""
    return ClientApi(**{**document, "clients": {client["id"]: client for client in document["clients"]}})
