"""A page of a list, as every store returns one."""

from __future__ import annotations

from typing import Generic, TypeVar

from bokit.values import Value

T = TypeVar("T")


class Page(Value, Generic[T]):
    """A part of a list, and the cursor of the next one (None: this was the last)."""

    items: tuple[T, ...]
    cursor: str | None = None
