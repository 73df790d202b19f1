"""Who may do what: tokens, roles, and the principal that a request speaks for. Pure; secrets are made at the edge.

A token is ``bokit_`` and 43 letters of chance (256 bits), told once and stored as its SHA-256 alone: against that much
chance no dictionary helps, so that a slow hash would cost time and add nothing.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from bokit.core.model.records import TenantId
from bokit.errors import InputError

TokenId = NewType("TokenId", str)

PREFIX = "bokit_"
_SHAPE = re.compile(r"bokit_[A-Za-z0-9_-]{43}")
TOUCH_EVERY = timedelta(minutes=15)
"""The last use is written at most so often."""


class Role(StrEnum):
    """What a token may do; each may all that the one before it may."""

    VIEWER = "viewer"
    """Reads."""
    OPERATOR = "operator"
    """Triggers syncs and edits, besides."""
    ADMIN = "admin"
    """Does all."""

    def may(self, needed: Role) -> bool:
        """Return whether this role suffices where *needed* is asked for."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who a request speaks for: the tenant comes from here, and from nowhere else."""

    tenant: TenantId
    role: Role
    id: str
    """The token's id, or the subject of a JWT: who stands in change logs, as ``token:<id>``."""

    @property
    def by(self) -> str:
        """As change logs name who did it."""
        return f"token:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token, as it is stored: its secret is not."""

    id: TokenId
    tenant: TenantId
    role: Role
    name: str
    hash: str
    created_at: datetime
    expires_at: datetime | None = None
    """None: it does not expire by itself."""
    last_used_at: datetime | None = None
    """To a quarter of an hour."""
    revoked_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Return whether it opens anything at *now*."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def wants_touch(self, now: datetime) -> bool:
        """Return whether its last use is worth a write."""
        return self.last_used_at is None or now - self.last_used_at >= TOUCH_EVERY


def hash_token(text: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_token(text: str) -> bool:
    """Return whether *text* has a token's shape; what has not is no token, and costs no read."""
    return _SHAPE.fullmatch(text) is not None


def read_bearer(header: str | None) -> str | None:
    """Return the token of an Authorization header; None where there is none of ours (RFC 6750, section 2.1)."""
    scheme, _, text = (header or "").strip().partition(" ")
    token = text.strip()
    return token if scheme.casefold() == "bearer" and is_token(token) else None


def read_role(word: str) -> Role:
    """Return the role of this name, or raise InputError that lists them."""
    try:
        return Role(str(word).strip().casefold())
    except ValueError:
        names = ", ".join(Role)
        raise InputError(f"no such role; write one of {names}", code="bad-field", field="role") from None
