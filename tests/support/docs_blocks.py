"""Blocks of pages that are made from something else: runs of commands, the page's guides, the cost of three flats,
the routes of the API.

``python -m tests.support.docs_blocks`` writes them into the pages; a test compares. A block stands between
``<!-- KIND NAME: begin -->`` and ``<!-- KIND NAME: end -->``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support.docs_runs import RUNS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
TEXTS = ROOT / "web/page/texts/en"
_BLOCK = re.compile(r"(<!-- (run|copy|paste|cost|api) (\w+): begin -->\n)(.*?)(<!-- \2 \3: end -->)", re.DOTALL)


def show_run(name: str) -> str:
    """Return what the commands of a run print."""
    return f"```\n{RUNS[name]()}```\n"


def show_copy(platform: str) -> str:
    """Return where a platform shows the address of its calendar, as the page says it where a calendar is added."""
    return as_list(json.loads((TEXTS / "setup.json").read_text(encoding="utf-8"))[f"find-{platform}"])


def show_paste(platform: str) -> str:
    """Return where our address is pasted at a platform, as the page says it beside the address."""
    return as_list(json.loads((TEXTS / "calendar.json").read_text(encoding="utf-8"))[f"paste-{platform}"])


def show_cost(name: str) -> str:
    """Return the part of that name of docs/cost.md."""
    page = (DOCS / "cost.md").read_text(encoding="utf-8")
    return page.split(f"<!-- {name}: begin -->\n", 1)[1].split(f"<!-- {name}: end -->", 1)[0]


def show_api(_: str) -> str:
    """Return the routes of docs/openapi.json: a table for each of its tags."""
    document = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    routes = [(path, method, route) for path, ways in document["paths"].items() for method, route in ways.items()]
    text = ""
    for tag in document["tags"]:
        rows = [
            f"| `{method.upper()} {path}` | {route.get('x-bokit-role', 'anybody')} | {route['summary']} |\n"
            for path, method, route in routes
            if tag["name"] in route["tags"]
        ]
        head = f"\n## {tag['name'].capitalize()}\n\n{tag['description']}\n\n| route | role | does |\n| --- | --- | --- |\n"
        text += head + "".join(rows)
    return text + "\n"


def as_list(text: str) -> str:
    """Return lines of the page as Markdown: numbered lines are a list, each other one is a paragraph."""
    lines = text.split("\n")
    numbered = [bool(re.match(r"\d+\. ", line)) for line in lines]
    gaps = ["" if is_step and was_step else "\n" for is_step, was_step in zip(numbered, [False, *numbered], strict=False)]
    return "".join(f"{gap}{line}\n" for gap, line in zip(gaps, lines, strict=True)) + "\n"


MAKERS: Mapping[str, Callable[[str], str]] = {
    "run": show_run,
    "copy": show_copy,
    "paste": show_paste,
    "cost": show_cost,
    "api": show_api,
}


def fill(text: str) -> str:
    """Return a page with each block as it is made now."""
    return _BLOCK.sub(lambda block: block[1] + MAKERS[block[2]](block[3]) + block[5], text)


def find_blocks() -> dict[str, tuple[Path, str, str, str]]:
    """Return every block of the documents by ``KIND NAME``: its page, kind and name, and its text."""
    return {
        f"{kind} {name}": (page, kind, name, text)
        for page in sorted(DOCS.rglob("*.md"))
        for _, kind, name, text, _ in _BLOCK.findall(page.read_text(encoding="utf-8"))
    }


if __name__ == "__main__":
    for path in {page for page, *_ in find_blocks().values()}:
        path.write_text(fill(path.read_text(encoding="utf-8")), encoding="utf-8")
