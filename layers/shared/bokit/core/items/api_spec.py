"""What an operator says of a JSON API: how it is asked, where its items are, how its pages follow one another."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any

from bokit.core.items.reader import read_expression
from bokit.core.model.collections import read_on_missing
from bokit.core.model.options import read_flag, read_seconds
from bokit.core.model.records import Json
from bokit.errors import BokitError, InputError

METHODS = ("GET", "POST")
LARGEST_PAGE = 10_000
OVERLAP = 300
"""Seconds before the last pass at which an incremental one begins: clocks differ, and writes settle late."""
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_PARAM = re.compile(r"[^\s&=#?\x00-\x1f]{1,100}")
_BAD_TEXT = re.compile(r"[\x00-\x1f\x7f]")
OURS = ("host", "content-length", "transfer-encoding", "connection", "accept-encoding")


class PageStyle(StrEnum):
    """How one page leads to the next."""

    NONE = "none"
    NEXT = "next"
    PAGE = "page"
    OFFSET = "offset"
    CURSOR = "cursor"


class SinceFormat(StrEnum):
    """How a time is told to the API."""

    ISO = "iso"
    UNIX = "unix"
    DATE = "date"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """How the pages of an API follow one another."""

    style: PageStyle = PageStyle.NONE
    where: str = ""
    """NEXT, CURSOR: where in the document the link or the cursor is."""
    param: str = ""
    """PAGE, OFFSET, CURSOR: the parameter that tells the page."""
    size: int = 0
    size_param: str = ""
    first: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """How an API is asked for what changed lately."""

    param: str
    format: SinceFormat = SinceFormat.ISO
    overlap: int = OVERLAP

    def write(self, at: datetime) -> str:
        """Return a time as this API reads it."""
        if self.format is SinceFormat.UNIX:
            return str(int(at.timestamp()))
        at = at.astimezone(UTC)
        return at.date().isoformat() if self.format is SinceFormat.DATE else f"{at:%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSpec:
    """A JSON API as its operator declares it; its URL stands in the source."""

    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    """Values may be, or end in, ``secret:<name>``."""
    body: Json = None
    """Of a POST."""
    items: str | None = None
    """Where the items are; None: the document is the list."""
    pages: Pages = Pages()
    since: Since | None = None


SETTINGS = (
    "method",
    "headers",
    "body",
    "items",
    "id",
    "fields",
    "pages",
    "updated_since",
    "new_only",
    "on_missing",
)


def read_json_settings(told: Mapping[str, Any]) -> dict[str, Json]:
    """Return the settings of a JSON source as they are stored; raises InputError that begins with the path of what is wrong."""
    if unknown := [name for name in told if name not in SETTINGS]:
        raise _wrong(unknown[0], f"unknown; a JSON source has {', '.join(SETTINGS)}")
    settings: dict[str, Json] = {
        "id": _read(told, "id", read_expression) or "id",
        "on_missing": _read(told, "on_missing", read_on_missing) or "keep",
    }
    for name, read in (("method", _read_method), ("items", read_expression), ("new_only", read_flag)):
        if (value := _read(told, name, read)) is not None:
            settings[name] = value
    for name, read_part in (
        ("headers", _read_headers),
        ("fields", _read_fields),
        ("pages", _read_pages),
        ("updated_since", _read_since),
    ):
        if told.get(name) is not None:
            settings[name] = read_part(told[name], name)
    if told.get("body") is not None:
        settings["body"] = told["body"]
    if settings.get("body") is not None and settings.get("method") != "POST":
        raise _wrong("body", "goes with method: POST")
    read_api(settings)
    return settings


def read_api(settings: Mapping[str, Json]) -> ApiSpec:
    """Return how an API is asked, of settings that ``read_json_settings`` wrote."""
    since = settings.get("updated_since")
    return ApiSpec(
        method=settings.get("method", "GET"),
        headers=settings.get("headers", {}),
        body=settings.get("body"),
        items=settings.get("items"),
        pages=_pages_of(settings.get("pages") or {}),
        since=None
        if not since
        else Since(
            param=since["param"],
            format=SinceFormat(since.get("format", "iso")),
            overlap=since.get("overlap", OVERLAP),
        ),
    )


def _pages_of(told: Mapping[str, Json]) -> Pages:
    if "next" in told:
        return Pages(style=PageStyle.NEXT, where=told["next"])
    if "cursor" in told:
        return Pages(style=PageStyle.CURSOR, where=told["cursor"], param=told["param"])
    if "page" in told:
        return Pages(
            style=PageStyle.PAGE,
            param=told["page"],
            size=told["size"],
            size_param=told.get("size_param", "size"),
            first=told.get("first", 1),
        )
    if "offset" in told:
        return Pages(
            style=PageStyle.OFFSET, param=told["offset"], size=told["limit"], size_param=told.get("limit_param", "limit"), first=0
        )
    return Pages()


def _read_method(value: Any) -> str:
    if not isinstance(value, str) or value.upper() not in METHODS:
        raise InputError(f"not one of {', '.join(METHODS)}", code="bad-field")
    return value.upper()


def _read_headers(told: Any, path: str) -> dict[str, str]:
    if not isinstance(told, Mapping) or len(told) > 50:
        raise _wrong(path, "not a mapping of header: value")
    return {_read_header_name(name, path): _read_header(value, f"{path}.{name}") for name, value in told.items()}


def _read_header_name(name: Any, path: str) -> str:
    if not isinstance(name, str) or not _HEADER.fullmatch(name):
        raise _wrong(path, "not a header's name")
    if name.lower() in OURS:
        raise _wrong(f"{path}.{name}", "is set by the client itself; leave it out")
    return name


def _read_header(value: Any, path: str) -> str:
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not text or len(text) > 4000 or _BAD_TEXT.search(text) or not text.isascii():
        raise _wrong(path, "not a header's value; write text, or secret:<name of a secret>")
    return text


def _read_fields(told: Any, path: str) -> dict[str, str]:
    if not isinstance(told, Mapping) or not told or len(told) > 1000:
        raise _wrong(path, "not a mapping of record field: where it is; leave it out for all fields")
    return {_read_field(name, path): _at(f"{path}.{name}", partial(read_expression, where)) for name, where in told.items()}


def _read_field(name: Any, path: str) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= 200 or name.startswith("_") or _BAD_TEXT.search(name):
        raise _wrong(path, "not a field's name; it is text that does not begin with an underscore")
    return name


_PAGE_KEYS = {
    "next": ("next",),
    "cursor": ("cursor", "param"),
    "page": ("page", "size", "size_param", "first"),
    "offset": ("offset", "limit", "limit_param"),
}


def _read_pages(told: Any, path: str) -> dict[str, Json]:
    style = next((s for s in _PAGE_KEYS if isinstance(told, Mapping) and s in told), None)
    if style is None:
        raise _wrong(path, "write {next: …}, {page: …, size: …}, {offset: …, limit: …} or {cursor: …, param: …}")
    if unknown := [name for name in told if name not in _PAGE_KEYS[style]]:
        raise _wrong(path, f"unknown key {unknown[0]!r}; it has {', '.join(_PAGE_KEYS[style])}")
    needed = {"page": "size", "offset": "limit", "cursor": "param"}.get(style)
    if needed and needed not in told:
        raise _wrong(f"{path}.{needed}", "missing")
    return {name: _at(f"{path}.{name}", partial(_read_page_part, name, told[name], style)) for name in told}


def _read_page_part(name: str, value: Any, style: str) -> Json:
    if name in ("size", "limit", "first"):
        least = 0 if name == "first" else 1
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST_PAGE:
            raise InputError(f"not a number from {least} to {LARGEST_PAGE}", code="bad-field")
        return value
    if name == "next" or (name == "cursor" and style == "cursor"):
        return read_expression(value)
    return _read_param(value)


def _read_param(value: Any) -> str:
    if not isinstance(value, str) or not _PARAM.fullmatch(value):
        raise InputError("not a parameter's name", code="bad-field")
    return value


def _read_since(told: Any, path: str) -> dict[str, Json]:
    if not isinstance(told, Mapping) or "param" not in told or set(told) - {"param", "format", "overlap"}:
        raise _wrong(path, "write {param: …}, and perhaps format: iso, unix or date, and overlap: seconds")
    since: dict[str, Json] = {"param": _at(f"{path}.param", lambda: _read_param(told["param"]))}
    if "format" in told:
        if told["format"] not in tuple(SinceFormat):
            raise _wrong(f"{path}.format", f"not one of {', '.join(SinceFormat)}")
        since["format"] = str(told["format"])
    if "overlap" in told:
        since["overlap"] = _at(f"{path}.overlap", lambda: read_seconds(told["overlap"]))
    return since


def _read(told: Mapping[str, Any], name: str, read: Callable[[Any], Any]) -> Any:
    return None if told.get(name) is None else _at(name, lambda: read(told[name]))


def _at(path: str, read: Callable[[], Any]) -> Any:
    """Return what *read* does, its errors led by *path*."""
    try:
        return read()
    except BokitError as error:
        raise _wrong(path, error.message) from None


def _wrong(path: str, what: str) -> InputError:
    return InputError(f"{path}: {what}", code="bad-config")
