"""Keeps what one source, tenant or shard raises inside its own step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bokit.errors import StoreUnreachableError


@contextmanager
def contained(errors: list[Exception] | None) -> Iterator[None]:
    """Add what is raised inside to *errors*, and go on; without a list, or if the store is unreachable, raise it."""
    try:
        yield
    except StoreUnreachableError:
        raise
    except Exception as error:
        if errors is None:
            raise
        errors.append(error)
