"""Where the simulator answers: where the local cloud's file says, else on its usual port."""

from __future__ import annotations

import json
from pathlib import Path

PORT = 14567
"""The usual one, of the simulator alone and of the local cloud's."""
LOCAL_FILE = Path(".bokit/local.json")
PROJECT = Path(__file__).resolve().parents[1]


def find_url(here: Path) -> str:
    """Return the address that the local cloud's file names, which is in *here*, above it, or in this clone."""
    for folder in (here, *here.parents, PROJECT):
        try:
            url = json.loads((folder / LOCAL_FILE).read_text(encoding="utf-8"))["simulator_url"]
        except (OSError, ValueError, LookupError, TypeError):
            continue
        if isinstance(url, str) and url:
            return url
    return f"http://127.0.0.1:{PORT}"
