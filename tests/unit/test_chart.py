"""The nights of units as they are drawn: each that is taken is shown taken, and no free one is."""

from __future__ import annotations

import io
import random
import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from bokit.core.bookings.stay import held_nights
from bokit.core.model.records import Presence, Scope
from bokit.core.occupancy.agenda import AgendaNames, DayPart, describe_day
from bokit.core.occupancy.chart import Channels, Look, assign_letters, describe_nights
from bokit.core.occupancy.conflict_records import ConflictAuthor, describe_conflict, plan_conflicts
from bokit.core.occupancy.conflicts import find_conflicts
from bokit.core.occupancy.occupancy import read_occupancy
from bokit.core.occupancy.view import describe_bookings
from bokit_cli.chart import draw_chart, print_chart
from bokit_cli.months import read_month
from tests.support.builders import NOW, a_unit
from tests.support.july import FLAT, TODAY, VILLA, a_block, a_closure, an_airbnb
from tests.support.random_calendars import DAYS, FIRST, NOON, make_calendar

PAGE = Path(__file__).resolve().parents[2] / "web/page/src"
JULY = date(2026, 7, 1), date(2026, 8, 1)
NAMES = {"src_a": "Airbnb", "src_b": "Booking.com", "src_v": "VRBO"}


def a_chart(units, records, period=JULY, *, today=TODAY, at=NOW, turnover=None, kept=frozenset(), house="Villa Rosa"):
    """Return the document of *units* with these records, conflicts included."""
    occupancy = read_occupancy(units, records, today=today, at=at)
    author = ConflictAuthor(tenant="default", at=at, today=today, by="tests")
    changes = plan_conflicts([], find_conflicts(occupancy, turnover or {}), author)
    conflicts = [describe_conflict(change.record, today) for change in changes]
    channels = Channels(names=NAMES | {r.source_id: NAMES.get(r.source_id, r.source_id) for r in records if r.source_id})
    rows = []
    for unit in units:
        shown = describe_nights(occupancy, Scope(unit.id), period, channel_of=channels.name_of, kept=kept, conflicts=conflicts)
        place = {"unit_id": unit.id, "unit": unit.name, "unit_name": unit.name, "property_id": house, "property": house}
        rows.append({**place, "nights": shown})
    return {
        "at": "",
        "today": today.isoformat(),
        "first": period[0].isoformat(),
        "end": period[1].isoformat(),
        "channels": channels.describe(),
        "units": rows,
        "conflicts": conflicts,
        "bookings": describe_bookings(occupancy, records),
    }


def cells_of(doc, width=None):
    """Return the cells of each row as they are printed, two characters each, without colours."""
    return [cells for _, cells in rows_of(doc, width)]


def rows_of(doc, width=None):
    lines = [line.plain for line in draw_chart(doc, width)]
    count = len(doc["units"][0]["nights"])
    rows = lines[3 : 3 + len(doc["units"])]
    return [(line[: -2 * count], re.findall("..", line[-2 * count :])) for line in rows]


def night_cells(records, units=FLAT, **given):
    """Return the cells of the first unit from 10 July on."""
    return cells_of(a_chart(units, records, (date(2026, 7, 10), date(2026, 7, 17)), **given))[0]


# ── what a night looks like ──


def test_a_guest_arrives_stays_and_leaves():
    """The letter of the channel; the morning of departure has its small one."""
    assert night_cells([an_airbnb(11, 14)]) == [" .", " A", "-A", "-A", "a.", " .", " ."]


def test_a_changeover_shows_both():
    """The guest who leaves on the left, the one who arrives on the right, also where both are of one channel."""
    stays = [an_airbnb(10, 12), an_airbnb(12, 14, "HMBBBBBBBB"), a_closure(14, 16)]

    assert night_cells(stays) == [" A", "-A", "aA", "-A", "aB", "-B", "b."]


def test_a_stay_that_began_before_goes_on_and_one_that_lasts_has_no_departure():
    """The edges of a month cut no stay in a way that reads as an arrival or a departure."""
    assert night_cells([an_airbnb(5, 12), an_airbnb(15, 25, "HMBBBBBBBB")]) == ["-A", "-A", "a.", " .", " .", " A", "-A"]


def test_a_block_has_its_channel_before_and_a_sign():
    """Who leaves on its first day is seen as well."""
    assert night_cells([an_airbnb(10, 11), a_block(11, 14)]) == [" A", "a#", "V#", "V#", " .", " .", " ."]


def test_entries_by_hand_and_of_removed_calendars_have_letters_of_their_own():
    """H and X, unless a source has them."""
    channels = Channels(names={"src_a": "Airbnb"})

    assert [(c["name"], c["letter"]) for c in channels.describe()] == [
        ("Airbnb", "A"),
        ("By hand", "H"),
        ("Removed calendar", "X"),
    ]
    assert (channels.name_of(None), channels.name_of("src_gone")) == ("By hand", "Removed calendar")


def test_a_conflict_cannot_be_overlooked():
    """Both characters of each night that is booked twice, and a line with both guests below."""
    doc = a_chart(FLAT, [an_airbnb(10, 14), a_closure(12, 15, guest_name="Ann")])

    (row,) = cells_of(doc)
    text = "\n".join(line.plain for line in draw_chart(doc, 80))

    assert row[11:13] == ["!!", "!!"]
    assert row.count("!!") == 2
    assert "!! double booking" in text
    assert "!! Double booking, " in text
    assert "HMAAAAAAAA (Airbnb)" in text
    assert "Ann (Booking.com)" in text


def test_too_little_time_between_guests_takes_no_night():
    """A turnover that is too short is marked before the night, and a free night stays free."""
    stays = [an_airbnb(10, 12), an_airbnb(13, 15, "HMBBBBBBBB")]

    cells = night_cells(stays, turnover={"unit_1": 2})

    assert any(cell.startswith("!") for cell in cells)
    assert cells[2][1] == "."
    assert "!!" not in cells


def test_a_booking_that_its_calendar_no_longer_shows_is_held():
    """Missing ones, and those that only a guard keeps, have a question mark."""
    missing = an_airbnb(10, 13, presence=Presence.MISSING, missing_since=NOW)
    shown = an_airbnb(10, 13)

    assert night_cells([missing])[:4] == ["A?", "A?", "A?", "a."]
    assert night_cells([shown], kept={shown.id})[:3] == ["A?", "A?", "A?"]


def test_a_booking_of_the_whole_closes_its_parts():
    """Linked units show each other's nights, and no guest of theirs arrives there."""
    doc = a_chart(VILLA, [an_airbnb(10, 12, unit="unit_villa"), an_airbnb(20, 21, "HMBBBBBBBB", unit="unit_flat")])

    villa, flat, loft = cells_of(doc)

    assert villa[9:12] == [" A", "-A", "a."]
    assert flat[9:12] == loft[9:12] == ["A+", "A+", " ."]
    assert (villa[19], flat[19], loft[19]) == ("A+", " A", " .")


def test_letters_are_each_channels_own():
    """No two channels have one letter while there are any; then they share a sign."""
    few = assign_letters(["Airbnb", "Agoda", "Amenitiz", "愛", "Airbnb 2"])
    many = assign_letters([f"Channel {n}" for n in range(40)])

    assert len(set(few.values())) == 5
    assert few["Airbnb"] == "A"
    assert sorted(set(many.values())) == sorted("*ABCDEFGHIJKLMNOPQRSTUVWXYZ")


# ── over random calendars ──


@pytest.mark.parametrize("seed", range(6))
def test_every_taken_night_is_shown_taken_and_no_free_one(seed):
    """Over 300 random calendars of linked units, across the end of summer time, drawn at 80, 40 and in a pipe."""
    rng, seen = random.Random(seed), dict.fromkeys(("taken", "free", "double", "linked", "kept"), 0)
    period = FIRST - timedelta(days=2), FIRST + timedelta(days=DAYS + 2)
    for _ in range(50):
        units, made, today, turnover = make_calendar(rng)
        records = [m.record for m in made]
        doc = a_chart(units, records, period, today=today, at=NOON, turnover=turnover)
        for unit, row in zip(units, doc["units"], strict=True):
            taken = taken_nights(unit.id, records)
            assert {n["night"] for n in row["nights"] if n["look"]} == {n for n in taken if in_period(n, period)}
            printed = [cell for part in parts_of(doc, row, rng.choice([None, 80, 40])) for cell in part]
            assert len(printed) == len(row["nights"])
            for cell, night in zip(printed, row["nights"], strict=True):
                assert (cell[1] != ".") == (night["night"] in taken), (seed, cell, night)
                assert (cell == "!!") == bool(night["conflict"])
                assert not night["conflict"] or len(night["by"]) > 1
                seen["double"] += cell == "!!"
                seen["linked"] += cell[1] == "+"
                seen["kept"] += cell[1] == "?"
                seen["taken" if night["look"] else "free"] += 1
        marked = {(n["conflict"], n["night"]) for row in doc["units"] for n in row["nights"]}
        nights = {(c["id"], night) for c in doc["conflicts"] if not c["is_turnover"] for night in c["nights"]}
        assert marked - {(None, n) for _, n in marked} == nights, "each night that is booked twice is marked in a unit"
    assert all(seen.values()), seen


def in_period(night, period):
    return period[0].isoformat() <= night < period[1].isoformat()


def taken_nights(unit, records):
    """Return the nights of a unit by the records alone: its own, and those of the whole or the parts."""
    linked = {
        "unit_villa": {"unit_villa", "unit_flat", "unit_loft"},
        "unit_flat": {"unit_flat", "unit_villa"},
        "unit_loft": {"unit_loft", "unit_villa"},
    }
    scopes = linked.get(unit, {unit})
    held = [r for r in records if r.scope in scopes and r.presence is not Presence.GONE]
    return {night.isoformat() for r in held for night in held_nights(r)}


def parts_of(doc, row, width):
    """Return a row's cells in each part below each other."""
    one = {**doc, "units": [row], "conflicts": []}
    lines = [line.plain for line in draw_chart(one, width)]
    starts = [n for n, line in enumerate(lines) if re.match(r"[A-Z][a-z]{2} \d{4}", line)]
    for start in starts:
        count = len(lines[start + 1].split())
        line = next(line for line in lines[start + 3 :] if line != row["unit_name"])
        yield re.findall("..", line[-2 * count :])


# ── how wide it is ──


NAMED = [
    "Garden flat",
    "ห้องริมน้ำ",
    "河畔の部屋",
    "🏠 Loft 👨‍👩‍👧",
    "A name that is longer than there is room for before the nights",
]


def many_units(count):
    """Return units with names of several scripts and widths."""
    return [a_unit(id=f"unit_{n:02d}", name=f"{NAMED[n % len(NAMED)]} {n}") for n in range(count)]


def render(doc, width=None, **given):
    """Return what a terminal of this width is sent, or a pipe."""
    file = io.StringIO()
    options = {"force_terminal": True, "width": width, "color_system": None} if width else {"force_terminal": False}
    print_chart(Console(file=file, highlight=False, markup=False, emoji=False, **{**options, **given}), doc)
    return file.getvalue()


@pytest.mark.parametrize("width", [80, 40])
@pytest.mark.parametrize("count", [1, 5, 60])
def test_it_fits_the_terminal(width, count):
    """No line is wider than the terminal, whatever the names; a month stands in one part at 80 columns."""
    units = many_units(count)
    doc = a_chart(units, [an_airbnb(10, 14, unit="unit_00"), a_closure(12, 15, unit="unit_00", guest_name="เมย์ 🏠")])

    text = render(doc, width)

    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert len(re.findall("^Jul 2026 ", text, re.MULTILINE)) == (1 if width == 80 else 3)
    assert "\x1b" not in text
    for unit in units:
        assert unit.name[: width - 5] in text, "a name is in full where a line has room for it"


def test_a_pipe_has_a_line_for_each_unit():
    """However many nights there are, nothing is broken or cut, and no colours are sent."""
    units = many_units(60)
    doc = a_chart(units, [an_airbnb(10, 14, unit="unit_00")], (date(2026, 7, 1), date(2027, 7, 1)))

    lines = render(doc).splitlines()

    for unit in units:
        (line,) = [line for line in lines if line.startswith(unit.name + " ")]
        assert len(re.findall("..", line[-730:])) == 365
    assert "\x1b" not in "".join(lines)


def test_columns_stand_below_each_other_whatever_the_script():
    """Each unit's nights begin in one column, counted as a terminal does."""
    doc = a_chart(many_units(4), [an_airbnb(10, 14, unit="unit_00"), an_airbnb(10, 14, unit="unit_02", name="x")])

    lines = render(doc, 80).splitlines()

    assert {cell_len(line) for line in lines[1:7]} == {cell_len(lines[1])}
    found = [cell_len(line[: line.index(" A-A-A-Aa.")]) for line in lines if " A-A" in line]
    assert len(found) == 2
    assert len(set(found)) == 1


def test_colours_are_sent_to_a_terminal_and_say_nothing_of_their_own():
    """What is printed with colours is the same text as without."""
    doc = a_chart(FLAT, [an_airbnb(10, 14), a_closure(12, 15, guest_name="Ann")])

    coloured = render(doc, 80, color_system="truecolor")

    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render(doc, 80)


def test_no_unit_is_said_in_a_line():
    """Nothing to draw, and how to begin."""
    assert render({**a_chart(FLAT, []), "units": []}, 80).startswith("no unit yet; `bokit unit add")


@pytest.mark.parametrize(
    ("period", "marks"),
    [
        ((date(2026, 6, 1), date(2026, 7, 1)), 1),
        ((date(2026, 7, 1), date(2026, 8, 1)), 0),
        ((date(2026, 5, 20), date(2026, 6, 10)), 1),
    ],
)
def test_today_is_marked_where_it_is_shown(period, marks):
    """One mark above the day, and its line in the legend."""
    lines = [line.plain for line in draw_chart(a_chart(FLAT, [], period), 80)]

    assert lines[2].count(">") == marks
    assert any("> today" in line for line in lines) == bool(marks)
    if marks:
        column = lines[2].index(">") + 1
        assert lines[1][column] == "1"


def test_a_time_across_months_names_both():
    """The month that begins stands above its first day, and weekends are in capitals."""
    doc = a_chart(FLAT, [], (date(2026, 7, 25), date(2026, 8, 5)))

    tens, ones, weekdays = [line.plain for line in draw_chart(doc, 80)][:3]

    assert tens.startswith("Jul 2026")
    assert ones[tens.index("Aug")] == "1", "the first of August"
    assert weekdays.split() == list("SSmtwtfSSmt")


# ── months ──


@pytest.mark.parametrize(
    ("text", "today", "first", "end"),
    [
        ("2027-01", (2026, 7, 10), "2027-01-01", "2027-02-01"),
        ("january", (2026, 7, 10), "2027-01-01", "2027-02-01"),
        ("JAN", (2026, 1, 31), "2026-01-01", "2026-02-01"),
        ("next", (2026, 12, 31), "2027-01-01", "2027-02-01"),
        ("last", (2026, 1, 1), "2025-12-01", "2026-01-01"),
        ("this", (2028, 2, 29), "2028-02-01", "2028-03-01"),
        ("sept", (2026, 7, 10), "2026-09-01", "2026-10-01"),
        ("may", (2026, 5, 1), "2026-05-01", "2026-06-01"),
    ],
)
def test_a_month_is_read(text, today, first, end):
    """As a number, by its name or the beginning of that, or as seen from today."""
    assert [day.isoformat() for day in read_month(text, date(*today))] == [first, end]


@pytest.mark.parametrize("text", ["", "ja", "januar y", "2026-13", "2026-00", "26-01", "9999-12", "2026/01", "ma y", "م"])
def test_what_is_not_a_month_is_none(text):
    """No text is taken for another month than the one it names."""
    assert read_month(text, date(2026, 7, 10)) is None


# ── days ──


def test_a_day_says_who_leaves_arrives_and_stays():
    """Echoes are left out; who leaves and who arrives in one unit on one day are a turnover."""
    records = [
        an_airbnb(5, 10),
        an_airbnb(10, 13, "HMBBBBBBBB"),
        an_airbnb(8, 12, "HMCCCCCCCC", unit="unit_2"),
        a_block(9, 11, unit="unit_3"),
        a_block(8, 10, unit="unit_3", name="over"),
    ]
    occupancy = read_occupancy(FLAT, records, today=TODAY, at=NOW)
    places = {f"unit_{n}": {"unit_id": f"unit_{n}", "unit": f"Unit {n}"} for n in (1, 2, 3)}
    names = AgendaNames(places=places, channel_of=Channels(names=NAMES).name_of)

    day = describe_day(describe_bookings(occupancy, records), "2026-07-10", names)

    found = {
        part: [(e["unit"], e["who"], e["turnover"]) for e in day[part]] for part in ("leaves", "arrives", "stays", "blocked")
    }
    assert found == {
        "leaves": [("Unit 1", "HMAAAAAAAA", True)],
        "arrives": [("Unit 1", "HMBBBBBBBB", True)],
        "stays": [("Unit 2", "HMCCCCCCCC", False)],
        "blocked": [("Unit 3", "block", False)],
    }


def test_looks_are_those_of_the_page():
    """The page and the command line have one name for one look."""
    (looks,) = re.findall(r"export type Look = (.*);", (PAGE / "bars.ts").read_text(encoding="utf-8"))
    (parts,) = re.findall(r"const PARTS = \[(.*)\]", (PAGE / "views/today.tsx").read_text(encoding="utf-8"))

    assert set(re.findall(r'"(\w+)"', looks)) == {str(look) for look in Look}
    assert re.findall(r'"(\w+)"', parts) == [str(part) for part in DayPart]
