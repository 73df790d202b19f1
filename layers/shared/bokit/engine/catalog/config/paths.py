"""What readers of the config file share: every error begins with the path of what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from bokit.errors import BokitError, InputError

T = TypeVar("T")


def read_mapping(document: object, path: str, known: Sequence[str]) -> Mapping[str, Any]:
    """Return *document*; raise InputError unless it is a mapping with *known* keys."""
    if not isinstance(document, Mapping):
        raise error_at(path, f"not a mapping; it has {', '.join(known)}")
    for name in document:
        if name not in known:
            raise error_at(path, f"unknown key {name!r}; it has {', '.join(known)}")
    return document


def read_at(path: str, read: Callable[[], T]) -> T:
    """Return what *read* returns; its errors begin with *path*."""
    try:
        return read()
    except BokitError as error:
        raise error_at(path, error.message) from None


def error_at(path: str, what: str) -> InputError:
    """Return the error of the value at *path*."""
    return InputError(f"{path}: {what}", code="bad-config")
