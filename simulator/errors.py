"""What the simulator refuses."""

from __future__ import annotations


class SimulatorError(Exception):
    """Wrong use: one line that says what, and how to mend it."""
