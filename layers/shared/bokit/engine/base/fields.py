"""Readers of fields that owners write, whatever of."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from bokit.core.model.limits import MAX_URL_LENGTH
from bokit.errors import InputError, OptionError

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def read_fields(values: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    """Return *values* in their types; raise InputError that names the field."""
    read = {}
    for name, value in values.items():
        if name not in readers:
            raise InputError("no such field", code="unknown-field", field=name, known=", ".join(readers))
        try:
            read[name] = readers[name](value)
        except (OptionError, InputError) as error:
            code = "bad-field" if isinstance(error, OptionError) else error.stable_code
            raise InputError(error.message, code=code, **{**error.facts, "field": name}) from None
    return read


def read_url(value: Any) -> str:
    """Return a URL, or the name of a secret that holds one; whether it may be fetched is checked elsewhere."""
    text = value.strip() if isinstance(value, str) else ""
    if len(text) > MAX_URL_LENGTH:
        raise InputError(f"not a URL; one has at most {MAX_URL_LENGTH} characters", code="bad-field")
    if not text or CONTROL.search(text) or text == "secret:":
        raise InputError("not a URL; write https://… or secret:<name of a secret>", code="bad-field")
    return text
