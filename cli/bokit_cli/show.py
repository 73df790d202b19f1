"""Output: JSON for programs; tables, dates and states in words for people."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SPANS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_WORDS = {
    "green": "ok succeeded confirmed",
    "cyan": "changed",
    "yellow": "stale held partial missing",
    "red": "failing failed",
    "dim": "paused skipped gone cancelled vanished deleted",
}
COLOURS = {state: colour for colour, states in _WORDS.items() for state in states.split()}
MAX_BOOKINGS_SHOWN = 20  # of one conflict; the JSON document has all
STATUS_WORDS = {"undefined": "Booking.com booking or closure"}


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document on standard output."""
    from bokit.core.model.documents import write_json

    sys.stdout.write(write_json(document, indent=2) + "\n")


def clean(value: object) -> str:
    r"""Return *value* as one line of text without control characters.

    >>> clean("Ann\x1b[31m\nMeyer")
    'Ann[31m Meyer'
    """
    return _CONTROL.sub("", re.sub(r"[\n\t]+", " ", "" if value is None else str(value)))


def word(state: object) -> Text:
    """Return a state, coloured where the terminal has colours."""
    from rich.text import Text

    return Text(clean(state), style=COLOURS.get(str(state), ""))


def print_table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Print *rows* under *columns*, or *empty*. A column that ends in ``!`` is never wrapped, ``#`` is a number."""
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    if not rows:
        print_line(console, empty)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        name = column.rstrip("!#")
        table.add_column(name, no_wrap="!" in column, justify="right" if "#" in column else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(clean(cell)) for cell in row))
    console.print(table)


def print_line(console: Console, text: object = "") -> None:
    """Print one line of text as it is."""
    console.print(clean(text), soft_wrap=True)


def print_more(console: Console, count: int, indent: str = "") -> None:
    """Print that so many more are left out of what was printed; nothing where none is."""
    if count > 0:
        print_line(console, f"{indent}… and {count} more; --json has them all")


def print_facts(console: Console, facts: Mapping[str, object]) -> None:
    """Print names and values, one in a line; empty ones are left out."""
    width = max((len(name) for name, value in facts.items() if value not in (None, "")), default=0)
    for name, value in facts.items():
        if value not in (None, ""):
            print_line(console, f"{name:<{width}}  {clean(value)}")


def day_words(day: date | str) -> str:
    """Return a date as a host reads it.

    >>> day_words("2026-07-10")
    'Fri 10 Jul 2026'
    """
    day = date.fromisoformat(day) if isinstance(day, str) else day
    return f"{day:%a} {day.day} {day:%b} {day.year}"


def stay_words(check_in: str, check_out: str) -> str:
    """Return arrival and departure as a host reads them.

    >>> stay_words("2026-07-10", "2026-07-14"), stay_words("2026-07-31", "2026-08-02")
    ('Fri 10 – Tue 14 Jul 2026', 'Fri 31 Jul – Sun 2 Aug 2026')
    """
    first, last = date.fromisoformat(check_in), date.fromisoformat(check_out)
    shown = day_words(first).split(" ")
    same = 2 if (first.year, first.month) == (last.year, last.month) else 3 if first.year == last.year else 4
    return f"{' '.join(shown[:same])} – {day_words(last)}"


def count_nights(check_in: str, check_out: str) -> int:
    """Return how many nights a stay has."""
    return (date.fromisoformat(check_out) - date.fromisoformat(check_in)).days


def short_id(record_id: str) -> str:
    """Return the short form of a record's id.

    >>> short_id("unit_1.938113589f9d809a08b6")
    '93811358'
    """
    return record_id.rpartition(".")[2][:8]


def span_words(seconds: float) -> str:
    """Return a span of time in its largest unit.

    >>> span_words(90), span_words(7200), span_words(0)
    ('1 min', '2 h', '0 s')
    """
    for size, unit in _SPANS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "0 s"


def ago_words(at: datetime | None, now: datetime) -> str:
    """Return how long ago, or in how long, *at* is; a dash for never."""
    if at is None:
        return "–"
    seconds = (now - at).total_seconds()
    return f"{span_words(seconds)} ago" if seconds >= 0 else f"in {span_words(-seconds)}"


def opening_words(opens_at: datetime, zone: str, now: datetime) -> str:
    """Return when time lifts a hold, in the time of *zone*, as a host reads it.

    >>> noon = datetime.fromisoformat("2026-08-03T12:00:00Z")
    >>> opening_words(noon, "Europe/Rome", now=datetime.fromisoformat("2026-08-02T12:00:00Z"))
    'opens Mon 3 Aug 14:00 (Europe/Rome) unless you say no'
    """
    if opens_at <= now:
        return "opens with the next sync that still agrees, unless you say no"
    at = opens_at.astimezone(ZoneInfo(zone))
    return f"opens {at:%a} {at.day} {at:%b %H:%M} ({zone}) unless you say no"


def count_words(counts: Mapping[str, int]) -> str:
    """Return the counts that are not zero.

    >>> count_words({"seen": 3, "created": 2, "missing": 0, "refused": 1})
    '2 created, 1 source held back'
    """
    shown = [f"{n} {name}" for name, n in counts.items() if n and name not in ("seen", "unchanged", "refused")]
    if held := counts.get("refused"):
        shown.append(f"{plural(held, 'source')} held back")
    return ", ".join(shown) or f"{counts.get('seen', 0)} seen, nothing new"


def plural(number: int, singular: str, several: str = "") -> str:
    """Return a number with its noun.

    >>> plural(1, "entry", "entries"), plural(2, "night")
    ('1 entry', '2 nights')
    """
    return f"{number} {singular if number == 1 else several or singular + 's'}"


def status_words(status: object) -> str:
    """Return a booking's status for people.

    >>> status_words("confirmed"), status_words("undefined")
    ('confirmed', 'Booking.com booking or closure')
    """
    return STATUS_WORDS.get(str(status)) or value_words(status)


def new_words(counts: Mapping[str, int]) -> str:
    """Return the counts of a sync that only added what is new.

    >>> new_words({"created": 22, "seen": 122})
    'new 22, existing 100, total 122'
    """
    new, total = counts.get("created", 0), counts.get("seen", 0)
    return f"new {new}, existing {total - new}, total {total}"


def value_words(value: object) -> str:
    """Return a field's value in at most 80 characters.

    >>> value_words("Ada"), value_words({"zip": "1"}), value_words(None)
    ('Ada', '{"zip": "1"}', '(empty)')
    """
    if value is None:
        return "(empty)"
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= 80 else f"{shown[:79]}…"


def problem_words(problem: Mapping[str, Any]) -> str:
    """Return what of a source's content could not be used.

    >>> problem_words({"code": "schema", "message": "not text", "uid": "7", "field": "name"})
    '7 name: not text (schema)'
    """
    place = " ".join(str(problem[word]) for word in ("uid", "field") if problem.get(word))
    return f"{place}: {problem['message']} ({problem['code']})".lstrip(": ")


def show_suggestions(console: Console, preview: Mapping[str, Any]) -> None:
    """Print the settings that a feed's content suggests, each as an option."""
    for name, value in preview.get("suggested", {}).items():
        print_line(
            console,
            f"suggestion: --{name.replace('_', '-')} {value}, if this is what its dates mean; `bokit source edit` sets it",
        )


def where_words(source: Mapping[str, Any], units: Mapping[str, str]) -> str:
    """Return the name of a source's unit, else of its collection.

    >>> where_words({"unit_id": None, "collection": "clients"}, {})
    'clients'
    """
    unit = source["unit_id"]
    return str(source["collection"]) if unit is None else units.get(unit, unit)
