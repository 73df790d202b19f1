"""A page of a few bytes, laid out as `web/build.mjs` lays out the real one: for tests of what serves it."""

from __future__ import annotations

import atexit
import gzip
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from bokit.http.page_files import PageFiles

SCRIPT = "main-3HBHOYKM.js"
STYLE = "page-2UDV43L2.css"
INDEX = (
    '<!doctype html><html lang="en" data-texts=\'{"en": "texts-en-13055F99.json"}\'><link rel="icon" href="data:,">'
    f'<link rel="stylesheet" href="assets/{STYLE}"><link rel="manifest" href="manifest.webmanifest">'
    f'<script type="module" src="assets/{SCRIPT}"></script><a href="#/chart">x</a><a href="https://a.example/">y</a>'
)
FILES: dict[str, bytes] = {
    "index.html": INDEX.encode(),
    f"assets/{SCRIPT}": b"// a script\n" * 100,
    f"assets/{STYLE}": b"main { color: red }",
    "assets/texts-en-13055F99.json": '{"a": "é"}'.encode(),
    "icons/icon.svg": b"<svg/>",
    "icons/icon.png": b"\x89PNG\r\n\x1a\n",
    "manifest.webmanifest": b"{}",
    "worker.js": b"// a worker",
}


@cache
def small_page() -> Path:
    """Return the folder of such a page, which goes when the process ends."""
    folder = Path(mkdtemp(prefix="bokit-page-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, content in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / f"assets/{SCRIPT}.gz").write_bytes(gzip.compress(FILES[f"assets/{SCRIPT}"], 9))
    return folder


def open_small_page(**settings: Any) -> PageFiles:
    """Return its files, with settings of a stack."""
    return PageFiles(folder=small_page(), **settings)
