"""Documents as JSON, as the contract writes them: times in UTC with a Z, dates as they are. Command line and API share it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any


def write_json(document: Mapping[str, Any], *, indent: int | None = None) -> str:
    """Return *document* as JSON that any UTF-8 encoder takes, lone surrogates escaped; compact without *indent*.

    >>> write_json({"at": datetime(2026, 6, 1, 12, tzinfo=UTC), "name": "Zoë"})
    '{"at":"2026-06-01T12:00:00Z","name":"Zoë"}'
    """
    separators = None if indent else (",", ":")
    text = json.dumps(document, default=_as_json, ensure_ascii=False, indent=indent, separators=separators)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(document, default=_as_json, indent=indent, separators=separators)
    return text


def _as_json(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    return str(value)
