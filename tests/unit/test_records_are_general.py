"""Neither the engine nor the store knows a booking: what does stands in one list, each with its reason."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "layers/shared/bokit"
OF_BOOKINGS = (
    "stays",
    "booking",
    "booking_edit",
    "booking_view",
    "changes",
    "conflict_records",
    "conflicts",
    "echoes",
    "entries",
    "entry_json",
    "evidence",
    "export_ical",
    "guard",
    "guests",
    "holdings",
    "ical_events",
    "ical_groups",
    "ical_snapshot",
    "ical_text",
    "ical_times",
    "identity",
    "joint",
    "links",
    "night_bits",
    "nights",
    "occupancy",
    "outgoing",
    "platforms",
    "read_ical",
    "recurrence",
    "recurrence_rules",
    "release",
    "trail",
    "window",
)
"""Modules of the core that know what a stay, a night or a calendar is."""
OWN = {
    "engine/bookings.py": "what follows when bookings were written; handed to the engine as a Kind's",
    "engine/booking_desk.py": "bookings of linked units and by hand, for command line and API",
    "engine/calendars.py": "outgoing calendars",
    "engine/publishing.py": "their pages",
    "engine/replay.py": "replays a feed's history: `bokit replay` is about stays",
    "engine/replay_unit.py": "the same of several feeds of one unit",
    "engine/catalog_fields.py": "judges the name of a platform where an owner gives one",
}
"""Modules of bookings' own; nothing of the engine imports them but where it is assembled."""
ASSEMBLY = {"engine/app.py"}
"""Opens each desk at its first use."""


def imports_of(path: Path) -> set[str]:
    """Return every module of ours that a file imports, at whatever place."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.startswith("bokit.")}


def modules(*folders: str) -> list[str]:
    """Return the modules of these folders, by their path in the package."""
    return sorted(str(p.relative_to(PACKAGE)) for folder in folders for p in (PACKAGE / folder).rglob("*.py"))


def knows_bookings(path: str) -> set[str]:
    """Return what a module imports of bookings."""
    known = {f"bokit.core.{name}" for name in OF_BOOKINGS}
    return {name for name in imports_of(PACKAGE / path) if any(name == k or name.startswith(f"{k}.") for k in known)}


@pytest.mark.parametrize("path", [m for m in modules("engine", "store", "sources", "outlets") if m not in OWN])
def test_no_module_of_engine_store_and_sources_knows_a_booking(path):
    """It imports nothing of the core that knows stays, nights or calendars."""
    assert knows_bookings(path) == set()


@pytest.mark.parametrize("path", [m for m in modules("engine", "store") if m not in OWN and m not in ASSEMBLY])
def test_the_general_engine_imports_nothing_of_bookings_own(path):
    """What is bookings' own is handed in, and reached by no other way; a lazy import inside a type check counts too."""
    own = {"bokit." + name.removesuffix(".py").replace("/", ".") for name in OWN} - {"bokit.engine.catalog.fields"}

    assert imports_of(PACKAGE / path) & own == set()


def test_the_list_is_of_modules_that_are_there_and_need_it():
    """An exception that is none any more is taken out of the list."""
    assert {path for path in OWN if not knows_bookings(path)} == set()
    assert [name for name in OF_BOOKINGS if not list((PACKAGE / "core").glob(f"{name}*"))] == []


def test_rules_of_records_and_of_tables_know_no_booking():
    """The core of records stands beside that of bookings: neither imports the other."""
    general = [
        m
        for m in modules("core")
        if Path(m).stem.startswith(
            (
                "record",
                "read_json",
                "json_spec",
                "collections",
                "merge",
                "deep",
                "plan",
                "rules",
                "runs",
                "schedule",
                "read_rows",
                "row_chunks",
                "table",
            )
        )
    ]

    assert len(general) >= 12
    assert {m: known for m in general if (known := knows_bookings(m))} == {}
