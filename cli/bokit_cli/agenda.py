"""``bokit today`` and ``bokit week``: who arrives, leaves and stays, and what needs a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import typer

from bokit_cli.finding import find_units
from bokit_cli.flags import DEFAULT, AsJson, Tenant, UnitFilter
from bokit_cli.session import Session
from bokit_cli.show import dates_words, day_words, plural, print_line, short_id

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.engine.bookings.charts import AgendaDocument, NeedDocument
    from bokit.engine.bookings.terms import AgendaEntry, DayDocument, TurnoverDocument

WEEK = 7
MAX_NAMES = 5  # of channels without a calendar; the JSON document has all
QUIET = "nobody arrives or leaves"
HEADINGS = {  # in the page's words, and in its order
    "leaves": ("guest leaves", "guests leave"),
    "arrives": ("guest arrives", "guests arrive"),
    "stays": ("guest stays", "guests stay"),
    "blocked": ("unit is blocked", "units are blocked"),
}
TURNOVER = {"leaves": "the next guest arrives the same day", "arrives": "the last guest leaves the same day"}
TIMES = {"leaves": "by", "arrives": "from"}
WARNINGS = {"too-short": "too little time", "double-booking": "double booking: the next guest has nights of this one's"}
SOURCE_WORDS = {"held": "its changes wait for your decision", "failing": "cannot be read", "stale": "nothing fresh came"}


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("today")(today)
    app.command("week")(week)


def today(ctx: typer.Context, unit: UnitFilter = None, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Show who leaves, arrives and stays today, and what needs you."""
    _answer(Session(ctx, tenant, as_json), unit, 1)


def week(ctx: typer.Context, unit: UnitFilter = None, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Show who leaves, arrives and stays today and on the six days after it, and what needs you."""
    _answer(Session(ctx, tenant, as_json), unit, WEEK)


def _answer(session: Session, unit: str | None, days: int) -> None:
    units = list(find_units(session, unit))
    names = {str(unit): session.names.of_unit(unit) for unit in units}
    doc = session.bokit.bookings.charts.load_agenda(session.tenant, units, days)
    session.answer(doc, lambda c: print_agenda(c, doc, names) if units else print_line(c, session.first_step()))


def print_agenda(console: Console, doc: AgendaDocument, names: Mapping[str, str]) -> None:
    """Print the days, and what needs a person; *names* are the units' full names by id."""
    for line in [*(line for day in doc["days"] for line in _day_lines(day, names)), *_need_lines(doc["needs"])]:
        print_line(console, line)


def _day_lines(day: DayDocument, names: Mapping[str, str]) -> Iterable[str]:
    """Yield the lines of a day; one alone where nobody arrives or leaves. *names* are the units' full names by id."""
    entries: dict[str, list[AgendaEntry]] = {part: day[part] for part in HEADINGS}  # type: ignore[literal-required]
    if not day["leaves"] and not day["arrives"]:
        rest = [_heading(part, entries[part]) for part in ("stays", "blocked") if entries[part]]
        yield f"{day_words(day['day'])}: {', '.join([QUIET, *rest])}"
        return
    yield day_words(day["day"])
    for part, found in entries.items():
        if found:
            yield f"  {_heading(part, found)}"
            yield from (f"    {_entry_words(entry, part)}" for entry in found)
        if part == "leaves" and day["turnovers"]:
            yield f"  {plural(len(day['turnovers']), 'turnover', 'turnovers')}"
            yield from (f"    {_turnover_words(turnover, names)}" for turnover in day["turnovers"])


def _heading(part: str, entries: list[Any]) -> str:
    return plural(len(entries), *HEADINGS[part])


def _entry_words(entry: AgendaEntry, part: str) -> str:
    """Return a booking on a day: ``Garden flat: Ann Meyer (Airbnb), until Fri 5 Jun 2026``."""
    facts = [f"since {day_words(entry['check_in'])}" if part == "leaves" else f"until {day_words(entry['check_out'])}"]
    facts = [f"{TIMES[part]} {entry['time']}", *facts] if part in TIMES else facts
    facts += [plural(entry["guests"], "person", "people")] if entry["guests"] else []
    facts += ["no longer in its calendar, kept closed"] if entry["kept"] else []
    facts += [TURNOVER[part]] if entry["turnover"] else []
    return f"{entry['unit']}: {entry['who']} ({' + '.join(entry['channels'])}), {', '.join(facts)}"


def _turnover_words(turnover: TurnoverDocument, names: Mapping[str, str]) -> str:
    """Return a turnover: ``Garden flat: 11:00 to 15:00, cleaning takes 180 minutes``."""
    since, until, cleaning = turnover["from"][11:16], turnover["until"], turnover["cleaning_minutes"]
    if until is None:
        facts = [f"from {since}, nobody is booked after"]
    elif turnover["same_day"]:
        facts = [f"{since} to {until[11:16]}"]
    else:
        facts = [f"from {since}, the next guest comes {day_words(until[:10])} at {until[11:16]}"]
    facts += [f"cleaning takes {plural(cleaning, 'minute', 'minutes')}"] if cleaning else []
    facts += [WARNINGS[turnover["warning"]]] if turnover["warning"] else []
    return f"{names[turnover['unit_id']]}: {', '.join(facts)}"


def _need_lines(needs: list[NeedDocument]) -> Iterable[str]:
    """Yield what needs a person, each with the command that shows more; channels without a calendar in one line."""
    if needs:
        yield "needs you"
    missing = [need["name"] for need in needs if need["state"] == "missing"]
    yield from (f"  {_need_words(need)}" for need in needs if need["state"] != "missing")
    if missing:
        more = len(missing) - MAX_NAMES
        names = ", ".join(missing[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
        yield f"  no calendar: {names}: nights booked elsewhere stay for sale there; `bokit export UNIT --for CHANNEL`"


def _need_words(need: NeedDocument) -> str:
    if need["kind"] == "conflict":
        what = "too little time between guests" if need["state"] == "turnover" else f"double booking, {need['state']}"
        return f"{what}: {need['name']}, {dates_words(need['nights'])}; `bokit conflicts` shows it ({short_id(need['id'])})"
    if need["kind"] == "calendar":
        why = need["message"] or "nobody reads this calendar"
        return f'unread: {need["name"]}: {why}; `bokit export "{need["unit"]}"` shows its address'
    return f"{need['state']}: {need['name']}: {SOURCE_WORDS[need['state']]}; `bokit source show {need['id']}`"
