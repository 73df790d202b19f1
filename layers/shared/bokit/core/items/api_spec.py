"""A JSON API as its operator declares it: how it is asked, where its items are, how its pages follow one another."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any

from bokit.core.items import limits
from bokit.core.items.paging import HEADER, PAST_THE_END, PageStyle, Pagination
from bokit.core.items.reader import read_expression
from bokit.core.items.settings import bad_setting, located
from bokit.core.model.collections import read_on_missing, read_paths
from bokit.core.model.documents import RESERVED
from bokit.core.model.options import read_flag, read_seconds
from bokit.core.model.records import Fields, Json
from bokit.errors import InputError
from bokit.values import Value, field, replace

METHODS = ("GET", "POST")
OVERLAP_SECONDS = 300
"""An incremental pass begins this long before the last one: clocks differ, and an API may show a write late."""
CLIENT_HEADERS = ("host", "content-length", "transfer-encoding", "connection", "accept-encoding")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_PARAM = re.compile(r"[^\s&=#?\x00-\x1f]{1,100}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class TimeFormat(StrEnum):
    """How the API reads times."""

    ISO = "iso"
    UNIX = "unix"
    DATE = "date"


class UpdatedSince(Value):
    """How an API is asked for what has changed since a time."""

    param: str
    format: TimeFormat = TimeFormat.ISO
    overlap: int = OVERLAP_SECONDS

    def write(self, at: datetime) -> str:
        """Return a time as this API reads it."""
        if self.format is TimeFormat.UNIX:
            return str(int(at.timestamp()))
        at = at.astimezone(UTC)
        return at.date().isoformat() if self.format is TimeFormat.DATE else f"{at:%Y-%m-%dT%H:%M:%SZ}"


class ApiSpec(Value):
    """How a JSON API is asked. Its URL is the source's."""

    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    """Values may be, or end in, ``secret:<name>``."""
    body: Json = None
    """Of a POST."""
    items: str | None = None
    """Where the items are; None: the document is the list."""
    pages: Pagination = field(default_factory=Pagination)
    since: UpdatedSince | None = None


# ── stored settings ──


def read_api(settings: Fields) -> ApiSpec:
    """Return how an API is asked, from settings that ``read_json_settings`` wrote."""
    since = settings.get("updated_since")
    return ApiSpec(
        method=settings.get("method", "GET"),
        headers=settings.get("headers", {}),
        body=settings.get("body"),
        items=settings.get("items"),
        pages=_read_pagination(settings.get("pages") or {}),
        since=UpdatedSince(**{**since, "format": TimeFormat(since.get("format", "iso"))}) if since else None,
    )


def _read_pagination(pages: Fields) -> Pagination:
    common = Pagination(
        in_body=pages.get("in") == "body",
        total=pages.get("total", ""),
        more=pages.get("more", ""),
        past_end=pages.get("past_end"),
        ignore=frozenset(pages.get("ignore", ())),
    )
    if "next" in pages:
        return replace(common, style=PageStyle.NEXT, where=pages["next"])
    if "link" in pages:
        return replace(common, style=PageStyle.LINK, where=pages["link"])
    if "cursor" in pages:
        return replace(common, style=PageStyle.CURSOR, where=pages["cursor"], param=pages["param"])
    if "page" in pages:
        size_param, first = pages.get("size_param", "size"), pages.get("first", 1)
        common = replace(common, finds_first="first" not in pages)
        return replace(common, style=PageStyle.PAGE, param=pages["page"], size=pages["size"], size_param=size_param, first=first)
    if "offset" in pages:
        size_param = pages.get("limit_param", "limit")
        return replace(common, style=PageStyle.OFFSET, param=pages["offset"], size=pages["limit"], size_param=size_param, first=0)
    return common


# ── settings as an operator writes them ──


def read_json_settings(values: Mapping[str, Any]) -> dict[str, Json]:
    """Return the settings of a JSON source as they are stored; raises InputError that begins with the path of what is wrong."""
    if unknown := [name for name in values if name not in JSON_READERS]:
        raise bad_setting(unknown[0], f"unknown; a JSON source has {', '.join(JSON_READERS)}")
    settings: dict[str, Any] = {"id": "id", "on_missing": "keep"}
    for name, read in JSON_READERS.items():
        if values.get(name) is not None:
            settings[name] = read(values[name], name)
    if "body" in settings and settings.get("method") != "POST":
        raise bad_setting("body", "goes with method: POST")
    if settings.get("method") != "POST" and (settings.get("pages") or {}).get("in") == "body":
        raise bad_setting("pages.in", "body goes with method: POST")
    read_api(settings)
    return settings


def _read_method(value: Any) -> str:
    if not isinstance(value, str) or value.upper() not in METHODS:
        raise InputError(f"not one of {', '.join(METHODS)}", code="bad-field")
    return value.upper()


def _read_headers(value: Any, path: str) -> dict[str, str]:
    if not isinstance(value, Mapping) or len(value) > limits.MAX_API_HEADERS:
        raise bad_setting(path, f"not a mapping of header: value, at most {limits.MAX_API_HEADERS} of them")
    return {_read_header_name(name, path): _read_header(text, f"{path}.{name}") for name, text in value.items()}


def _read_header_name(name: Any, path: str) -> str:
    if not isinstance(name, str) or not _HEADER.fullmatch(name):
        raise bad_setting(path, "not a header's name")
    if name.lower() in CLIENT_HEADERS:
        raise bad_setting(f"{path}.{name}", "is set by the client itself; leave it out")
    return name


def _read_header(value: Any, path: str) -> str:
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not text or len(text) > limits.MAX_API_HEADER_LENGTH or _CONTROL.search(text) or not text.isascii():
        least = f"text of 1 to {limits.MAX_API_HEADER_LENGTH} characters"
        raise bad_setting(path, f"not a header's value; write {least}, or secret:<name of a secret>")
    return text


def _read_fields(value: Any, path: str) -> dict[str, str]:
    if not isinstance(value, Mapping) or not value or len(value) > limits.MAX_MAPPED_FIELDS:
        most = f"at most {limits.MAX_MAPPED_FIELDS}"
        raise bad_setting(path, f"not a mapping of record field: where it is, {most}; leave it out for all fields")
    return {_read_field(name, path): located(read_expression)(where, f"{path}.{name}") for name, where in value.items()}


def _read_field(name: Any, path: str) -> str:
    is_name = isinstance(name, str) and 0 < len(name) <= limits.MAX_FIELD_NAME_LENGTH and not _CONTROL.search(name)
    if not is_name or name in RESERVED:
        raise bad_setting(path, f"not a field's name; it is text, and none of {', '.join(RESERVED)}")
    return str(name)


COMMON_PAGE_KEYS = ("total", "more", "ignore")
"""What any list may declare, also one of a single response."""
PAGE_KEYS = {
    "next": ("next", *COMMON_PAGE_KEYS),
    "link": ("link", *COMMON_PAGE_KEYS),
    "cursor": ("cursor", "param", "in", *COMMON_PAGE_KEYS),
    "page": ("page", "size", "size_param", "first", "in", "past_end", *COMMON_PAGE_KEYS),
    "offset": ("offset", "limit", "limit_param", "in", "past_end", *COMMON_PAGE_KEYS),
}
NEEDED_PAGE_KEY = {"page": "size", "offset": "limit", "cursor": "param"}
PAGE_PLACES = ("query", "body")
PAST_END_STATUSES = (400, *sorted(PAST_THE_END), 422)


def _read_pages(value: Any, path: str) -> dict[str, Json]:
    style = next((s for s in PAGE_KEYS if isinstance(value, Mapping) and s in value), "")
    keys = PAGE_KEYS.get(style, COMMON_PAGE_KEYS)
    if not isinstance(value, Mapping) or not value or (not style and not set(value) & set(COMMON_PAGE_KEYS)):
        styles = "{next: …}, {link: next}, {page: …, size: …}, {offset: …, limit: …} or {cursor: …, param: …}"
        raise bad_setting(path, f"write {styles}; with a single response {{ignore: […]}} alone")
    if unknown := [name for name in value if name not in keys]:
        raise bad_setting(path, f"unknown key {unknown[0]!r}; it has {', '.join(keys)}")
    if (needed := NEEDED_PAGE_KEY.get(style)) and needed not in value:
        raise bad_setting(f"{path}.{needed}", "missing")
    return {name: located(partial(_read_page_key, name))(key, f"{path}.{name}") for name, key in value.items()}


def _read_page_key(name: str, value: Any) -> Json:
    if name in ("size", "limit", "first"):
        least = 0 if name == "first" else 1
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= limits.MAX_PAGE_SIZE:
            raise InputError(f"not a number from {least} to {limits.MAX_PAGE_SIZE}", code="bad-field")
        return value
    if name in ("next", "cursor", "total", "more"):
        return read_place(value)
    if name == "ignore":
        return _read_ignored(value)
    if name == "in" or name == "past_end":
        return _read_choice(value, PAGE_PLACES if name == "in" else PAST_END_STATUSES)
    return _read_param(value)


def read_place(value: Any) -> str:
    """Return where a value is: a JMESPath expression, or ``header:`` and a header's name."""
    text = value.strip() if isinstance(value, str) else ""
    if not text.startswith(HEADER):
        return read_expression(value)
    if not _HEADER.fullmatch(text.removeprefix(HEADER)):
        raise InputError("not a header's name", code="bad-field")
    return text


def _read_ignored(value: Any) -> list[str]:
    places = [value] if isinstance(value, str) else value
    is_list = isinstance(places, list) and 0 < len(places) <= limits.MAX_IGNORED
    if not is_list or not all(isinstance(p, str) and 0 < len(p) <= limits.MAX_EXPRESSION_LENGTH for p in places):
        raise InputError(f"not a list of 1 to {limits.MAX_IGNORED} places, as the run's problem names them", code="bad-field")
    return list(places)


def _read_choice(value: Any, choices: tuple[Any, ...]) -> Json:
    if isinstance(value, bool) or value not in choices:
        raise InputError(f"not one of {', '.join(map(str, choices))}", code="bad-field")
    found: Json = value
    return found


def _read_param(value: Any) -> str:
    if not isinstance(value, str) or not _PARAM.fullmatch(value):
        raise InputError("not a parameter's name", code="bad-field")
    return value


def _read_since(value: Any, path: str) -> dict[str, Json]:
    if not isinstance(value, Mapping) or "param" not in value or set(value) - {"param", "format", "overlap"}:
        raise bad_setting(path, "write {param: …}, and perhaps format: iso, unix or date, and overlap: seconds")
    since: dict[str, Json] = {"param": located(_read_param)(value["param"], f"{path}.param")}
    if "format" in value:
        if value["format"] not in tuple(TimeFormat):
            raise bad_setting(f"{path}.format", f"not one of {', '.join(TimeFormat)}")
        since["format"] = str(value["format"])
    if "overlap" in value:
        since["overlap"] = located(read_seconds)(value["overlap"], f"{path}.overlap")
    return since


JSON_READERS: Mapping[str, Callable[[Any, str], Any]] = {
    "method": located(_read_method),
    "headers": _read_headers,
    "body": lambda value, path: value,
    "items": located(read_expression),
    "id": located(read_expression),
    "fields": _read_fields,
    "without": located(lambda value: list(read_paths(value))),
    "volatile": located(lambda value: list(read_paths(value))),
    "deleted": located(read_expression),
    "pages": _read_pages,
    "updated_since": _read_since,
    "new_only": located(read_flag),
    "on_missing": located(read_on_missing),
}
