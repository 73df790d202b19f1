"""``python -m simulator``."""

from __future__ import annotations

import sys

from simulator.cli import run

if __name__ == "__main__":
    sys.exit(run())
