"""Nested JSON values: compared, merged leaf by leaf, kept by path. Objects by name; arrays by a declared key, else as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from bokit.core.model.records import Json

Object = Mapping[Any, Any]
ArrayKeys = Mapping[str, str]
"""Path of an array (names, with dots between them), and the field that identifies its items."""


class _Absent:
    """No value: not even null."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


def is_same(one: Any, other: Any) -> bool:
    """Return whether two values are the same JSON: 1 and 1.0 are, 1 and true are not (to Python all three are equal)."""
    if one is other:
        return True
    if one != other or isinstance(one, bool) is not isinstance(other, bool):
        return False
    if isinstance(one, Mapping):  # strings, the usual case, are equal to strings alone
        return all(value.__class__ is str or is_same(value, other[name]) for name, value in one.items())
    if isinstance(one, (list, tuple)):
        return all(is_same(mine, theirs) for mine, theirs in zip(one, other, strict=True))
    return True


def or_none(value: Any) -> Json:
    """Return *value*; None for ABSENT."""
    return None if value is ABSENT else value


def rebase(base: Any, ours: Any, theirs: Any, arrays: ArrayKeys, path: str = "") -> tuple[Any, Any]:
    """Return *ours* over *theirs*, leaf by leaf, and the base to keep with it: a three-way merge in which ours wins.

        edited (ours differs from base)    result    its base
        no                                 theirs    theirs
        yes                                ours      unchanged: the source's value at the time of the edit

    As the base of an unedited leaf moves with it, an edited leaf is recognised for ever, even if the source's value
    equals it for a while.
    """
    if is_same(base, ours):
        return theirs, theirs
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return _rebase_object(base if isinstance(base, Mapping) else {}, ours, theirs, arrays, path)
    if field := arrays.get(path):
        bases, mine, new = (items_by_key(items, field) for items in (base if isinstance(base, list) else [], ours, theirs))
        if bases is not None and mine is not None and new is not None:
            value, kept = _rebase_object(bases, mine, new, arrays, path, into_items=True)
            return list(value.values()), list(kept.values())
    return ours, base


def _rebase_object(
    base: Object, ours: Object, theirs: Object, arrays: ArrayKeys, path: str, *, into_items: bool = False
) -> tuple[dict[Any, Any], dict[Any, Any]]:
    value: dict[Any, Any] = {}
    kept: dict[Any, Any] = {}
    for name in dict.fromkeys((*theirs, *ours, *base)):
        inner = path if into_items else join_path(path, name)
        v, b = rebase(base.get(name, ABSENT), ours.get(name, ABSENT), theirs.get(name, ABSENT), arrays, inner)
        value |= {} if v is ABSENT else {name: v}
        kept |= {} if b is ABSENT else {name: b}
    return value, kept


def overlay(current: Any, wanted: Any, arrays: ArrayKeys, path: str = "") -> Any:
    """Return *current* with the values of *wanted*.

    Objects are merged in depth, arrays with a declared key by item (items are added, none is removed); all else is
    replaced.
    """
    if isinstance(current, Mapping) and isinstance(wanted, Mapping):
        merged = {n: overlay(current.get(n, ABSENT), v, arrays, join_path(path, n)) for n, v in wanted.items()}
        return {**current, **merged}
    field = arrays.get(path)
    if field and isinstance(current, list) and isinstance(wanted, list):
        mine, new = items_by_key(current, field), items_by_key(wanted, field)
        if mine is not None and new is not None:
            return list({**mine, **{k: overlay(mine.get(k, ABSENT), item, arrays, path) for k, item in new.items()}}.values())
    return wanted


def patch_json(current: Any, wanted: Any) -> Any:
    """Return *current* with the JSON merge patch *wanted* applied (RFC 7396, section 2)."""
    if not isinstance(wanted, Mapping):
        return wanted
    after = dict(current) if isinstance(current, Mapping) else {}
    for name, value in wanted.items():
        if value is None:
            after.pop(name, None)
        else:
            after[name] = patch_json(after.get(name), value)
    return after


def keep_paths(current: Json, incoming: Json, paths: Iterable[str], arrays: ArrayKeys) -> tuple[Any, dict[str, Json]]:
    """Return *incoming* with the values that *current* has at *paths*, and the values of *incoming* that were refused.

    Where *current* has no value, *incoming* sets the first one. An array whose items nothing identifies is kept as a whole.
    """
    refused: dict[str, Json] = {}
    for path in paths:
        after = _keep(current, incoming, path.split("."), "", arrays)
        if not is_same(after, incoming):
            refused[path] = _read_refused(incoming, path.split("."), "", arrays)
        incoming = after
    return incoming, refused


def _keep(current: Any, incoming: Any, parts: Sequence[str], path: str, arrays: ArrayKeys) -> Any:
    if current is ABSENT or current is None:
        return incoming
    if not parts:
        return current
    if isinstance(current, Mapping):
        for name, rest in path_heads(parts, current):
            incoming = _keep_named(current, incoming, name, rest, join_path(path, name), arrays)
        return incoming
    field = arrays.get(path)
    known, seen = (items_by_key(items, field) for items in (current, incoming)) if field else (None, None)
    if known is not None and seen is not None:
        return [_keep(known.get(key, ABSENT), item, parts, path, arrays) for key, item in seen.items()]
    has_any = isinstance(current, list) and any(read_path(item, ".".join(parts)) is not None for item in current)
    return current if has_any else incoming


def _keep_named(current: Object, incoming: Any, name: str, rest: Sequence[str], path: str, arrays: ArrayKeys) -> Any:
    """Return *incoming* with what *current* keeps under *name*, also where an object has become something else."""
    new = incoming if isinstance(incoming, Mapping) else {}
    kept = _keep(current.get(name, ABSENT), new.get(name, ABSENT), rest, path, arrays)
    return incoming if kept is ABSENT else {**new, name: kept}


def _read_refused(incoming: Any, parts: Sequence[str], path: str, arrays: ArrayKeys) -> Json:
    """Return what *incoming* has where a path leads, or where the path ends too early; None for items that are merged by key."""
    if not parts or not isinstance(incoming, Mapping):
        return None if incoming is ABSENT or (parts and path in arrays) else incoming
    name, rest = path_heads(parts, incoming)[0]
    return _read_refused(incoming.get(name, ABSENT), rest, join_path(path, name), arrays)


def path_heads(parts: Sequence[str], value: Any) -> list[tuple[str, Sequence[str]]]:
    """Return the names by which a path goes on inside an object, each with the rest of the path, the longest name first.

    A name may have dots itself: ``address.city`` is a field of that name, or the city of an address, or both.
    """
    names = [(".".join(parts[:n]), parts[n:]) for n in range(len(parts), 0, -1)]
    found = [(name, rest) for name, rest in names if isinstance(value, Mapping) and name in value]
    return found or [(parts[0], parts[1:])]


def read_path(value: Json, path: str) -> Json:
    """Return the value at *path*; None if there is none, or if it leads through an array."""
    parts: Sequence[str] = path.split(".")
    while parts:
        name, parts = path_heads(parts, value)[0]
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def drop_paths(value: Json, paths: Iterable[str]) -> Any:
    """Return *value* without what is at *paths*, in each item of an array that they lead through."""
    for path in paths:
        value = _drop(value, path.split("."))
    return value


def _drop(value: Any, parts: Sequence[str]) -> Any:
    if isinstance(value, list):
        return [_drop(item, parts) for item in value]
    if not isinstance(value, Mapping):
        return value
    after = dict(value)
    for name, rest in path_heads(parts, value):
        if name in after and rest:
            after[name] = _drop(after[name], rest)
        else:
            after.pop(name, None)
    return after


def items_by_key(items: Any, field: str) -> dict[str, Any] | None:
    """Return the items of an array by their *field*; None if it does not identify them."""
    if not isinstance(items, list) or not all(isinstance(i, Mapping) and i.get(field) is not None for i in items):
        return None
    keyed = {f"{type(i[field]).__name__}:{i[field]}": i for i in items}
    return keyed if len(keyed) == len(items) else None


def join_path(path: str, name: object) -> str:
    """Return the path of *name* inside *path*."""
    return f"{path}.{name}" if path else str(name)
