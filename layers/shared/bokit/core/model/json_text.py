"""JSON as text, written by an encoder that is made once: making one takes longer than writing a small document."""

from __future__ import annotations

import json
from collections.abc import Callable
from json import encoder
from typing import Any

_FAST: Callable[..., Any] | None = getattr(encoder, "c_make_encoder", None)
"""The encoder that ``JSONEncoder.encode`` makes again for each document; None where Python has none in C."""


def make_writer(*, is_ascii: bool = True, sorts_keys: bool = False) -> Callable[[Any], str]:
    """Return a function that writes a value as compact JSON, as ``json.dumps`` would.

    >>> make_writer(sorts_keys=True)({"b": 1, "a": [True, 0.5, None]})
    '{"a":[true,0.5,null],"b":1}'
    """
    slow = json.JSONEncoder(separators=(",", ":"), ensure_ascii=is_ascii, sort_keys=sorts_keys)
    if _FAST is None:
        return slow.encode
    write_text = encoder.encode_basestring_ascii if is_ascii else encoder.encode_basestring
    write = _FAST(None, slow.default, write_text, None, ":", ",", sorts_keys, False, True)
    return lambda value: "".join(write(value, 0))
