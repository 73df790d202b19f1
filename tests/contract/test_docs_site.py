"""The documents as a site: built without a warning, whole in itself, and nothing of it asks another host."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from local.docs.site import ZENSICAL, build, pages_in_navigation

REQUESTED = {("a", "href"), ("area", "href"), ("form", "action")}
"""What leads elsewhere only when the reader follows it; any other address is requested at once."""
SKIPPED = {"code", "pre", "script", "style"}
MARKUP = re.compile(r"^(- |\* |```|\| ?---)|\| --- \||\*\*|\]\(", re.MULTILINE)
"""Markdown that was not understood."""


pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """A built page: where it leads, what it loads, its anchors, and its text without code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.text = ""
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self._inside += [tag] if tag in SKIPPED else []
        for name, value in attrs:
            if name == "id":
                self.anchors.add(value)
            if name in {"href", "src", "srcset", "action", "data", "poster"} and value is not None:
                (self.links if (tag, name) in REQUESTED else self.loads).append(value)

    def handle_endtag(self, tag):
        if self._inside[-1:] == [tag]:
            self._inside.pop()

    def handle_data(self, data):
        self.text += "" if self._inside else data


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Return the folder of the built site."""
    if not ZENSICAL.exists():
        pytest.skip("not run: no .bokit/docs; `make docs` sets it up")
    return build(tmp_path_factory.mktemp("docs"))


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Page]:
    """Return the built pages by their path."""
    return {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def is_elsewhere(address: str) -> bool:
    """Return whether an address names a host."""
    return bool(urlsplit(address).netloc)


def test_every_page_is_built(site, pages):
    """Each page of the navigation is a file; README.md is the index of its folder."""
    expected = {site / re.sub(r"README\.md$", "index.md", name).replace(".md", ".html") for name in pages_in_navigation()}

    assert set(pages) == expected | {site / "404.html"}


def test_no_page_or_style_loads_anything_from_another_host(site, pages):
    """Fonts, scripts, styles and pictures are the site's own."""
    loaded = {address for page in pages.values() for address in page.loads}
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    loaded |= set(re.findall(r"url\(\s*['\"]?(?!data:)([^'\")]+)", styles)) | set(re.findall(r"@import\s+['\"]([^'\"]+)", styles))

    assert {address for address in loaded if is_elsewhere(address)} == set()


def test_no_page_has_what_the_theme_fetches_from_elsewhere(pages):
    """The theme's script asks other hosts for diagrams, lightboxes, consoles and repositories: no page has any."""
    wanted = re.compile(r'class="[^"]*\b(mermaid|glightbox|pyodide|ace_editor)\b|data-md-component="source"')

    assert [path.name for path in pages if wanted.search(path.read_text(encoding="utf-8"))] == []


def test_every_link_of_the_site_leads_to_a_file_and_an_anchor_of_it(site, pages):
    """Also where the site makes other anchors than a code host."""
    wrong = []
    for path, page in pages.items():
        for written in (link for link in [*page.links, *page.loads] if not is_elsewhere(link) and path.name != "404.html"):
            parts = urlsplit(written)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            anchored = not parts.fragment or target not in pages or parts.fragment in pages[target].anchors
            if not parts.scheme and not (target.is_file() and anchored):
                wrong.append((str(path.relative_to(site)), written))

    assert wrong == []


def test_all_markdown_is_understood(pages):
    """A list without an empty line before it, for example, would be one paragraph on the site."""
    assert {path.name: MARKUP.findall(page.text) for path, page in pages.items() if MARKUP.search(page.text)} == {}
