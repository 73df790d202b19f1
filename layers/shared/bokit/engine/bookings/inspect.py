"""Reading one feed that is not a source, for `bokit feed inspect`."""

from __future__ import annotations

from bokit.core.ical.reader import ReadSettings, inspect_feed

__all__ = ["ReadSettings", "inspect_feed"]
