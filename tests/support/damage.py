"""What a series of faults cost: what is lost, doubled, open or late, beside what there should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """Counts of one or more trials.

    lost         records, lines of change logs, notices, runs or settings that are not there
    doubled      those that are there twice, or that nothing gave reason for
    open_nights  nights that somebody holds and that are for sale
    late         sources that were not synced when they were due, although nothing stopped their worker
    """

    tried: int = 0
    lost: int = 0
    doubled: int = 0
    open_nights: int = 0
    late: int = 0
    traces: tuple[str, ...] = ()

    def __add__(self, other: Damage) -> Damage:
        sums = {name: getattr(self, name) + getattr(other, name) for name in COUNTS}
        return Damage(**sums, traces=self.traces + other.traces)

    def at(self, place: str) -> Damage:
        """Return it with where it happened; of a trial without damage as it is."""
        return replace(self, traces=(f"{place}: {self.summary()}",)) if self.is_damage else self

    @property
    def is_damage(self) -> bool:
        """Whether anything is lost, doubled, open or late."""
        return bool(self.lost or self.doubled or self.open_nights or self.late)

    def summary(self) -> str:
        """Return the counts in words, and the traces so far."""
        found = ", ".join(f"{getattr(self, name)} {name}" for name in COUNTS[1:] if getattr(self, name))
        return "; ".join([found, *self.traces])


COUNTS = ("tried", "lost", "doubled", "open_nights", "late")


def compare_ends(expected: Mapping[str, Any], found: Mapping[str, Any]) -> Damage:
    """Return what one trial cost: its end state (``SimulatedApp.describe``) beside the one that it should have."""
    wanted, there = Counter(_facts(expected)), Counter(_facts(found))
    lost, doubled = wanted - there, there - wanted
    nights = sum(len(_nights(source) - _nights(found["sources"][key])) for key, source in expected["sources"].items())
    traces = tuple(f"{what}: {fact}"[:400] for what, facts in (("lost", lost), ("extra", doubled)) for fact in facts)
    return Damage(tried=1, lost=lost.total(), doubled=doubled.total(), open_nights=nights, traces=traces)


def _facts(end: Mapping[str, Any]) -> Iterable[str]:
    """Yield each thing of an end state that may be lost or doubled."""
    yield from (f"notice {notice}" for notice in end["notices"])
    yield from (f"open run {number}" for number in range(end.get("open_runs", 0)))
    yield from (f"claim {number} {claim}" for number, claim in enumerate(end["claims"]))
    for key, source in end["sources"].items():
        yield from (f"{key} {name} {source[name]}" for name in ("head", "failures", "free"))
        for record in filter(_is_thing, source["records"]):
            yield f"{key} {record['key']} {record['remote']} {record['edits']} {record['presence']} {record['gone']}"
            yield from (f"{key} {record['key']} log {line}" for line in record["log"])


def _is_thing(record: Mapping[str, Any]) -> bool:
    """Return whether a record is more than a window that holds no night."""
    return record["remote"].get("kind") != "window" or bool(_nights_of(record))


def _nights(source: Mapping[str, Any]) -> set[date]:
    return {night for record in source["records"] if record["presence"] != "gone" for night in _nights_of(record)}


def _nights_of(record: Mapping[str, Any]) -> set[date]:
    remote = record["remote"]
    stays = [(remote["check_in"], remote["check_out"])]
    spans = [*remote["nights"], *remote["provisional"]] if remote.get("kind") == "window" else stays
    return {night for check_in, check_out in spans for night in nights_between(str(check_in), str(check_out))}


def nights_between(check_in: str, check_out: str) -> set[date]:
    """Return the nights of a stay."""
    first, last = date.fromisoformat(check_in), date.fromisoformat(check_out)
    return {first + timedelta(days=n) for n in range((last - first).days)}
