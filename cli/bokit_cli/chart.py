"""``bokit calendar``: the nights of each unit, a row for each, readable without colours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from math import ceil
from typing import TYPE_CHECKING, Annotated

import typer

from bokit_cli.bookings import who_words
from bokit_cli.changes import BY_HAND
from bokit_cli.completion import complete_property, complete_unit
from bokit_cli.flags import DEFAULT, AsJson, Tenant
from bokit_cli.lines import cut, isolate, order, wrap
from bokit_cli.months import MAX_DAYS, is_month, read_period
from bokit_cli.session import Session
from bokit_cli.show import NO_UNIT, clean, dates_words, print_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from bokit.core.model.catalog import UnitId
    from bokit.engine.bookings.charts import ChartDocument, ChartRow
    from bokit.engine.bookings.terms import NightDocument

CELL = 2  # characters of a night
WIDE, NAME_WIDE, NAME_NARROW = 60, 18, 12  # from this width on, names have so much room, else less
COLORS = ("cyan", "magenta", "green", "yellow", "blue", "bright_cyan", "bright_magenta", "bright_green")
ALARM, DIM = "bold white on red", "dim"
FREE, GOES_ON, TODAY, TIGHT = ".", "-", ">", "!"
FRIDAY = 4
SIGNS = {"block": "#", "window": "~", "held": "?", "fading": "/", "echo": "="}
KEPT, LINKED, DOUBLE = "?", "+", "!!"
MEANINGS = {  # in the page's words
    "#": "blocked, without a guest",
    "~": "the channel's own rules close it",
    "?": "no longer in its calendar, kept closed",
    "/": "repeats a cancelled booking, opens soon",
    "=": "repeats another booking",
    "+": "a linked unit is booked",
}


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("calendar")(show_calendar)


def show_calendar(
    ctx: typer.Context,
    unit: Annotated[
        str | None, typer.Argument(metavar="UNIT", help="Only this unit; id or name.", autocompletion=complete_unit)
    ] = None,
    month: Annotated[
        str | None, typer.Argument(metavar="MONTH", help="2027-01, january, jan, this, next or last; this one if omitted.")
    ] = None,
    property_name: Annotated[
        str | None,
        typer.Option(
            "--property",
            metavar="PROPERTY",
            help="Only the units of this property; id or name.",
            autocompletion=complete_property,
        ),
    ] = None,
    days: Annotated[int | None, typer.Option("--days", min=1, max=MAX_DAYS, help="So many days from today on.")] = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Show a month: who has each night of each unit, arrivals, departures, double bookings."""
    session = Session(ctx, tenant, as_json)
    charts = session.bokit.bookings.charts
    today = session.bokit.clock().date()
    if month is None and unit is not None and is_month(unit, today):
        unit, month = None, unit
    read_period(month, days, today)  # wrong use comes before what is not there
    units = _find_units(session, unit, property_name)
    period = read_period(month, days, charts.load_today(session.tenant, units))
    doc = charts.load_chart(session.tenant, units, *period)
    is_bare = not units and property_name is None
    session.answer(doc, lambda c: print_line(c, session.first_step()) if is_bare else print_chart(c, doc))


def _find_units(session: Session, unit: str | None, property_name: str | None) -> list[UnitId]:
    from bokit.errors import InputError

    catalog = session.bokit.catalog
    if unit is not None and property_name is not None:
        raise InputError("give a unit or --property, not both", code="bad-field")
    if unit is not None:
        return [catalog.find_unit(session.tenant, unit).id]
    house = catalog.find_property(session.tenant, property_name).id if property_name is not None else None
    return [u.id for u in catalog.list_units(session.tenant, house)]


def print_chart(console: Console, doc: ChartDocument) -> None:
    """Print a chart as wide as the terminal; in a pipe each unit in one line, however long, and with its property."""
    if not doc["units"]:
        print_line(console, NO_UNIT)
        return
    width = console.width if console.is_terminal else None
    for line in draw_chart(doc, width):
        console.print(line, soft_wrap=width is None)


def draw_chart(doc: ChartDocument, width: int | None) -> Iterator[Text]:
    """Yield the lines of a chart in *width* columns (None: one line for each unit): nights, legend, double bookings."""
    for part in _split(doc, width):
        yield from part.draw()
    yield from _draw_legend(doc, width)
    yield from _draw_conflicts(doc, width)


def _split(doc: ChartDocument, width: int | None) -> Iterator[_Part]:
    """Yield the parts of a chart below each other: as few as fit beside the names, each with about as many nights."""
    count = (date.fromisoformat(doc["end"]) - date.fromisoformat(doc["first"])).days
    room = count if width is None else max(1, (width - (NAME_WIDE if width >= WIDE else NAME_NARROW)) // CELL)
    size = ceil(count / ceil(count / room))
    for start in range(0, count, size):
        yield _Part(doc, slice(start, min(start + size, count)), width, size)


class _Part:
    """Nights of a chart that stand in one line; *size* is how many the widest part has."""

    def __init__(self, doc: ChartDocument, shown: slice, width: int | None, size: int) -> None:
        from rich.cells import cell_len

        self.doc, self.shown, self.width = doc, shown, width
        self.channels = {c["name"]: (c["letter"], COLORS[c["color"] % len(COLORS)]) for c in doc["channels"]}
        first = date.fromisoformat(doc["first"]).toordinal()
        self.days = [date.fromordinal(first + n) for n in range(shown.start, shown.stop)]
        self.has_houses = width is not None and len({row["property_id"] for row in doc["units"]}) > 1
        most = max(map(cell_len, [*map(self._name, doc["units"]), self._title()])) + 1
        self.room = most if width is None else max(1, min(most, width - CELL * size))

    def draw(self) -> Iterator[Text]:
        """Yield the heading and the rows, each property's under its name."""
        yield from self._draw_heading()
        house = None
        for row in self.doc["units"]:
            if self.has_houses and row["property_id"] != house:
                house = row["property_id"]
                yield _cut(clean(row["property"]), self.width, style="bold")
            yield from self._draw_row(row)

    def _name(self, row: ChartRow) -> str:
        """Return a row's name: its own below its property's, else the full one."""
        return f"  {clean(row['unit_name'])}" if self.has_houses else clean(row["unit"])

    def _title(self) -> str:
        """Return the first month."""
        return f"{self.days[0]:%b %Y}"

    def _draw_heading(self) -> Iterator[Text]:
        """Yield the days: tens and months that begin, ones, and weekdays; weekends are in capitals, and today has a mark."""
        from rich.text import Text

        yield Text.assemble(_fit(self._title(), self.room, style="bold"), _draw_tens(self.days))
        yield Text.assemble(" " * self.room, "".join(f"{day.day % 10:{CELL}}" for day in self.days))
        yield Text.assemble(" " * self.room, *(self._draw_weekday(day) for day in self.days))

    def _draw_weekday(self, day: date) -> tuple[str, str]:
        letter = f"{day:%a}"[0]
        if day.isoformat() == self.doc["today"]:
            return f"{TODAY}{letter}", "bold reverse"
        return (f" {letter}", "") if day.weekday() > FRIDAY else (f" {letter.lower()}", DIM)

    def _draw_row(self, row: ChartRow) -> Iterator[Text]:
        """Yield a unit's name and its nights, in two lines where the name is too long to stand before them."""
        from rich.cells import cell_len
        from rich.text import Text

        name = self._name(row)
        if cell_len(name) >= self.room:
            yield _cut(name, self.width)
            name = ""
        nights = row["nights"][self.shown]
        shown = name if self.width is None else isolate(name)
        yield Text.assemble(_fit(shown, self.room), *(self._draw_night(night, row["unit_id"]) for night in nights))

    def _draw_night(self, night: NightDocument, unit: str) -> tuple[str, str]:
        """Return the two characters of a night, and their style: who leaves or goes on, and who has the night."""
        letter, color = self.channels.get(night["channel"] or "", (FREE, DIM))
        if night["conflict"]:
            return DOUBLE, ALARM
        leaving = next((self.channels[visit["channel"]][0].lower() for visit in night["leaves"]), "")
        look = night["look"]
        if look is None:
            return (f"{TIGHT}{FREE}", ALARM) if night["tight"] else (f"{leaving or ' '}{FREE}", DIM)
        sign = _sign_of(night, unit)
        before = leaving or (letter if sign else GOES_ON if night["goes_on"] else " ")
        return f"{TIGHT if night['tight'] else before}{sign or letter}", ALARM if night["tight"] else f"bold {color}"


def _sign_of(night: NightDocument, unit: str) -> str:
    """Return what stands for a night in its channel's place; nothing for a guest of the unit."""
    if night["kept"]:
        return KEPT
    if night["unit_id"] != unit:
        return LINKED
    return SIGNS.get(str(night["look"]), "")


def _draw_tens(days: Sequence[date]) -> str:
    """Return the tens above the days that begin some, and the months that begin."""
    drawn = [" "] * CELL * len(days)
    for at, day in enumerate(days):
        is_ten = day.day % 10 == 0 or (at == 0 and day.day > 9)
        text = f"{day.day // 10:{CELL}}" if is_ten else f" {day:%b}" if day.day == 1 and at else ""
        drawn[CELL * at : CELL * at + len(text)] = text
    return "".join(drawn)[: CELL * len(days)].rstrip()


def _fit(text: str, width: int, style: str = "") -> Text:
    """Return *text* with spaces up to so many columns."""
    from rich.text import Text

    fitted = Text(text, style=style)
    fitted.pad_right(width - fitted.cell_len)
    return fitted


def _cut(text: str, width: int | None, style: str = "") -> Text:
    """Return *text* in at most so many columns; what is longer ends in an ellipsis."""
    from rich.text import Text

    return Text(text if width is None else isolate(cut(text, width)), style=style)


def _draw_legend(doc: ChartDocument, width: int | None) -> Iterator[Text]:
    """Yield what stands for what, of that which is shown."""
    nights = [(night, row["unit_id"]) for row in doc["units"] for night in row["nights"]]
    guests = [c["letter"] for c in doc["channels"]]
    parts = [f"{c['letter']} {clean(c['name'])}" for c in doc["channels"]]
    if guests:
        letter = guests[0]
        parts += [f"{letter} arrives, {GOES_ON}{letter} stays, {letter.lower()} leaves"]
    signs = {_sign_of(night, unit) for night, unit in nights if night["look"]}
    parts += [f"{sign} {meaning}" for sign, meaning in MEANINGS.items() if sign in signs]
    parts += [f"{DOUBLE} double booking"] * any(night["conflict"] for night, _ in nights)
    parts += [f"{TIGHT} too little time between guests"] * any(night["tight"] for night, _ in nights)
    parts += [f"{FREE} free"]
    parts += [f"{TODAY} today"] * (doc["first"] <= doc["today"] < doc["end"])
    yield from _flow(parts, width)


def _flow(parts: Iterable[str], width: int | None) -> Iterator[Text]:
    """Yield *parts* in lines of *width*; one that is longer is broken between its words."""
    from rich.cells import cell_len
    from rich.text import Text

    lines = [""]
    for part in parts:
        longer = f"{lines[-1]}  {part}" if lines[-1] else part
        if lines[-1] and width is not None and cell_len(longer) > width:
            lines.append(part)
        else:
            lines[-1] = longer
    yield from (Text(order(part)) for line in lines for part in wrap(line, width)) if width is not None else map(Text, lines)


def _draw_conflicts(doc: ChartDocument, width: int | None) -> Iterator[Text]:
    """Yield a line for each double booking: where, when, and who; in a terminal broken between words."""
    from rich.text import Text

    places = {row["unit_id"]: row["unit"] for row in doc["units"]}
    channels = {source: c["name"] for c in doc["channels"] for source in c["source_ids"]}
    bookings = {b["id"]: f"{who_words(b)} ({channels.get(b['source_id'] or '', BY_HAND)})" for b in doc["bookings"]}
    for conflict in doc["conflicts"]:
        what = f"{TIGHT} Too little time between guests" if conflict["is_turnover"] else f"{DOUBLE} Double booking"
        where = " and ".join(clean(places[unit]) for unit in conflict["unit_ids"] if unit in places)
        who = " + ".join(bookings[b] for b in conflict["bookings"] if b in bookings)
        muted = ", acknowledged" if conflict["status"] == "acknowledged" else ""
        when = dates_words(conflict["nights"])
        text = f"{what}, {conflict['certainty']}{muted}: {where}, {when}: {who}"
        lines = [text] if width is None else [order(line) for line in wrap(text, width)]
        yield from (Text(line, style="bold red") for line in lines)
    if doc["conflicts"]:
        yield Text("`bokit conflicts` shows more")
