"""A record's change log: when it was changed, by whom, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bokit_cli.session import Session
from bokit_cli.show import DONE_WORDS, ago_words, print_line, print_next, short_id, status_words, value_words

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.core.model.full_names import FullNames
    from bokit.engine.catalog.view import ChangeDocument

BY_HAND = "entered by hand"
DONE_BY_PEOPLE = {
    "create": BY_HAND,
    "edit": "edited",
    "acknowledge": "acknowledged",
    "move": "moved with its source",
    "erase": "guest erased",
}


def source_names(session: Session) -> dict[str | None, str]:
    """Return the full names of all sources, removed ones too, by id."""
    return dict(session.name_sources().items())


def show_changes(console: Console, session: Session, docs: list[ChangeDocument], more: str, cursor: str | None) -> None:
    """Print lines of a change log; *more* is the command that shows the next ones."""
    names, places, now = source_names(session), session.names, session.bokit.clock()
    for doc in docs:
        print_line(console, f"{ago_words(doc['at'], now)}  {short_change(doc['id'], places)}  {_change_words(doc, names)}")
        for name, change in doc["fields"].items():
            if name == "unit_id":
                print_line(console, f"  unit: {places.of_unit(str(change['from']))} → {places.of_unit(str(change['to']))}")
                continue
            words = status_words if name == "status" else value_words
            print_line(console, f"  {name}: {words(change['from'])} → {words(change['to'])}")
        for name, change in doc["preserved"].items():
            print_line(console, f"  {name}: the source now says {value_words(change['to'])}; the edit is kept")
    if not docs:
        print_line(console, "no changes yet")
    print_next(console, more, cursor)


def short_change(change_id: str, places: FullNames) -> str:
    """Return the id of a change: short of a booking's, whole of another record's, so that `bokit undo` finds it."""
    record_id, _, version = change_id.rpartition("@")
    scope = record_id.rpartition(".")[0]
    return change_id if places.of_unit(scope) == scope else f"{short_id(record_id)}@{version}"


def _change_words(doc: ChangeDocument, names: dict[str | None, str]) -> str:
    """Return what happened: ``edited by root``, or ``updated by Airbnb: REASON``."""
    kind, _, name = doc["by"].partition(":")
    if kind != "source" and doc["action"] in DONE_BY_PEOPLE:
        return f"{DONE_BY_PEOPLE[doc['action']]} by {name}"
    return f"{DONE_WORDS.get(doc['action'], doc['action'])} by {names.get(name, name)}: {doc['reason']}"
