"""The real clock and the real ids; both are handed in wherever they are used."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present time, aware and in UTC."""
Ids = Callable[[str], str]
"""Returns a new id that begins with the given prefix."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def read_clock() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


def new_id(prefix: str) -> str:
    """Return a new unguessable id of *prefix* and 16 letters: ``src_4h8k…``."""
    return f"{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(16))


def new_run_id(at: datetime | None = None) -> str:
    """Return a run id that sorts by its time: ten letters of milliseconds, eight random ones."""
    moment = int((at.timestamp() if at else time.time()) * 1000)
    stamp = "".join(_ALPHABET[(moment >> shift) & 31] for shift in range(45, -1, -5))
    return f"run_{stamp}" + "".join(secrets.choice(_ALPHABET) for _ in range(8))


def new_secret() -> str:
    """Return 256 random bits in 43 letters that are safe in a URL and a header."""
    return secrets.token_urlsafe(32)


def new_bytes(count: int) -> bytes:
    """Return *count* random bytes, for a secret."""
    return secrets.token_bytes(count)
