"""``--set`` and ``--where`` of records: texts of the command line as values of JSON, never guessed.

--set name=VALUE    of the type that the field has, else of the type that the schema declares, else a text
--set name:=JSON    any value; null removes the field
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from bokit.engine.records.listing import RecordFilter

_TYPES = {bool: "true or false", int: "a number", float: "a number", dict: "an object", list: "a list", tuple: "a list"}
_DECLARED = {"boolean": bool, "integer": int, "number": float, "object": dict, "array": list}


def read_changes(pairs: Iterable[str], fields: Mapping[str, Any], schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the document that sets these ``FIELD=VALUE`` in a record with *fields*; dots lead into objects."""
    from bokit.errors import InputError

    document: dict[str, Any] = {}
    for pair in pairs:
        path, value = _read_set(pair, fields, schema or {})
        names = [path] if path in fields else path.split(".")
        place, known = document, fields
        for name in names[:-1]:
            inner = known.get(name)
            if inner is not None and not isinstance(inner, Mapping):
                raise InputError(f"{name} is not an object; set it as a whole", code="bad-field", field=path)
            known, place = inner or {}, place.setdefault(name, {})
            if not isinstance(place, dict):
                raise InputError(f"{name} is set twice", code="bad-field", field=path)
        place[names[-1]] = value
    return document


def _read_set(pair: str, fields: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[str, Any]:
    from bokit.errors import InputError

    path, equals, text = pair.partition("=")
    is_json, path = path.endswith(":"), path.removesuffix(":").strip()
    if not equals or not all(path.split(".")):
        raise InputError('--set needs FIELD=VALUE, as in --set name="Ann Meyer", or FIELD:=JSON', code="bad-field", value=pair)
    if is_json:
        return path, _read_json(text, path)
    known = fields[path] if path in fields else _find(fields, path.split("."))
    return path, _read_as(text, path, type(known) if known is not None else _declared(schema, path.split(".")))


def _find(value: Any, names: list[str]) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _declared(schema: Mapping[str, Any], names: list[str]) -> type:
    """Return the type that a schema declares for a field; of several, or of none, a text."""
    for name in names:
        found = (schema.get("properties") or {}).get(name)
        schema = found if isinstance(found, Mapping) else {}
    declared = schema.get("type")
    kinds = {declared} if isinstance(declared, str) else set(declared or ()) - {"null"}
    return _DECLARED.get(kinds.pop(), str) if len(kinds) == 1 else str


def _read_as(text: str, path: str, kind: type) -> Any:
    """Return *text* as a value of this type; raise InputError where it is not one."""
    from bokit.errors import InputError

    if kind not in _TYPES:
        return text
    value = _read_json(text, path, f"{path} is {_TYPES[kind]}; {path}:=JSON gives it a value of another type")
    if _TYPES.get(type(value)) != _TYPES[kind]:
        raise InputError(f"{path} is {_TYPES[kind]}; {path}:=JSON gives it a value of another type", code="bad-field", field=path)
    return value


def _read_json(text: str, path: str, message: str = "not JSON; write := for JSON, and = for text") -> Any:
    from bokit.core.model.exact_numbers import parse_json
    from bokit.errors import InputError

    try:
        return parse_json(text)
    except (ValueError, RecursionError):
        raise InputError(message, code="bad-field", field=path) from None


def read_filter(where: list[str] | None, since: str | None, presence: str | None, now: datetime) -> RecordFilter:
    """Return which records are meant."""
    from bokit.core.model.records import Presence
    from bokit.engine.records.listing import RecordFilter
    from bokit.errors import InputError

    if presence not in (None, "all", *Presence):
        raise InputError("--presence is present, missing, gone or all", code="bad-field", field="--presence")
    return RecordFilter(
        fields=dict(map(_read_where, where or ())),
        since=_read_since(since, now) if since else None,
        presence=Presence(presence) if presence not in (None, "all") else None,
        with_gone=presence == "all",
    )


def _read_where(pair: str) -> tuple[str, str]:
    from bokit.errors import InputError

    path, equals, value = pair.partition("=")
    if not equals or not path.strip():
        raise InputError("--where needs FIELD=VALUE, as in --where city=Pisa", code="bad-field", value=pair)
    return path.strip(), value


def _read_since(text: str, now: datetime) -> datetime:
    from datetime import UTC, datetime, timedelta

    from bokit.core.model.options import read_seconds
    from bokit.errors import InputError

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at and (at.tzinfo or len(text) == len("2026-07-01")):
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    try:
        return now - timedelta(seconds=read_seconds(text, least=1))
    except (InputError, OverflowError):
        message = "not a time; write 2026-07-01, 2026-07-01T12:00:00Z, or how long ago: 2h"
        raise InputError(message, code="bad-field", field="--since") from None
