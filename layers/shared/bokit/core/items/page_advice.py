"""What to write into ``pages``, judged by a response that says that there is more."""

from __future__ import annotations

import json
from collections.abc import Mapping

from bokit.core.items.page_signals import VALUES, Page, Signal, Signals
from bokit.core.model.records import Json

PARAMS = {
    "nextpagetoken": "pageToken",
    "nexttoken": "next_token",
    "continuationtoken": "continuationToken",
    "continuation": "continuation",
    "nextoffset": "offset",
    "nextbatch": "batch",
}
"""The parameter that usually takes a cursor of this name; else ``cursor``."""
_LINKS = ("http://", "https://", "/", "?")


def suggest_pages(page: Page, signals: Signals, *, is_post: bool = False) -> dict[str, Json] | None:
    """Return the `pages` that would follow *signals*; None if nothing is said of how."""
    if any(s.where == "Link" for s in signals.more):
        return {"link": "next"}
    if graph := _find_page_info(page.document, ()):
        place = {"in": "body", "param": "variables.after"} if is_post else {"param": "after"}
        return {"cursor": f"{graph}.endCursor", "more": f"{graph}.hasNextPage", **place}
    for signal in signals.more:
        if isinstance(signal.value, bool) or signal.value is None:
            continue
        return _follow(signal, page)
    return {"page": "page", "size": page.items or 100} if signals.more or signals.totals or signals.page_totals else None


def _follow(signal: Signal, page: Page) -> dict[str, Json]:
    where = signal.where if "." in signal.where or not signal.where.startswith("x-") else f"header:{signal.where}"
    last = where.rpartition(".")[2].removeprefix("header:")
    if isinstance(signal.value, str) and signal.value.startswith(_LINKS):
        return {"next": where}
    if isinstance(signal.value, int) and signal.name in ("next", "nextpage"):
        return {"page": "page", "size": page.items or 100}
    return {"cursor": where, "param": last if last in VALUES else PARAMS.get(signal.name, "cursor")}


def _find_page_info(document: Json, path: tuple[str, ...]) -> str | None:
    """Return where GraphQL's information on pages is."""
    if not isinstance(document, Mapping) or len(path) > 6:
        return None
    for name, value in document.items():
        if name == "pageInfo" and isinstance(value, Mapping) and value.get("hasNextPage") and value.get("endCursor"):
            return ".".join((*path, name))
        if found := _find_page_info(value, (*path, str(name))):
            return found
    return None


def write_setting(pages: Mapping[str, Json]) -> str:
    """Return a setting as one writes it into the config file.

    >>> write_setting({"next": "links.next"}), write_setting({"page": "page", "size": 100})
    ('pages: {next: links.next}', 'pages: {page: page, size: 100}')
    """
    return f"pages: {{{', '.join(f'{name}: {_write(value)}' for name, value in pages.items())}}}"


def _write(value: Json) -> str:
    text = str(value)
    return text if text.replace(".", "").replace("_", "").replace("-", "").isalnum() else json.dumps(text)
