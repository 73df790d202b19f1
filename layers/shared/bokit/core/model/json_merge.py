"""Values in depth: the same or not, followed by leaf, kept by path. Objects by name, arrays by key where told, else whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from bokit.core.model.records import Json

ArrayKeys = Mapping[str, str]
"""Path of an array (names, with dots between them), and the field that tells its items apart."""


class _Absent:
    """There is no value: neither null nor anything else."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


def is_same(one: Any, other: Any) -> bool:
    """Return whether two values are the same JSON: 1 and 1.0 are, 1 and true are not (to Python all three are equal)."""
    if one is other:
        return True
    if one != other or isinstance(one, bool) is not isinstance(other, bool):
        return False
    if isinstance(one, Mapping):
        return all(is_same(value, other[name]) for name, value in one.items())
    if isinstance(one, (list, tuple)):
        return all(is_same(mine, theirs) for mine, theirs in zip(one, other, strict=True))
    return True


def or_none(value: Any) -> Json:
    """Return *value*, or None where there is none."""
    return None if value is ABSENT else value


def follow(base: Any, ours: Any, theirs: Any, arrays: ArrayKeys, path: str = "") -> tuple[Any, Any]:
    """Return *ours* following *theirs* leaf by leaf, and the base to keep with it.

    What differs between *base* and *ours* is what a person made of it.

        a person touched the leaf    result          its base
        no                           theirs          theirs
        yes                          ours stands     as it was: what the source said when the person edited

    Since the base of an untouched leaf moves with it, a leaf that a person touched is known for ever, even where the
    source comes to say the same for a while.
    """
    if is_same(base, ours):
        return theirs, theirs
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return _follow_object(base if isinstance(base, Mapping) else {}, ours, theirs, arrays, path)
    if field := arrays.get(path):
        keyed = [by_key(items, field) for items in (base if isinstance(base, list) else [], ours, theirs)]
        before, mine, new = keyed
        if before is not None and mine is not None and new is not None:
            value, kept = _follow_object(before, mine, new, arrays, path, into_items=True)
            return list(value.values()), list(kept.values())
    return ours, base


def _follow_object(
    base: Mapping[Any, Any],
    ours: Mapping[Any, Any],
    theirs: Mapping[Any, Any],
    arrays: ArrayKeys,
    path: str,
    *,
    into_items: bool = False,
) -> tuple[dict[Any, Any], dict[Any, Any]]:
    value: dict[Any, Any] = {}
    kept: dict[Any, Any] = {}
    for name in [*theirs, *(n for n in ours if n not in theirs), *(n for n in base if n not in theirs and n not in ours)]:
        inner = path if into_items else join_path(path, name)
        v, b = follow(base.get(name, ABSENT), ours.get(name, ABSENT), theirs.get(name, ABSENT), arrays, inner)
        value |= {} if v is ABSENT else {name: v}
        kept |= {} if b is ABSENT else {name: b}
    return value, kept


def lay_over(current: Any, wanted: Any, arrays: ArrayKeys, path: str = "") -> Any:
    """Return *current* with what *wanted* says: objects in depth, arrays by key where told (items are added, none is
    taken away), all else replaced.
    """
    if isinstance(current, Mapping) and isinstance(wanted, Mapping):
        laid = {n: lay_over(current.get(n, ABSENT), v, arrays, join_path(path, n)) for n, v in wanted.items()}
        return {**current, **laid}
    field = arrays.get(path)
    if field and isinstance(current, list) and isinstance(wanted, list):
        mine, new = by_key(current, field), by_key(wanted, field)
        if mine is not None and new is not None:
            return list({**mine, **{k: lay_over(mine.get(k, ABSENT), item, arrays, path) for k, item in new.items()}}.values())
    return wanted


def patch(current: Any, wanted: Any) -> Any:
    """Return *current* changed as a JSON merge patch says. Source: RFC 7396, section 2."""
    if not isinstance(wanted, Mapping):
        return wanted
    after = dict(current) if isinstance(current, Mapping) else {}
    for name, value in wanted.items():
        if value is None:
            after.pop(name, None)
        else:
            after[name] = patch(after.get(name), value)
    return after


def keep_paths(current: Json, incoming: Json, paths: Iterable[str], arrays: ArrayKeys) -> tuple[Any, dict[str, Json]]:
    """Return *incoming* with the values that *current* has at *paths*, and what *incoming* said where it was not heard.

    A path at which there is nothing yet keeps nothing: the first value comes from whoever tells it.
    """
    refused: dict[str, Json] = {}
    for path in paths:
        after = _keep(current, incoming, path.split("."), "", arrays)
        if not is_same(after, incoming):
            refused[path] = read_path(incoming, path)
        incoming = after
    return incoming, refused


def _keep(current: Any, incoming: Any, parts: Sequence[str], path: str, arrays: ArrayKeys) -> Any:
    if current is ABSENT or current is None:
        return incoming
    if not parts:
        return current
    if isinstance(current, Mapping) and (isinstance(incoming, Mapping) or incoming in (ABSENT, None)):
        told, name = incoming if isinstance(incoming, Mapping) else {}, parts[0]
        kept = _keep(current.get(name, ABSENT), told.get(name, ABSENT), parts[1:], join_path(path, name), arrays)
        return incoming if kept is ABSENT else {**told, name: kept}
    field = arrays.get(path)
    mine, new = (by_key(items, field) for items in (current, incoming)) if field else (None, None)
    if mine is None or new is None:
        return incoming
    return [_keep(mine.get(key, ABSENT), item, parts, path, arrays) for key, item in new.items()]


def read_path(value: Json, path: str) -> Json:
    """Return what stands at *path*; None where there is nothing, or where it leads through an array."""
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def by_key(items: Any, field: str) -> dict[str, Any] | None:
    """Return the items of an array by their *field*; None where it does not tell them apart."""
    if not isinstance(items, list) or not all(isinstance(i, Mapping) and i.get(field) is not None for i in items):
        return None
    keyed = {f"{type(i[field]).__name__}:{i[field]}": i for i in items}
    return keyed if len(keyed) == len(items) else None


def join_path(path: str, name: object) -> str:
    """Return the path of *name* inside *path*."""
    return f"{path}.{name}" if path else str(name)
