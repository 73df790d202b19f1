"""Every link of the documents leads somewhere, and every page stands in the site's navigation."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.docs.links import anchors_of, find_links, what_is_wrong
from local.docs.site import ROOT, find_files, pages_in_navigation, place_of

PAGES = sorted({p for p in find_files() if p.suffix == ".md"} | set(ROOT.glob("*.md")))
BAD = """# A page

Text with [one](#no-such) and [two](gone.md), [three](../README.md#try-it), [four](#a-page).

![five](gone.svg) [six](https://example.com/gone) `[seven](gone.md)`

```
[eight](gone.md)
```
"""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file_and_a_heading_of_it(page):
    """Links to files and headings of the repository; links to other hosts are not followed."""
    assert [wrong for link in find_links(page) if (wrong := what_is_wrong(link))] == []


def test_the_check_finds_links_that_lead_nowhere(tmp_path):
    """A missing file, picture or heading is found; code, other hosts and what is there are not reported."""
    (tmp_path / "README.md").write_text("# Bokit\n\n## Try it!\n")
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs/page.md"
    page.write_text(BAD)

    assert [link.written for link in find_links(page) if what_is_wrong(link)] == ["#no-such", "gone.md", "gone.svg"]


def test_headings_have_the_anchors_that_code_hosts_give_them(tmp_path):
    """Lower case, spaces as hyphens, no punctuation; the second one of a name has a number."""
    page = tmp_path / "page.md"
    page.write_text("# Use it with `sam local`\n\n## What's new, and why\n\n## Same\n\n```sh\n# no heading\n```\n\n## Same\n")

    assert anchors_of(page) == {"use-it-with-sam-local", "whats-new-and-why", "same", "same-1"}


def test_every_page_of_the_site_is_in_the_navigation_once_and_no_other():
    """A page that nobody can find is not published; docs/zensical.toml names each."""
    named = list(pages_in_navigation())

    assert sorted(named) == sorted({str(place_of(page)) for page in find_files() if page.suffix == ".md"})


def test_the_navigation_begins_at_home():
    """The first page is the one that the site opens with."""
    assert next(pages_in_navigation()) == "index.md"
    assert Path(ROOT / "docs/index.md").is_file()
