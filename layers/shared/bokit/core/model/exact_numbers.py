"""Numbers of JSON, exact: what a number of Python or JavaScript cannot hold stays text.

2.50, 1e3            a number
12345678901234567.89 text: a double would keep 17 digits of it
1e400, 1e-400        text: a double would make it Infinity, or 0
9007199254740993     a whole number in Bokit; shown as text, since JavaScript would read 9007199254740992
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any, NoReturn

from bokit.core.model.records import Json

MAX_EXACT = 2**53
"""Whole numbers below it are exact as a double, which is what JavaScript has."""
_SURE = 15
"""So many letters of a decimal number without an exponent, a double always holds."""


def parse_json(text: str | bytes) -> Any:
    """Return the JSON in *text*, its numbers as :func:`read_decimal` and :func:`read_whole` read them; raises ValueError."""
    return json.loads(text, parse_float=read_decimal, parse_int=read_whole, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    """NaN and Infinity are no JSON, although Python reads them."""
    raise ValueError(name)


def read_decimal(text: str) -> float | str:
    """Return a number with a point or an exponent; as text where a double has not the same value.

    >>> read_decimal("2.50"), read_decimal("12345678901234567.89"), read_decimal("1e400")
    (2.5, '12345678901234567.89', '1e400')
    """
    number = float(text)
    if len(text) <= _SURE and "e" not in text and "E" not in text:
        return number
    return number if isfinite(number) and Decimal(repr(number)) == Decimal(text) else text


def read_whole(text: str) -> int | str:
    """Return a whole number; as text where Python refuses so many digits."""
    try:
        return int(text)
    except ValueError:
        return text


def show_exact(value: Json) -> Any:
    """Return *value* as documents show it: whole numbers beyond 2^53 as text, everything else as it is.

    >>> show_exact({"n": 9007199254740993, "list": [1, -9007199254740993]})
    {'n': '9007199254740993', 'list': [1, '-9007199254740993']}
    """
    if value.__class__ is int:
        return str(value) if isinstance(value, int) and abs(value) >= MAX_EXACT else value
    if isinstance(value, Mapping):
        return {name: show_exact(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [show_exact(inner) for inner in value]
    return value


def restore_exact(sent: Json, known: Json) -> Any:
    """Return what a client *sent* of a value that it had read as *known*, whole numbers beyond 2^53 exact again.

    sent                                      result
    the number's text                         the number
    another whole number's text               that number
    a number that is equal as a double        the number that is known: JavaScript could not say another
    else                                      what was sent

    Objects are compared by name, arrays by place.
    """
    if known.__class__ is int and isinstance(known, int) and abs(known) >= MAX_EXACT:
        return _restore_whole(sent, known)
    if isinstance(sent, Mapping) and isinstance(known, Mapping):
        return {name: restore_exact(value, known.get(name)) for name, value in sent.items()}
    if isinstance(sent, list) and isinstance(known, (list, tuple)):
        return [restore_exact(value, known[n] if n < len(known) else None) for n, value in enumerate(sent)]
    return sent


def _restore_whole(sent: Json, known: int) -> Json:
    if isinstance(sent, str):
        digits = sent.removeprefix("-")
        is_whole = digits.isascii() and digits.isdecimal() and not digits.startswith("0")
        whole = read_whole(sent) if is_whole else sent
        return whole if isinstance(whole, int) and abs(whole) >= MAX_EXACT else sent
    if isinstance(sent, (int, float)) and not isinstance(sent, bool):
        return known if _as_double(sent) in {_as_double(known)} - {None} else sent
    return sent


def _as_double(number: float) -> float | None:
    """Return the double that JavaScript reads; None beyond all doubles."""
    try:
        return float(number)
    except OverflowError:
        return None
