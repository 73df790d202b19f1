"""``python -m local.docs.site [FOLDER]``: build the documents as a site, into FOLDER/site (`.bokit/site`).

    docs/**, and what its pages link to ─► FOLDER/site-source ─► zensical ─► FOLDER/site

The pages stay plain Markdown that reads well as files. Pages of other folders (README.md, examples) stand under `repository/` on
the site. What is in the navigation is in `docs/zensical.toml`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from local.docs.links import Link, change_links, find_links
from local.errors import LocalError

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
CONFIG = DOCS / "zensical.toml"
ICON = ROOT / "web/page/static/icons/icon.svg"
ZENSICAL = ROOT / ".bokit/docs/bin/zensical"


def find_files() -> dict[Path, Path]:
    """Return every file of the site by its path: all of docs, and what pages link to; with its place on the site."""
    waiting = [path for path in DOCS.rglob("*") if path.is_file() and path != CONFIG]
    found = {ICON: Path(ICON.name)}
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = place_of(path)
            waiting += [page_of(link) for link in find_links(path)] if path.suffix == ".md" else []
    return found


def page_of(link: Link) -> Path:
    """Return the file that a link shows: of a folder, its README."""
    return link.path / "README.md" if link.path.is_dir() else link.path


def place_of(path: Path) -> Path:
    """Return where a file stands on the site."""
    return path.relative_to(DOCS) if path.is_relative_to(DOCS) else Path("repository") / path.relative_to(ROOT)


def pages_in_navigation(entries: Any = None) -> Iterator[str]:
    """Yield the pages that the navigation has, in its order."""
    if entries is None:
        entries = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["project"]["nav"]
    for entry in entries:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            yield from [value] if isinstance(value, str) else pages_in_navigation(value)


def write_source(folder: Path) -> Path:
    """Write what zensical reads; return its configuration. The links are those of the pages' places on the site."""
    shutil.rmtree(folder, ignore_errors=True)
    for path, place in find_files().items():
        target = folder / "pages" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            target.write_text(change_links(path, partial(_link_from, place)), encoding="utf-8")
        else:
            shutil.copyfile(path, target)
    shutil.copyfile(CONFIG, folder / "zensical.toml")
    return folder / "zensical.toml"


def _link_from(place: Path, link: Link) -> str:
    path = os.path.relpath(place_of(page_of(link)), place.parent)
    return f"{path}#{link.anchor}" if link.anchor else path


def build(folder: Path) -> Path:
    """Build the site; return its folder.

    Raises:
        LocalError: zensical refuses the pages or warns of them; the message is its own.
    """
    config = write_source(folder / "site-source")
    command = [str(ZENSICAL), "build", "--clean", "--strict", "--config-file", str(config)]
    done = subprocess.run(command, cwd=config.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"the documents were not built: {(done.stdout + done.stderr).strip()}")
    site = folder / "site"
    shutil.rmtree(site, ignore_errors=True)
    return (config.parent / "site").rename(site)


if __name__ == "__main__":
    try:
        built = build(Path(sys.argv[1] if sys.argv[1:] else ROOT / ".bokit").resolve())
        print(f"The documents: {built / 'index.html'}")
    except LocalError as problem:
        sys.exit(f"bokit: {problem}")
