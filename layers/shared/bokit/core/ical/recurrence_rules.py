"""Which recurrence rules are expanded: none that repeats by the minute, and none that looks for a day that never comes.

The expander searches a rule's periods up to the year 9999 until a day fits. A rule that never fits costs seconds, and a
feed with a hundred of them would block a worker. Each rule is therefore checked first, over a bounded number of periods.
"""

from __future__ import annotations

import re
from calendar import isleap, monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from bokit.core.ical.limits import MAX_FAILED_SEARCHES, MAX_OCCURRENCES, MAX_RULE_PERIODS, MAX_RULE_TEXT, MAX_SERIES_COST
from bokit.values import Value, field

FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_CLOCK = ("BYHOUR", "BYMINUTE", "BYSECOND")
_DATES = ("BYDAY", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS")
_PARTS = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", *_DATES, *_CLOCK})
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_WEEKDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
SERIES_COST, DATE_COST = 300, 20
"""What each event of a series costs, and each RDATE and EXDATE, in days of a rule."""


class Rule(Value):
    """An RRULE's parts, checked."""

    text: str
    frequency: str
    interval: int = 1
    parts: dict[str, list[str]] = field(default_factory=dict)

    def cost(self, start: date, until: date) -> int:
        """Return what expanding it from *start* to *until* costs, in days: a long period is searched day by day."""
        return max(0, (until - start).days) // self.interval


def read_rule(text: str) -> Rule | None:
    """Return the rule; None for one that is malformed, or not expanded."""
    if len(text) > MAX_RULE_TEXT:
        return None
    pairs = [part.strip().upper().partition("=") for part in text.strip().strip(";").split(";")]
    parts = {name: value.split(",") for name, _, value in pairs}
    frequency, interval = parts.get("FREQ", [""])[0], parts.get("INTERVAL", ["1"])[0]
    sound = (
        frequency in FREQUENCIES
        and len(parts) == len(pairs)
        and parts.keys() <= _PARTS
        and re.fullmatch(r"0*[1-9]\d{0,5}", interval)
        and all(len(parts.get(name, [""])) == 1 for name in _CLOCK)
        and _are_numbers(parts)
    )
    return Rule(text=text.strip(), frequency=frequency, interval=int(interval), parts=parts) if sound else None


def _are_numbers(parts: dict[str, list[str]]) -> bool:
    named = ("BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS", *_CLOCK)
    numbers = all(re.fullmatch(r"[+-]?\d{1,3}", v) for name in named for v in parts.get(name, ()))
    days = all(_WEEKDAY.fullmatch(v) for v in parts.get("BYDAY", ()))
    return numbers and days and all(re.fullmatch(r"\d{1,7}", v) for v in parts.get("COUNT", ()))


def can_happen(rule: Rule, start: date) -> bool:
    """Return whether some day fits *rule* within the periods that are searched."""
    return _can_happen(rule.text, start)


@lru_cache(maxsize=256)  # a feed's series often have one rule, and each reading of it asks again
def _can_happen(text: str, start: date) -> bool:
    rule = read_rule(text)
    if rule is None:
        return False
    tests = _read_tests(rule)
    if not tests and "BYSETPOS" not in rule.parts:
        return True
    places = {int(place) for place in rule.parts.get("BYSETPOS", ())}
    for days in _walk(rule, start):
        fits = sum(all(test(day) for test in tests) for day in days)
        if fits and (not places or any(0 < abs(place) <= fits for place in places)):
            return True
    return False


def _walk(rule: Rule, start: date) -> Iterator[list[date]]:
    """Yield the days of each period that is searched."""
    days = MAX_RULE_PERIODS
    for step in range(MAX_RULE_PERIODS):
        try:
            period = _period(rule.frequency, start, step * rule.interval)
        except (ValueError, OverflowError):
            return
        yield period
        days -= len(period) // 28  # long periods count for more
        if days <= 0:
            return


def _period(frequency: str, start: date, steps: int) -> list[date]:
    if frequency == "DAILY":
        return [start + timedelta(days=steps)]
    if frequency == "WEEKLY":
        monday = start - timedelta(days=start.weekday())
        return [monday + timedelta(days=7 * steps + i) for i in range(7)]
    if frequency == "MONTHLY":
        year, month = divmod(start.year * 12 + start.month - 1 + steps, 12)
        return [date(year, month + 1, day + 1) for day in range(monthrange(year, month + 1)[1])]
    first = date(start.year + steps, 1, 1)
    return [first + timedelta(days=i) for i in range(365 + isleap(first.year))]


def _read_tests(rule: Rule) -> list[Callable[[date], bool]]:
    numbers = {name: {int(v) for v in values} for name, values in rule.parts.items() if name in _NUMBERED}
    tests = [_number_test(of, numbers[name]) for name, of in _NUMBERED.items() if name in numbers]
    if "BYDAY" in rule.parts:
        by_month = rule.frequency == "MONTHLY" or "BYMONTH" in rule.parts
        wanted = {(int(n or 0), _DAYS.index(d)) for n, d in (_split_day(v) for v in rule.parts["BYDAY"])}
        ordinal = rule.frequency in ("MONTHLY", "YEARLY")
        tests.append(lambda day: _fits_weekday(day, wanted, by_month=by_month, ordinal=ordinal))
    return tests


def _number_test(of: Callable[[date], set[int]], wanted: set[int]) -> Callable[[date], bool]:
    return lambda day: bool(of(day) & wanted)


def _split_day(value: str) -> tuple[str | None, str]:
    found = _WEEKDAY.fullmatch(value)
    return (found[1], found[2]) if found else (None, "MO")


def _fits_weekday(day: date, wanted: set[tuple[int, int]], *, by_month: bool, ordinal: bool) -> bool:
    if not ordinal:
        return day.weekday() in {weekday for _, weekday in wanted}
    position, length = (day.day, monthrange(day.year, day.month)[1]) if by_month else _year_day(day)
    places = (0, (position - 1) // 7 + 1, -((length - position) // 7 + 1))
    return any((place, day.weekday()) in wanted for place in places)


def _year_day(day: date) -> tuple[int, int]:
    return day.timetuple().tm_yday, 365 + isleap(day.year)


def _of_month(day: date) -> set[int]:
    return {day.day, day.day - monthrange(day.year, day.month)[1] - 1}


def _of_year(day: date) -> set[int]:
    position, length = _year_day(day)
    return {position, position - length - 1}


def _of_week(day: date) -> set[int]:
    week = day.isocalendar().week
    return {week, week - 53, week - 54}


_NUMBERED: dict[str, Callable[[date], set[int]]] = {
    "BYMONTH": lambda day: {day.month},
    "BYMONTHDAY": _of_month,
    "BYYEARDAY": _of_year,
    "BYWEEKNO": _of_week,
}


@dataclass(slots=True, kw_only=True)
class Budget:
    """What one body may cost in recurrences; once it is spent, series are read by their first dates alone."""

    days: int = MAX_SERIES_COST
    occurrences: int = MAX_OCCURRENCES
    searches: int = MAX_FAILED_SEARCHES

    @property
    def is_spent(self) -> bool:
        """Whether nothing more fits."""
        return self.searches <= 0 or self.occurrences <= 0 or self.days < SERIES_COST

    def admits(self, rules: list[Rule], dates: int, start: date, until: date) -> bool:
        """Return whether an event of a series, with this number of *dates*, fits in what is left; subtract its cost."""
        cost = SERIES_COST + DATE_COST * dates + sum(rule.cost(start, until) for rule in rules)
        if self.is_spent or cost > self.days:
            self.days -= SERIES_COST  # refusing costs, too
            return False
        self.days -= cost
        if all(can_happen(rule, start) for rule in rules):
            return True
        self.searches -= 1
        return False
