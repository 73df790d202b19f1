"""A page of a list, as every store returns one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A part of a list, and the cursor of the next one (None: this was the last)."""

    items: tuple[T, ...]
    cursor: str | None = None
