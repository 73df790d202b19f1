"""What readers of the config file share: every refusal begins with the path of what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from bokit.errors import BokitError, InputError

T = TypeVar("T")


def read_mapping(told: object, path: str, known: Sequence[str]) -> Mapping[str, Any]:
    """Return *told*, or raise InputError where it is no mapping, or has a key that is not *known*."""
    if not isinstance(told, Mapping):
        raise wrong(path, f"not a mapping; it has {', '.join(known)}")
    for name in told:
        if name not in known:
            raise wrong(path, f"unknown key {name!r}; it has {', '.join(known)}")
    return told


def read_at(path: str, read: Callable[[], T]) -> T:
    """Return what *read* does, its errors led by *path*."""
    try:
        return read()
    except BokitError as error:
        raise wrong(path, error.message) from None


def wrong(path: str, what: str) -> InputError:
    """Return the refusal of what stands at *path*."""
    return InputError(f"{path}: {what}", code="bad-config")
