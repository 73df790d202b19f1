"""How CloudWatch judges an alarm of the template, minute by minute, on series that come late and have gaps.

Written after its documentation: the last *EvaluationPeriods* whole periods are looked at each minute, *DatapointsToAlarm* of them
must breach, a period without data counts as *TreatMissingData* says, and ``FILL`` takes a value that is only late for one that is
missing. What is not modelled raises.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {"Sum": sum, "Maximum": max}
Points = list["float | None"]


@dataclass
class Series:
    """The values of one metric, by the minute that they are dated, and the minute at which each is known."""

    values: dict[int, list[tuple[float, int]]] = field(default_factory=dict)

    def add(self, minute: int, value: float, late: int = 0) -> None:
        """Add a value."""
        self.values.setdefault(minute, []).append((value, minute + late))

    def read(self, start: int, minutes: int, now: int, statistic: str) -> float | None:
        """Return the statistic of a period as it is known at *now*; None without data."""
        found = [v for at in range(start, start + minutes) for v, known in self.values.get(at, []) if known <= now]
        return STATISTICS[statistic](found) if found else None


@dataclass(frozen=True)
class Judge:
    """An alarm of the template."""

    alarm: Mapping[str, Any]
    extra: int = 1
    """Periods that CloudWatch reads beyond those that it judges."""

    @property
    def minutes(self) -> int:
        """The length of a period."""
        given = [m["MetricStat"]["Period"] for m in self.alarm.get("Metrics", []) if "MetricStat" in m]
        (seconds,) = {*given, *([self.alarm["Period"]] if "Period" in self.alarm else [])}
        return int(seconds) // 60

    @property
    def span(self) -> int:
        """Minutes that the judged periods cover."""
        return self.minutes * int(self.alarm["EvaluationPeriods"])

    def states(self, series: Mapping[str, Series], minutes: int) -> Iterator[str]:
        """Yield the state of each minute; *series* by metric name."""
        for now in range(minutes):
            yield self._state(series, now)

    def _state(self, series: Mapping[str, Series], now: int) -> str:
        alarm, periods = self.alarm, int(self.alarm["EvaluationPeriods"])
        assert (alarm["ComparisonOperator"], alarm["TreatMissingData"] in ("breaching", "notBreaching")) == (
            "GreaterThanThreshold",
            True,
        )
        end = now // self.minutes * self.minutes
        starts = [end - self.minutes * n for n in range(periods + self.extra, 0, -1)]
        is_missing_bad = alarm["TreatMissingData"] == "breaching"
        judged = self._points(series, starts, now)[-periods:]
        breaching = [is_missing_bad if point is None else point > alarm["Threshold"] for point in judged]
        return "ALARM" if sum(breaching) >= alarm.get("DatapointsToAlarm", periods) else "OK"

    def _points(self, series: Mapping[str, Series], starts: Sequence[int], now: int) -> Points:
        def read(metric: str, statistic: str) -> Points:
            found = series.get(metric, Series())
            return [found.read(start, self.minutes, now, statistic) for start in starts]

        if "MetricName" in self.alarm:
            return read(self.alarm["MetricName"], self.alarm["Statistic"])
        metrics = self.alarm["Metrics"]
        (shown,) = [m for m in metrics if m["ReturnData"]]
        stats = {m["Id"]: m["MetricStat"] for m in metrics if "MetricStat" in m}
        known = {name: read(stat["Metric"]["MetricName"], stat["Stat"]) for name, stat in stats.items()}
        return _compute(ast.parse(shown["Expression"], mode="eval").body, known)


def _compute(node: ast.expr, known: Mapping[str, Points]) -> Points:
    match node:
        case ast.Name(id=name):
            return known[name]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            pairs = zip(_compute(left, known), _compute(right, known), strict=True)
            return [None if a is None or b is None else a + b for a, b in pairs]
        case ast.Call(func=ast.Name(id="FILL"), args=[given, ast.Constant(value=int(value))]):
            points = _compute(given, known)
            return points if all(p is None for p in points) else [value if p is None else p for p in points]
        case ast.Call(func=ast.Name(id="DIFF"), args=[given]):
            points = _compute(given, known)
            before: Points = [None, *points[:-1]]
            return [None if a is None or b is None else b - a for a, b in zip(before, points, strict=True)]
    raise NotImplementedError(ast.dump(node))


def turns(states: Sequence[str]) -> list[tuple[int, str]]:
    """Return the minutes at which the state changed, and to what: that is when CloudWatch notifies."""
    before = ["OK", *states[:-1]]
    return [(minute, after) for minute, (was, after) in enumerate(zip(before, states, strict=True)) if was != after]
