"""Stands in for charset-normalizer in the layer, where requests imports it to guess the encoding of text.

Bokit reads bytes, and never asks for a guess. The package is half a megabyte, and a tenth of a second of a cold start.
"""

from __future__ import annotations

__version__ = "3.0.0"  # requests checks that it has a version from 2 to 3


def detect(content: bytes) -> dict[str, str]:
    """Return UTF-8, as requests does where no such package is installed."""
    return {"encoding": "utf-8"}
