"""``bokit replay``: the whole engine over a feed's history, in the history's own time."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add these commands."""
