"""Reading settings that an operator wrote: every error begins with the path of the value that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from bokit.errors import BokitError, InputError

T = TypeVar("T")


def located(read: Callable[[Any], T]) -> Callable[[Any, str], T]:
    """Return *read* with a second argument: the path of the value, with which its errors begin."""

    def read_at(value: Any, path: str) -> T:
        try:
            return read(value)
        except BokitError as error:
            raise bad_setting(path, error.message) from None

    return read_at


def bad_setting(path: str, what: str) -> InputError:
    """Return the error about the setting at *path*."""
    return InputError(f"{path}: {what}", code="bad-config")
