"""Output: JSON for programs; tables, dates and states in words for people."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from bokit_cli.lines import order, wrap

if TYPE_CHECKING:
    from rich.console import Console

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SPANS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_WORDS = {
    "green": "ok succeeded confirmed",
    "cyan": "changed new",
    "yellow": "stale held partial missing",
    "red": "failing failed",
    "dim": "paused skipped gone cancelled vanished deleted",
}
COLOURS = {state: colour for colour, states in _WORDS.items() for state in states.split()}
MAX_BOOKINGS_SHOWN = 20  # of one conflict; the JSON document has all
MAX_NIGHTS_SHOWN = 5  # in a sentence
NO_PROPERTY = (
    "nothing here yet; `bokit property add NAME` adds a property, then come `bokit unit add` and `bokit source add`; "
    "`bokit config import FILE` adds all of them at once"
)
NO_SOURCE = "no source yet; `bokit source add NAME --unit UNIT --url URL` adds one"
NO_UNIT = "no unit yet; `bokit unit add NAME --property PROPERTY` adds one"
DONE_WORDS = {
    "create": "created",
    "update": "updated",
    "miss": "no longer shown",
    "find": "shown again",
    "cancel": "cancelled",
    "restore": "restored",
    "merge": "merged",
}
"""What was done to a record, by the name of the action."""
PLAN_WORDS = {"miss": "mark as missing", "find": "mark as shown again"}
"""What would be done, where the action's own name does not say it."""
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


class Cell(NamedTuple):
    """A cell of a table: its text, a shorter form where there is one, and its colour."""

    text: str
    brief: str
    style: str = ""


def word(state: object, brief: object = None) -> Cell:
    """Return a state, coloured where the terminal has colours, and its shorter form."""
    text = clean(state)
    return Cell(text, text if brief is None else clean(brief), COLOURS.get(str(state if brief is None else brief), ""))


def print_line(console: Console, text: object = "", indent: int | None = None) -> None:
    """Print one line of text: in a terminal broken between words, later lines with *indent* spaces."""
    line = clean(text)
    if not console.is_terminal:
        console.print(line, soft_wrap=True)
        return
    for part in wrap(line, console.width, indent):
        console.print(order(part), soft_wrap=True)


def print_next(console: Console, command: str, cursor: str | None) -> None:
    """Print the command that shows the next page; nothing where there is none."""
    if cursor:
        print_line(console, f"`{command} --cursor {cursor}` shows more")


def print_more(console: Console, count: int, indent: str = "") -> None:
    """Print that so many more are left out of what was printed; nothing where none is."""
    if count > 0:
        print_line(console, f"{indent}… and {count} more; --json has them all")


def print_facts(console: Console, facts: Mapping[str, object]) -> None:
    """Print names and values, one in a line; empty ones are left out."""
    width = max((len(name) for name, value in facts.items() if value not in (None, "")), default=0)
    for name, value in facts.items():
        if value not in (None, ""):
            print_line(console, f"{name:<{width}}  {clean(value)}", indent=width + 2)


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


def short_stay_words(check_in: str, check_out: str) -> str:
    """Return arrival and departure in as few words as leave no doubt: the year is the departure's.

    >>> short_stay_words("2026-07-10", "2026-07-14"), short_stay_words("2026-12-28", "2027-01-03")
    ('10–14 Jul 2026', '28 Dec–3 Jan 2027')
    """
    first, last = date.fromisoformat(check_in), date.fromisoformat(check_out)
    is_long = (last - first).days > 300
    shown = [f"{first.day}", f"{first:%b}", f"{first.year}"]
    same = 3 if is_long else 1 if first.month == last.month else 2
    return f"{' '.join(shown[:same])}–{last.day} {last:%b} {last.year}"


def count_nights(check_in: str, check_out: str) -> int:
    """Return how many nights a stay has."""
    return (date.fromisoformat(check_out) - date.fromisoformat(check_in)).days


def nights_words(nights: Sequence[str]) -> str:
    """Return how many nights, and the first of them.

    >>> nights_words(["2026-07-10"])
    '1 night: Fri 10 Jul 2026'
    """
    shown = ", ".join(map(day_words, nights[:MAX_NIGHTS_SHOWN]))
    more = f" and {len(nights) - MAX_NIGHTS_SHOWN} more" if len(nights) > MAX_NIGHTS_SHOWN else ""
    return f"{plural(len(nights), 'night')}: {shown}{more}"


def dates_words(nights: Sequence[str]) -> str:
    """Return nights as a host reads them: many in a row by the first one, and after a few only how many more there are.

    >>> dates_words(["2026-12-29", "2026-12-30"]), dates_words([f"2026-07-{day}" for day in (10, 11, 12, 14)])
    ('Tue 29 Dec 2026, Wed 30 Dec 2026', '3 nights from Fri 10 Jul 2026, Tue 14 Jul 2026')
    """
    rows: list[list[str]] = []
    for night in nights:
        if rows and count_nights(rows[-1][-1], night) == 1:
            rows[-1].append(night)
        else:
            rows.append([night])
    shown = [
        word
        for row in rows
        for word in ([f"{len(row)} nights from {day_words(row[0])}"] if len(row) > 2 else [day_words(n) for n in row])
    ]
    more = len(shown) - MAX_NIGHTS_SHOWN
    return ", ".join(shown[:MAX_NIGHTS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def short_id(record_id: str) -> str:
    """Return the short form of a record's id.

    >>> short_id("unit_1.938113589f9d809a08b6"), short_id("unit_1.hand_2y3c5m7k9p1r")
    ('93811358', 'hand_2y3c5m7k')
    """
    kind, underscore, own = record_id.rpartition(".")[2].rpartition("_")
    return f"{kind}{underscore}{own[:8]}"


def span_words(seconds: float) -> str:
    """Return a span of time in its largest unit.

    >>> span_words(90), span_words(7200), span_words(0)
    ('1 min', '2 h', '0 s')
    """
    for size, unit in _SPANS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "0 s"


def exact_span_words(seconds: int) -> str:
    """Return a span of time in the largest unit that leaves no rest.

    >>> exact_span_words(3600), exact_span_words(5400), exact_span_words(90)
    ('1 h', '90 min', '90 s')
    """
    size, unit = next((size, unit) for size, unit in _SPANS if seconds % size == 0)
    return f"{seconds // size} {unit}"


def ago_words(at: datetime | None, now: datetime) -> str:
    """Return how long ago, or in how long, *at* is; a dash for never."""
    if at is None:
        return "–"
    seconds = (now - at).total_seconds()
    if abs(seconds) < 1:
        return "just now"
    return f"{span_words(seconds)} ago" if seconds >= 0 else f"in {span_words(-seconds)}"


def lasting_words(since: datetime, now: datetime) -> str:
    """Return for how long something has been so.

    >>> noon = datetime.fromisoformat("2026-08-03T12:00:00Z")
    >>> lasting_words(noon, noon), lasting_words(noon, datetime.fromisoformat("2026-08-03T14:30:00Z"))
    ('since just now', 'for 2 h')
    """
    seconds = (now - since).total_seconds()
    return f"for {span_words(seconds)}" if seconds >= 1 else "since just now"


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


def stale_words(made_at: datetime | None, read_at: datetime | None, now: datetime) -> str:
    """Return why a source is stale: when the content that comes was made, or when it was last read.

    >>> noon = datetime.fromisoformat("2026-08-03T12:00:00Z")
    >>> stale_words(None, noon, datetime.fromisoformat("2026-08-03T14:00:00Z"))
    'last read 2 h ago; `bokit doctor` shows whether the schedule runs'
    """
    if made_at is None:
        return f"last read {ago_words(read_at, now) if read_at else 'never'}; `bokit doctor` shows whether the schedule runs"
    return (
        f"it answers, but with the calendar of {ago_words(made_at, now)}: nothing is cancelled meanwhile, and new bookings may "
        "be missing; open its address in a browser, or ask the platform"
    )


def count_words(counts: Mapping[str, int]) -> str:
    """Return the counts that are not zero.

    >>> count_words({"seen": 3, "created": 2, "missing": 0, "refused": 1})
    '2 created, 1 not taken'
    """
    shown = [f"{n} {name}" for name, n in counts.items() if n and name not in ("seen", "unchanged", "refused")]
    if refused := counts.get("refused"):
        shown.append(f"{refused} not taken")
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


def collection_of(source: Mapping[str, Any]) -> str:
    """Return the collection of a source that is of no unit; of a unit's source nothing, since its full name says enough.

    >>> collection_of({"unit_id": None, "collection": "clients"}), collection_of({"unit_id": "u", "collection": "bookings"})
    ('clients', '')
    """
    return "" if source["unit_id"] else str(source["collection"])
