"""The links of Markdown pages: where they lead, and which anchors a page has."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_CODE = r"^ *(?P<fence>```+|~~~+)[^\n]*\n.*?^ *(?P=fence)[ \t]*$|`+[^`\n]+`+|<!--.*?-->"
_LINK = re.compile(rf"{_CODE}|(?P<before>\]\()(?P<target>[^)\s]+)(?=[)\s])", re.MULTILINE | re.DOTALL)
"""Code, which is passed over, or the target of a link or picture."""
_HEADING = re.compile(rf"{_CODE}|^#{{1,6}} (?P<title>[^\n]+)$", re.MULTILINE | re.DOTALL)
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//")


@dataclass(frozen=True)
class Link:
    """A link to a file of this repository: as it is written, the file's path, and the heading."""

    written: str
    path: Path
    anchor: str


def find_links(page: Path) -> Iterator[Link]:
    """Yield the links of a page that lead to files; those to other hosts are left out."""
    for match in _LINK.finditer(page.read_text(encoding="utf-8")):
        if (target := match["target"]) and not _ELSEWHERE.match(target):
            yield _resolve(page, target)


def change_links(page: Path, change: Callable[[Link], str]) -> str:
    """Return the text of a page, its links to files replaced by what *change* makes of them."""

    def write(match: re.Match[str]) -> str:
        target = match["target"]
        return match[0] if not target or _ELSEWHERE.match(target) else match["before"] + change(_resolve(page, target))

    return _LINK.sub(write, page.read_text(encoding="utf-8"))


def _resolve(page: Path, target: str) -> Link:
    name, _, anchor = target.partition("#")
    return Link(target, Path(os.path.normpath(page.parent / name)) if name else page, anchor)


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as code hosts and the site make them."""
    found: set[str] = set()
    for match in _HEADING.finditer(page.read_text(encoding="utf-8")):
        if title := match["title"]:
            plain = re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", title.lower())).strip()
            slug = plain.replace(" ", "-")
            found.add(slug if slug not in found else f"{slug}-1")
    return frozenset(found)


def what_is_wrong(link: Link) -> str | None:
    """Return why a link leads nowhere; None if it does not."""
    page = link.path / "README.md" if link.path.is_dir() else link.path
    if not page.is_file():
        return f"{link.written}: the file is missing" if page == link.path else f"{link.written}: the folder has no README.md"
    if link.anchor and link.anchor not in anchors_of(page):
        return f"{link.written}: {page.name} has no such heading"
    return None
