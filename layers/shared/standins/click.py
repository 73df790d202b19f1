"""Stands in for click in the layer, where x_wr_timezone wants it at import, for a command line of its own that nobody calls.

recurring_ical_events imports x_wr_timezone, and so no series would be read without it; click itself is a quarter of a megabyte.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _leave(*_: Any, **__: Any) -> Callable[[Any], Any]:
    """Return a decorator that leaves its function as it is."""
    return lambda function: function


command = argument = option = version_option = help_option = File = _leave
