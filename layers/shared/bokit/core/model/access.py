"""Who may do what: tokens, roles, and the principal that a request speaks for. Pure; secrets are made at the edge.

A token is ``bokit_`` and 43 random characters (256 bits), shown once and stored as its SHA-256. With that much entropy no
dictionary helps, and a slow hash would add nothing.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from bokit.core.model.records import TenantId
from bokit.errors import InputError
from bokit.values import Value

TokenId = NewType("TokenId", str)

PREFIX = "bokit_"
_SHAPE = re.compile(r"bokit_[A-Za-z0-9_-]{43}")
TOUCH_EVERY = timedelta(minutes=15)
"""The last use is written at most this often."""


class Role(StrEnum):
    """What a token may do; each role includes the one before it."""

    VIEWER = "viewer"  # reads
    OPERATOR = "operator"  # also triggers syncs and edits
    ADMIN = "admin"  # does everything

    def may(self, needed: Role) -> bool:
        """Return whether this role includes *needed*."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class Principal(Value):
    """Who makes a request; its tenant comes from here alone."""

    tenant: TenantId
    role: Role
    id: str  # the token's id, or the subject of a JWT; change logs show it as ``token:<id>``
    expires_at: datetime | None = None
    """When its token or JWT expires, where that is known."""
    is_external: bool = False
    """It came with the JWT of an identity provider, and has no token of Bokit's."""

    @property
    def by(self) -> str:
        """The author in change logs."""
        return f"token:{self.id}"


class Token(Value):
    """One token as it is stored, without its secret."""

    id: TokenId
    tenant: TenantId
    role: Role
    name: str
    hash: str
    created_at: datetime
    expires_at: datetime | None = None  # None: it never expires
    last_used_at: datetime | None = None  # accurate to a quarter of an hour
    revoked_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Return whether the token is valid at *now*."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def wants_touch(self, now: datetime) -> bool:
        """Return whether its last use should be written again."""
        return self.last_used_at is None or now - self.last_used_at >= TOUCH_EVERY


def hash_token(text: str) -> str:
    """Return the digest under which a token is stored."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_token(text: str) -> bool:
    """Return whether *text* has the form of a token; what has not costs no read."""
    return _SHAPE.fullmatch(text) is not None


def read_bearer(header: str | None) -> str | None:
    """Return the token of an Authorization header; None if it has none of Bokit's (RFC 6750, section 2.1)."""
    scheme, _, text = (header or "").strip().partition(" ")
    token = text.strip()
    return token if scheme.casefold() == "bearer" and is_token(token) else None


def read_role(word: str) -> Role:
    """Return the role of this name, or raise InputError that lists them."""
    try:
        return Role(str(word).strip().casefold())
    except ValueError:
        raise InputError(f"role must be one of {', '.join(Role)}", code="bad-field", field="role") from None
