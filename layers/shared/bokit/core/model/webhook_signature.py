"""Signatures of webhooks, as Standard Webhooks 1.0 says: HMAC-SHA256 over id, time and body, one for each secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime

PREFIX = "whsec_"


def write_secret(random: bytes) -> str:
    """Return a secret of *random* bytes, as receivers' libraries take it."""
    return PREFIX + base64.b64encode(random).decode()


def sign(secrets: Iterable[str], message_id: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """Return the headers that sign *body* at the time of this attempt, with every secret.

    >>> secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    >>> at = datetime.fromisoformat("2021-02-25T16:38:50+00:00")
    >>> sign([secret], "msg_1", at, b"{}")["webhook-signature"]
    'v1,QNaMYYbjIhll3qy85JuMVin8Q4asp249zRXNvF9gB78='

    Source: Standard Webhooks, "Signature scheme".
    """
    stamp = str(int(at.timestamp()))
    signed = f"{message_id}.{stamp}.".encode() + body
    keys = (base64.b64decode(secret.removeprefix(PREFIX)) for secret in secrets)
    signatures = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
