"""Door codes: which one a stay gets, and how it is sealed, so that nothing stored has it in clear. Pure.

    code ─► padded to one length ─► XOR with HMAC-SHA256(key, nonce, place) ─► nonce + that + a check, in base64

The key is the stack's secret of outgoing calendars, which no table and no backup has. A nonce is never used twice, and the
place is the stay: what is copied to another one does not open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Container
from enum import StrEnum

from bokit.core.bookings.limits import MAX_CODE_DRAWS
from bokit.core.model.limits import MAX_DOOR_CODE, MIN_DOOR_CODE
from bokit.errors import InputError

NONCE_BYTES, CHECK_BYTES = 12, 12
Draw = Callable[[int], bytes]
"""Returns so many random bytes."""
_RISING = "01234567890123456789"


class CodeOrigin(StrEnum):
    """Where a door code comes from."""

    RANDOM = "random"
    PHONE = "phone"  # the last digits of the guest's
    MANUAL = "manual"  # a person set it


# ── choosing ──


def read_code(text: str) -> str:
    """Return a code that a person sets; raises InputError where it is not digits, or too short or long."""
    code = text.strip()
    if not re.fullmatch(rf"[0-9]{{{MIN_DOOR_CODE},{MAX_DOOR_CODE}}}", code):
        raise InputError(f"a door code has {MIN_DOOR_CODE} to {MAX_DOOR_CODE} digits", code="bad-field", field="code")
    return code


def read_phone_code(phone: str | None, length: int) -> str | None:
    """Return the last *length* digits of a phone number; None where so many are not known.

    >>> read_phone_code("+39 055 12-34", 4), read_phone_code("1234", 6)
    ('1234', None)
    """
    digits = re.sub(r"[^0-9]", "", phone or "")
    return digits[-length:] if len(digits) >= length else None


def draw_code(taken: Container[str], length: int, draw: Draw) -> str | None:
    """Return a code of *length* digits that is not *taken* and not the first that anybody would try; None: none is left.

    Of 64 random bits the remainder is as good as even for ten digits.
    """
    most, number = 10**length, 0
    for _ in range(MAX_CODE_DRAWS):
        number = int.from_bytes(draw(8), "big") % most
        code = f"{number:0{length}d}"
        if code not in taken and not is_weak(code):
            return code
    following = (f"{(number + step) % most:0{length}d}" for step in range(most))
    return next((code for code in following if code not in taken and not is_weak(code)), None)


def is_weak(code: str) -> bool:
    """Return whether all digits are the same, or count up or down.

    >>> is_weak("7777"), is_weak("8901"), is_weak("4321"), is_weak("1235")
    (True, True, True, False)
    """
    return len(set(code)) == 1 or code in _RISING or code[::-1] in _RISING


# ── sealing ──


def seal_code(code: str, key: str, place: str, draw: Draw) -> str:
    """Return *code* as it is stored for the stay that *place* names."""
    nonce = draw(NONCE_BYTES)
    padded = code.encode().ljust(MAX_DOOR_CODE, b"\0")
    hidden = bytes(a ^ b for a, b in zip(padded, _digest(key, "pad", place, nonce), strict=False))
    return base64.urlsafe_b64encode(nonce + hidden + _digest(key, "check", place, nonce + padded)[:CHECK_BYTES]).decode()


def open_code(sealed: str, key: str, place: str) -> str | None:
    """Return the code that *sealed* keeps; None where another key or place sealed it."""
    try:
        raw = base64.urlsafe_b64decode(sealed)
    except (ValueError, binascii.Error):
        return None
    nonce, hidden, check = raw[:NONCE_BYTES], raw[NONCE_BYTES:-CHECK_BYTES], raw[-CHECK_BYTES:]
    padded = bytes(a ^ b for a, b in zip(hidden, _digest(key, "pad", place, nonce), strict=False))
    is_ours = hmac.compare_digest(check, _digest(key, "check", place, nonce + padded)[:CHECK_BYTES])
    return padded.rstrip(b"\0").decode() if is_ours else None


def _digest(key: str, use: str, place: str, content: bytes) -> bytes:
    """Return the HMAC (RFC 2104) for one *use* of the key, which has others: paths of calendars derive from it, too."""
    own = hmac.new(key.encode(), f"bokit door code {use}".encode(), hashlib.sha256).digest()
    return hmac.new(own, place.encode("utf-8", "surrogatepass") + b"\0" + content, hashlib.sha256).digest()
