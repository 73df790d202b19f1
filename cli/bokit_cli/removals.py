"""``bokit unit remove`` and ``bokit property remove``: what goes with a place is shown first, and nothing is freed by the way."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from bokit_cli.completion import complete_property, complete_unit
from bokit_cli.flags import DEFAULT, AsJson, Tenant
from bokit_cli.session import Session
from bokit_cli.show import nights_words, plural, print_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from bokit.core.model.catalog import Property, Source, Unit
    from bokit.core.model.full_names import FullNames
    from bokit_cli.documents import NamedDocument, UnitLossDocument

Release = Annotated[bool, typer.Option("--release", help="Release the nights to come that are held there.")]
Yes = Annotated[bool, typer.Option("--yes", help="Remove it without asking.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would go with it; change nothing.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What goes with a unit."""

    unit: Unit
    names: FullNames
    sources: Sequence[Source]
    """Its sources, those that were removed before too."""
    bookings: Sequence[str]
    """Ids of the records that hold a night to come."""
    nights: Sequence[str]
    calendars: int

    @property
    def present(self) -> list[Source]:
        """The sources that are still synced or paused."""
        return [s for s in self.sources if s.removed_at is None]

    def as_dict(self) -> UnitLossDocument:
        """As ``--json`` prints it."""
        sources: list[NamedDocument] = [{"id": s.id, "name": s.name, "full_name": self.names.of(s)} for s in self.present]
        return {
            "id": self.unit.id,
            "name": self.unit.name,
            "full_name": self.names.of(self.unit),
            "sources": sources,
            "bookings": list(self.bookings),
            "nights": list(self.nights),
            "calendars": self.calendars,
        }

    def words(self) -> str:
        """Return what goes, as a host reads it; empty where nothing does."""
        names = ", ".join(map(self.names.of, self.present))
        parts = (
            f"{plural(len(self.present), 'source')} ({names})" if names else "",
            f"{plural(self.calendars, 'calendar')} that other platforms read" if self.calendars else "",
            f"{plural(len(self.bookings), 'booking')} with {nights_words(self.nights)}" if self.bookings else "",
        )
        return "; ".join(filter(None, parts))


def remove_unit(
    ctx: typer.Context,
    place: Annotated[str, typer.Argument(metavar="UNIT", help="Unit id or name.", autocompletion=complete_unit)],
    release: Release = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Remove a unit with its sources and calendars; refused while it holds nights to come, unless --release."""
    session = Session(ctx, tenant, as_json)
    unit = session.bokit.catalog.find_unit(session.tenant, place)
    losses = _load_losses(session, [unit])
    if not dry_run:
        _confirm(session, session.names.of(unit), losses, release=release, yes=yes)
        _remove_units(session, losses)
    _answer(session, unit, losses, removed=not dry_run)


def remove_property(
    ctx: typer.Context,
    place: Annotated[str, typer.Argument(metavar="PROPERTY", help="Property id or name.", autocompletion=complete_property)],
    release: Release = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Remove a property with its units; refused while one holds nights to come, unless --release."""
    session = Session(ctx, tenant, as_json)
    catalog = session.bokit.catalog
    house = catalog.find_property(session.tenant, place)
    losses = _load_losses(session, catalog.list_units(session.tenant, house.id))
    if not dry_run:
        _confirm(session, house.name, losses, release=release, yes=yes)
        _remove_units(session, losses)
        catalog.remove_property(session.tenant, house.id)
    _answer(session, house, losses, removed=not dry_run)


def _load_losses(session: Session, wanted: Sequence[Unit]) -> list[Loss]:
    """Return what goes with each unit, whole ones before their parts; raise StateError where one is a part of another."""
    from bokit.errors import StateError

    going, names = {unit.id for unit in wanted}, session.names
    for whole in session.bokit.catalog.list_units(session.tenant):
        if whole.id not in going and (part := next((p for p in whole.parts if p in going), None)):
            name = names.of_unit(part)
            message = f"{name} is a part of {names.of(whole)}; `bokit unit edit {whole.id} --part ''` takes its parts away first"
            raise StateError(message, code="not-empty", id=part)
    ordered: list[Unit] = []
    waiting = list(wanted)
    while waiting:
        parts = {part for unit in waiting for part in unit.parts}
        ordered += [unit for unit in waiting if unit.id not in parts]
        waiting = [unit for unit in waiting if unit.id in parts]
    return [_load_loss(session, names, unit) for unit in ordered]


def _load_loss(session: Session, names: FullNames, unit: Unit) -> Loss:
    from bokit.core.model.collections import unit_of

    bokit, tenant = session.bokit, session.tenant
    sources = [s for s in bokit.catalog.sources.list_sources(tenant, removed=True) if unit_of(s) == unit.id]
    held = bokit.bookings.list_held(tenant, unit.id)
    nights = sorted({night.isoformat() for found in held.values() for night in found})
    calendars = len(bokit.calendars.list_calendars(tenant, unit.id))
    return Loss(unit=unit, names=names, sources=sources, bookings=sorted(held), nights=nights, calendars=calendars)


def _confirm(session: Session, name: str, losses: Sequence[Loss], *, release: bool, yes: bool) -> None:
    """Ask before anything goes with the place; where nobody can answer, the error says how to go on."""
    from bokit.errors import StateError

    nights = sum(len(loss.nights) for loss in losses)
    if nights and not release:
        message = f"{name} holds {plural(nights, 'night')} to come; --dry-run shows them, --release releases them with it"
        raise StateError(message, code="not-empty", nights=nights)
    if yes or not any(loss.words() for loss in losses):
        return
    if session.as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise StateError(f"{name} is not empty; --dry-run shows what goes with it, --yes removes it", code="not-empty")
    _show_losses(session.console, losses)
    typer.confirm(f"remove {name}?", abort=True)


def _remove_units(session: Session, losses: Sequence[Loss]) -> None:
    """Remove the units, each after its sources, their nights, and the bookings entered by hand."""
    from bokit.core.model.catalog import BOOKINGS
    from bokit.core.model.records import RecordId
    from bokit.engine.bookings.terms import Status

    bokit, tenant = session.bokit, session.tenant
    for loss in losses:
        for source in loss.sources:
            bokit.catalog.sources.remove(tenant, source.id, release=bool(loss.nights), by=session.user)
        still = bokit.bookings.find_holding(tenant, loss.unit.id) if loss.nights else ()
        for record_id in (RecordId(held) for held in loss.bookings if held in still):
            bokit.records.edit(tenant, BOOKINGS, record_id, {"status": str(Status.DELETED)}, by=session.user)
    for loss in losses:
        bokit.catalog.remove_unit(tenant, loss.unit.id)


def _answer(session: Session, place: Unit | Property, losses: Sequence[Loss], *, removed: bool) -> None:
    name = next((loss.names.of(place) for loss in losses), place.name)

    def show(console: Console) -> None:
        if not removed:
            _show_losses(console, losses)
        outcome = "removed" if removed else "would be removed"
        print_line(console, f"{outcome}: {name}" if removed else f"{name} {outcome}")

    session.answer({"id": place.id, "removed": removed, "units": [loss.as_dict() for loss in losses]}, show)


def _show_losses(console: Console, losses: Sequence[Loss]) -> None:
    for loss in losses:
        print_line(console, f"{loss.names.of(loss.unit)}: {loss.words() or 'empty'}")
