"""What a config file moves or renames, found by the addresses that stay: units to other properties, sources to other units.

in the file, and not stored          stored, and not in the file           is
a unit                               of the same name elsewhere, with an   the same unit, moved
                                     address of one of its sources
a source of a unit                   with the same address                 the same source, moved or renamed
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bokit.core.model.documents import FieldDiff
from bokit.engine.catalog.config.spec import Item, Key, UnitName

Moves = Mapping[Key, Key]
"""Where each moved item is in the file, and where it is stored."""


def find_moves(stored: Mapping[Key, Item], wanted: Iterable[Item]) -> dict[Key, Key]:
    """Return which items of the file are stored elsewhere; the sources of a unit that moves go with it."""
    items = {item.key: item for item in wanted}
    units = _find_units(stored, items)
    places = {key: _place(key, units) for key in stored}
    back = {new: old for old, new in places.items()}
    moves = {new: old for new, old in back.items() if new != old}
    left = {key: stored[old] for key, old in back.items() if key not in items}
    for key, item in items.items():
        if _is_of_unit(key) and key not in back:
            same = [at for at, other in left.items() if _is_of_unit(at) and _address(other) == _address(item)]
            if len(same) == 1:
                moves[key] = back[same[0]]
                moves.pop(same[0], None)
                del left[same[0]]
    return moves


def take_places(stored: Mapping[Key, Item], moves: Moves) -> dict[Key, Item]:
    """Return what is stored under the keys of the file; the parts of units follow."""
    units: dict[UnitName, UnitName] = {_unit(old): _unit(new) for new, old in moves.items() if new[0] == "unit"}
    places = {old: new for new, old in moves.items()}
    found = {}
    for old, item in stored.items():
        parts = item.values.get("parts")
        values = {**item.values, "parts": tuple(units.get(part, part) for part in parts)} if parts else item.values
        key = places.get(old, old)
        found[key] = Item(key, item.spec, values, item.settings)
    return found


def describe_move(new: Key, old: Key) -> dict[str, FieldDiff]:
    """Return the fields that a move changes."""
    (kind, there), (_, here) = new, old
    named: dict[str, FieldDiff] = {"name": {"from": here[-1], "to": there[-1]}} if here[-1] != there[-1] else {}
    parent = "property" if kind == "unit" else "unit"
    moved: FieldDiff = {"from": " / ".join(here[:-1]), "to": " / ".join(there[:-1])}
    return named | ({parent: moved} if here[:-1] != there[:-1] else {})


def _find_units(stored: Mapping[Key, Item], items: Mapping[Key, Item]) -> dict[UnitName, UnitName]:
    """Return the units that move, by their stored names."""
    addresses, wanted = _addresses(stored), _addresses(items)
    units = {}
    for new in (_unit(key) for key in items if key[0] == "unit" and key not in stored):
        gone = [_unit(key) for key in stored if key[0] == "unit" and key[1][1] == new[1] and key not in items]
        same = [old for old in gone if addresses.get(old, set()) & wanted.get(new, set())]
        if len(same) == 1:
            units[same[0]] = new
    return units


def _addresses(items: Mapping[Key, Item]) -> dict[UnitName, set[object]]:
    found: dict[UnitName, set[object]] = {}
    for key, item in items.items():
        if _is_of_unit(key):
            found.setdefault(_unit(key), set()).add(_address(item))
    return found


def _place(key: Key, units: Mapping[UnitName, UnitName]) -> Key:
    """Return where what is stored at *key* is after the moves of *units*."""
    kind, names = key
    is_inside = kind == "unit" or _is_of_unit(key)
    return (kind, (*units.get(_unit(key), _unit(key)), *names[2:])) if is_inside else key


def _is_of_unit(key: Key) -> bool:
    return key[0] == "source" and len(key[1]) > 1


def _unit(key: Key) -> UnitName:
    return key[1][0], key[1][1]


def _address(item: Item) -> tuple[object, object]:
    return item.values["kind"], item.values["url"]
