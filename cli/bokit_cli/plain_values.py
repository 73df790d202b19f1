"""Values of the command line that need no conversion: most are texts, or not given.

Typer converts each value with pydantic, whose import takes as long as all of ``bokit --help``. Here it converts what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from typer import core


class PlainReader:
    """Reads the values of one parameter; typer's own reader is made for the first value that it must convert."""

    def __init__(self, make_reader: Callable[[Any], Any], descriptor: Any) -> None:
        self._make_reader, self._descriptor = make_reader, descriptor

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return *value* as the command takes it; raises typer's error of wrong use."""
        kind, is_several = self._descriptor.annotation, param.multiple or param.nargs == -1
        if value is None:
            return () if is_several else None
        if type(value) is kind and not is_several:
            return value
        if kind == list[str] and is_several and all(type(each) is str for each in value):
            return list(value)
        return self._make_reader(self._descriptor).coerce(value, param=param, ctx=ctx)


def take_plain_values() -> None:
    """Let typer take texts as they are. A release of typer without such readers is left as it is."""
    make_reader = getattr(core, "build_runtime_param", None)
    if make_reader is not None and not isinstance(make_reader, partial):
        core.__dict__["build_runtime_param"] = partial(PlainReader, make_reader)
