"""``/sources``: where bookings come from, how each fares, and what a guard holds of it."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from bokit.core.model.catalog import Source, UnitId
from bokit.core.model.records import SourceId
from bokit.core.model.runs import describe_run
from bokit.engine.catalog.view import describe_source
from bokit.http.bodies import Body, Name, Platform, Seconds, Url, Wait, Word, Zone
from bokit.http.paging import Key
from bokit.http.params import Cursor, Id, Limit, UnitFilter
from bokit.http.replies import Reply, reply
from bokit.http.routing import ADMIN, OPERATOR, VIEWER, Routes, lists, makes, shows

routes = Routes("sources")


class NewSource(Body):
    """A source to add to a unit."""

    unit_id: Word
    name: Name
    url: Url
    kind: str = Field(default="ical", max_length=20, description="What it is.", examples=["ical"])
    platform: Platform = None
    interval: Seconds = None
    cancel_after: Wait = None
    timezone: Zone = None
    enabled: bool = Field(default=True, description="false: it is added paused.")


class SourceEdit(Body):
    """What to change of a source."""

    name: Name = ""
    url: Url = ""
    platform: Platform = None
    interval: Seconds = None
    cancel_after: Wait = None
    timezone: Zone = None
    enabled: bool = Field(default=True, description="false: it is paused, and what it holds stays held.")


class HeldPlanRequest(Body):
    """Which held plan is meant."""

    plan: str | None = Field(
        default=None, max_length=100, description="The plan that the source showed; refused where it has changed since."
    )


MAX_ENTRIES = 200
"""Entries of a preview: a look, not the feed."""
Removed = Annotated[bool, Query(description="Removed ones, too.")]
AsPreview = Annotated[bool, Query(description="Fetch it and tell what is read; nothing is added.")]
Release = Annotated[bool, Query(description="Let its future nights go, too.")]


@routes.serve("GET", "/sources", VIEWER, lists("Source"))
def list_sources(unit_id: UnitFilter = None, removed: Removed = False, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """The sources, by unit and name."""
    call = routes.call
    if unit_id is not None:
        call.engine.catalog.load_unit(call.tenant, UnitId(unit_id))
    found = call.engine.catalog.sources.list_sources(call.tenant, removed=removed)
    mine = [s for s in found if unit_id in (None, s.scope)]
    return call.reply_page(mine, describe_source, by_unit, of=("sources", unit_id, removed), limit=limit, cursor=cursor)


def by_unit(source: Source) -> Key:
    """Return where a source stands in its list."""
    return source.scope, source.name.casefold(), source.id


@routes.serve(
    "POST",
    "/sources",
    OPERATOR,
    makes("Source", "It was added, and is due now.") | shows("Preview", "With `preview`: what is read there; nothing was added."),
)
def add_source(body: NewSource, preview: AsPreview = False) -> Reply:
    """Add a source to a unit.

    With `preview` it is fetched once and what is read in it is told, so that a person may look before it is added.
    """
    call, values = routes.call, body.told()
    unit, desk = UnitId(values.pop("unit_id")), call.engine.catalog.sources
    if preview:
        return reply(_cut(desk.preview(call.tenant, unit, values).as_dict()))
    made = desk.add(call.tenant, unit, values)
    return reply(describe_source(made), 201, at=f"/sources/{made.id}")


def _cut(preview: dict[str, Any]) -> dict[str, Any]:
    """Return a preview with its first entries by date, and how many there are."""
    entries = sorted(preview["entries"], key=lambda e: str(e["check_in"]))
    return {**preview, "entries": entries[:MAX_ENTRIES], "total": len(entries), "problems": preview["problems"][:MAX_ENTRIES]}


@routes.serve("GET", "/sources/{id}", VIEWER, shows("SourceInFull"))
def show_source(id: Id) -> Reply:
    """One source: how it fares, and what is held."""
    call = routes.call
    source = call.engine.catalog.sources.load(call.tenant, SourceId(id))
    hold = call.engine.desk.find_hold(call.tenant, source.id)
    return reply(
        {**describe_source(source), **call.engine.status.load_freshness(call.tenant, source.id), "hold": hold and hold.as_dict()}
    )


@routes.serve("PATCH", "/sources/{id}", OPERATOR, shows("Source", "As it is now."))
def edit_source(id: Id, body: SourceEdit) -> Reply:
    """Change what the body names; another URL keeps the stays, and passes the guards."""
    call = routes.call
    return reply(describe_source(call.engine.catalog.sources.edit(call.tenant, SourceId(id), body.told())))


@routes.serve("DELETE", "/sources/{id}", ADMIN, shows("SourceRemoved", "It is fetched no more."))
def remove_source(id: Id, release: Release = False) -> Reply:
    """Remove a source; its future nights stay held until `release`, with which it may be called again later."""
    call = routes.call
    done = call.engine.catalog.sources.remove(call.tenant, SourceId(id), release=release, by=call.by)
    return reply({**describe_source(done.source), "released": done.released, "kept": done.kept})


@routes.serve("POST", "/sources/{id}/pause", OPERATOR, shows("Source", "As it is now."))
def pause_source(id: Id) -> Reply:
    """Sync it no more by itself; what it holds stays held."""
    call = routes.call
    return reply(describe_source(call.engine.catalog.sources.pause(call.tenant, SourceId(id))))


@routes.serve("POST", "/sources/{id}/resume", OPERATOR, shows("Source", "As it is now."))
def resume_source(id: Id) -> Reply:
    """Sync it again, beginning now."""
    call = routes.call
    return reply(describe_source(call.engine.catalog.sources.resume(call.tenant, SourceId(id))))


@routes.serve("POST", "/sources/{id}/apply-held", OPERATOR, shows("Run", "The run that applied it."))
def apply_held(id: Id, body: HeldPlanRequest | None = None) -> Reply:
    """Apply what a guard holds: the stays that it names are let go."""
    return _settle(id, body, apply=True)


@routes.serve("POST", "/sources/{id}/discard-held", OPERATOR, shows("Run", "The run that discarded it."))
def discard_held(id: Id, body: HeldPlanRequest | None = None) -> Reply:
    """Forget what a guard holds: everything stays as it is."""
    return _settle(id, body, apply=False)


def _settle(id: str, body: HeldPlanRequest | None, *, apply: bool) -> Reply:
    call, plan = routes.call, body.plan if body else None
    return reply(describe_run(call.engine.desk.settle_hold(call.tenant, SourceId(id), plan_hash=plan, apply=apply, by=call.by)))
