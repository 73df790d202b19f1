"""Fields that vanish, or change their type, in most records at once: a fault of the source until it agrees with itself for a day.

what the records had, and show now                              the change
a field of half of them, or more; none shows it (or hardly any) ``field-vanished``
a field of another type in more than half of those that have it ``type-changed``
fewer than three records                                        ordinary

policy of the collection   what is done
follow                     taken, and reported
hold                       reported; the field keeps its values until fetches agreed for a day, or a person applies it
stop                       reported; nothing of the source is taken until a person applies it

Rows of tables and items of APIs alike: :func:`find_field_changes` compares records, :func:`judge_field_changes` decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from bokit.core.model.agreement import MIN_SHRINK, has_agreed
from bokit.core.model.plan import Hold
from bokit.core.model.records import Fields, Json
from bokit.core.model.source_rules import Problem
from bokit.values import Value, field

VANISHED, TYPE_CHANGED, FIELDS = "field-vanished", "type-changed", "fields-changed"
"""Codes of the two changes, and of the plan that holds them."""
MAX_DEPTH = 5
"""Objects inside each other that are compared field by field."""
MAX_NAMED = 20
"""Fields that a hold's message names one by one."""
Path = tuple[str, ...]


class SchemaPolicy(StrEnum):
    """What happens where a field vanishes or changes its type in most records at once."""

    FOLLOW = "follow"
    HOLD = "hold"
    STOP = "stop"


class FieldDrift(Value):
    """One field that vanished or changed its type."""

    code: str
    path: Path
    records: int
    """In how many records."""
    known: int
    """How many had it."""
    was: str = ""
    now: str = ""

    @property
    def name(self) -> str:
        """The field as people write it."""
        return ".".join(self.path)

    @property
    def key(self) -> str:
        """Identifies it between two fetches."""
        return f"{self.code}:{self.name}:{self.now}"

    @property
    def message(self) -> str:
        """What happened."""
        if self.code == VANISHED:
            return f"`{self.name}` is gone from {self.records} of the {self.known} records that had it"
        return f"`{self.name}` was {self.was} and is {self.now} now in {self.records} of {self.known} records"

    def as_problem(self) -> Problem:
        """As runs list it."""
        return Problem(code=self.code, message=self.message, field=self.name)

    def as_release(self) -> dict[str, Json]:
        """As a held plan lists it."""
        return {"action": self.code, "field": self.name, "records": self.records, "of": self.known, "key": self.key}


class FieldVerdict(Value):
    """What is done with the fields that vanished or changed their type."""

    found: tuple[FieldDrift, ...] = ()
    held: tuple[FieldDrift, ...] = ()
    """Those whose former values stay."""
    stops: bool = False
    """Nothing of the source is taken."""
    since: Mapping[str, datetime] = field(default_factory=dict)
    """By key: since when fetches agree on each that is held."""

    def keep(self, known: Fields, shown: Fields) -> Fields:
        """Return *shown* with the values that *known* has in the held fields."""
        for drift in self.held:
            shown = _keep(known, shown, drift)
        return shown

    def hold(self, before: Hold | None, at: datetime) -> Hold | None:
        """Return the held plan to show; None if nothing is held. *before*: the one that stands."""
        if not self.held:
            return None
        since = before.since if before and before.code == FIELDS else at
        names = "; ".join(s.message for s in self.held[:MAX_NAMED])
        done = "Nothing of this source is taken" if self.stops else "Their former values stay, everything else is taken"
        lifts = "until a person applies it" if self.stops else "until the source has agreed with itself for a day"
        message = f"Fields have changed in most records at once: {names}. {done}, {lifts}. If that is right, apply the held plan."
        return Hold(code=FIELDS, message=message, since=since, releases=tuple(s.as_release() for s in self.held))


def judge_field_changes(
    found: Sequence[FieldDrift],
    policy: SchemaPolicy,
    before: Mapping[str, datetime],
    at: datetime,
    approved: Iterable[str] = (),
) -> FieldVerdict:
    """Return what is done with *found*; *before* is the ``since`` of the last fetch, *approved* keys a person applies now."""
    approved = frozenset(approved)
    since = {s.key: before.get(s.key, at) for s in found if s.key not in approved}
    if policy is SchemaPolicy.FOLLOW:
        since = {}
    waits = {key for key, when in since.items() if policy is SchemaPolicy.STOP or not has_agreed(when, at)}
    held = tuple(s for s in found if s.key in waits)
    stops = policy is SchemaPolicy.STOP and bool(held)
    return FieldVerdict(found=tuple(found), held=held, stops=stops, since={key: since[key] for key in sorted(waits)})


def find_field_changes(
    pairs: Sequence[tuple[Fields, Fields]],
    *,
    mapped: Container[str] | None = None,
    left_out: Container[str] = (),
    unchanged: int = 0,
) -> list[FieldDrift]:
    """Return the fields that vanished or changed their type; each pair is what a record had, and what it shows now.

    *mapped*: the only fields that are read (None: all); *left_out*: paths that are left out. Neither is missed.
    *unchanged*: how many records besides are known to show what they had; each of them counts as one that has the field.
    """
    lost, changed, types = Counter[Path](), Counter[Path](), dict[Path, tuple[str, str]]()
    for known, shown in pairs:
        if known is not shown:
            _compare(known, shown, (), lost, changed, types)
    found: list[FieldDrift] = []
    for code, counts in ((VANISHED, lost), (TYPE_CHANGED, changed)):
        for path, records in counts.items():
            is_judged = (mapped is None or path[0] in mapped) and path[0] not in left_out and ".".join(path) not in left_out
            if records < MIN_SHRINK or not is_judged:
                continue
            had = sum(has_value(_at(known, path)) for known, _ in pairs) + unchanged
            is_usual = had * 2 >= len(pairs) + unchanged
            is_most = records * 2 > had if code == TYPE_CHANGED else records * 10 >= had * 9 and is_usual
            if is_most:
                was, now = types.get(path, ("", "")) if code == TYPE_CHANGED else ("", "")
                found.append(FieldDrift(code=code, path=path, records=records, known=had, was=was, now=now))
    return sorted(found, key=lambda s: (s.path, s.code))


def _compare(
    known: Fields, shown: Fields, path: Path, lost: Counter[Path], changed: Counter[Path], types: dict[Path, tuple[str, str]]
) -> None:
    for name, before in known.items():
        now, inner = shown.get(name), (*path, name)
        if before is now or not has_value(before):
            continue
        if not has_value(now):
            lost[inner] += 1
        elif isinstance(before, Mapping) and isinstance(now, Mapping):
            if len(inner) < MAX_DEPTH:
                _compare(before, now, inner, lost, changed, types)
        elif (was := type_name(before)) != (new := type_name(now)):
            changed[inner] += 1
            types[inner] = (was, new)


def _keep(known: Fields, shown: Fields, drift: FieldDrift) -> Fields:
    before, now = _at(known, drift.path), _at(shown, drift.path)
    if not has_value(before):
        return shown
    has_drifted = not has_value(now) if drift.code == VANISHED else has_value(now) and type_name(before) != type_name(now)
    return _put(shown, drift.path, before) if has_drifted else shown


def _at(value: Any, path: Path) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _put(fields: Any, path: Path, value: Json) -> dict[str, Any]:
    known = fields if isinstance(fields, Mapping) else {}
    return {**known, path[0]: value if len(path) == 1 else _put(known.get(path[0]), path[1:], value)}


def has_value(value: Any) -> bool:
    """Return whether a field says anything: not null, and not an empty text, object or array."""
    return value is not None and value != "" and value != {} and value != []


def type_name(value: Json) -> str:
    """Return the type of a JSON value as people call it."""
    names = ((bool, "a boolean"), ((int, float), "a number"), (str, "text"), (dict, "an object"), (list, "an array"))
    return next((name for kinds, name in names if isinstance(value, kinds)), "nothing")
