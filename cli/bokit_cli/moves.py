"""``bokit source edit --unit``: move a source to another unit; what that does to nights is shown first."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import typer

from bokit_cli.session import Session
from bokit_cli.show import nights_words, plural, print_line

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.core.model.catalog import Source, Unit
    from bokit.engine.base.moves import MoveDocument


def move_source(session: Session, source: Source, to: Unit, values: Mapping[str, Any], *, dry_run: bool, yes: bool) -> None:
    """Show what the move does, ask where it frees nights, and move the source."""
    from bokit.core.model.catalog import UnitId
    from bokit.core.model.collections import unit_of
    from bokit.engine.catalog.view import describe_source

    sources, tenant = session.bokit.catalog.sources, session.tenant
    plan = sources.plan_move(tenant, source.id, to.id, by=session.user)
    doc = plan.describe(source, to.id)
    names, leaves = session.names, session.bokit.catalog.load_unit(tenant, UnitId(source.scope))
    here, there = names.of(leaves), names.of(to)

    def show(console: Console) -> None:
        _show_move(console, doc, source.name, here, there)

    if unit_of(source) == to.id and not plan.here:
        after = source if dry_run else sources.edit(tenant, source.id, values)
        outcome = "unchanged" if after == source else "changed"
        session.answer(
            describe_source(after, names), lambda c: print_line(c, f"{outcome}: {names.of(after)}, in {there} already")
        )
        return
    if dry_run:
        session.answer({**describe_source(source, names), "move": doc}, show)
        return
    if doc["frees"] and not yes:
        _confirm(session, show, len(doc["frees"]), here)
    has_calendars = bool(session.bokit.calendars.list_calendars(tenant, leaves.id)) and leaves.id != to.id
    moved = sources.move(tenant, source.id, to.id, values, by=session.user, release=bool(doc["frees"]))

    def show_done(console: Console) -> None:
        if yes or not doc["frees"]:
            show(console)
        print_line(console, f"moved: {names.of(moved)}")
        if has_calendars:
            print_line(console, f"where its channel reads the calendar of {here}, give it that of {there}:")
            print_line(console, f"  bokit export {to.id} --for {moved.platform or moved.id}")

    session.answer({**describe_source(moved, names), "move": doc}, show_done)


def _confirm(session: Session, show: Callable[[Console], None], nights: int, here: str) -> None:
    """Ask a person on a terminal; raise StateError where there is none: nights are freed by a person's word alone."""
    from bokit.errors import StateError

    if session.as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        message = f"this would free {plural(nights, 'night')} of {here}; --dry-run shows which, --yes moves it"
        raise StateError(message, code="frees-nights", nights=nights)
    show(session.console)
    typer.confirm("move it?", abort=True)


def _show_move(console: Console, doc: MoveDocument, name: str, here: str, there: str) -> None:
    print_line(console, f"{name}, from {here} to {there}: {plural(doc['bookings'], 'booking')} with their edits")
    for words, nights in (
        (f"frees in {here}", doc["frees"]),
        (f"holds in {there}", doc["holds"]),
        (f"meets what holds in {there} already", doc["meets"]),
    ):
        if nights:
            print_line(console, f"  {words} {nights_words(nights)}")
