"""``/sources``: sources of bookings, and their held plans."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from bokit.core.model.catalog import Source, UnitId
from bokit.core.model.limits import MAX_KEY_LENGTH
from bokit.core.model.records import SourceId
from bokit.core.model.runs import describe_run
from bokit.engine.catalog.view import describe_source
from bokit.http.bodies import Body, EndsOnWord, Name, Platform, Seconds, Url, Wait, Word, Zone
from bokit.http.limits import MAX_PREVIEW_ENTRIES
from bokit.http.paging import Key, count_fitting
from bokit.http.params import Cursor, Id, Limit, UnitFilter
from bokit.http.replies import Reply, reply
from bokit.http.routing import ADMIN, OPERATOR, VIEWER, Routes, lists, makes, shows, updates

routes = Routes("sources")


class SourceFields(Body):
    """Settings of a source."""

    platform: Platform = None
    interval: Seconds = None
    cancel_after: Wait = None
    timezone: Zone = None
    ends_on: EndsOnWord = "departure"
    ignore_transparent: bool = Field(default=False, description='true: events marked as "free" hold no nights.')


class NewSource(SourceFields):
    """A source to add to a unit."""

    unit_id: Word
    name: Name
    url: Url
    kind: str = Field(default="ical", max_length=20, description="Kind of source.", examples=["ical"])
    enabled: bool = Field(default=True, description="false: add it paused.")


class SourceEdit(SourceFields):
    """Changes to a source."""

    name: Name = ""
    url: Url = ""
    enabled: bool = Field(default=True, description="false: pause it; its nights stay held.")
    unit_id: Word = Field(default="", description="Another unit: it moves there with its bookings.")
    release: bool = Field(default=False, description="true: move it although that frees nights of the unit that it leaves.")


class HeldPlanRequest(Body):
    """Which held plan to decide on."""

    plan: str | None = Field(
        default=None, max_length=100, description="The plan as it was shown; refused where it has changed since."
    )


Removed = Annotated[bool, Query(description="Removed ones too.")]
AsPreview = Annotated[bool, Query(description="Fetch it and show what is read; add nothing.")]
TableName = Annotated[str | None, Query(max_length=MAX_KEY_LENGTH, description="Only of this table.")]
Release = Annotated[bool, Query(description="Release its future nights too.")]


@routes.serve("GET", "/sources", VIEWER, lists("Source"))
def list_sources(unit_id: UnitFilter = None, removed: Removed = False, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """List the sources, by unit and name."""
    call = routes.call
    if unit_id is not None:
        call.engine.catalog.load_unit(call.tenant, UnitId(unit_id))
    found = call.engine.catalog.sources.list_sources(call.tenant, removed=removed)
    mine = [s for s in found if unit_id in (None, s.scope)]
    describe = partial(describe_source, names=call.names)
    return call.reply_page(mine, describe, by_unit, ("sources", unit_id, removed), limit, cursor)


def by_unit(source: Source) -> Key:
    """Return the sort key of a source."""
    return source.scope, source.name.casefold(), source.id


ADDED = makes("Source", "Added, and due now.") | shows("Preview", "With `preview`: what is read there; nothing was added.")


@routes.serve("POST", "/sources", OPERATOR, ADDED)
def add_source(body: NewSource, preview: AsPreview = False) -> Reply:
    """Add a source to a unit.

    With `preview` it is fetched once, and what is read in it is shown to decide on.
    """
    call, values = routes.call, body.sent()
    unit, sources = UnitId(values.pop("unit_id")), call.engine.catalog.sources
    if preview:
        return reply(_cut_preview(sources.preview(call.tenant, unit, values).as_dict()))
    made = sources.add(call.tenant, unit, values)
    return reply(describe_source(made, call.names), 201, location=f"/sources/{made.id}")


def _cut_preview(preview: dict[str, Any]) -> dict[str, Any]:
    """Return a preview with its first entries by date, as many as fit into a page's bytes, and their total."""
    entries = sorted(preview["entries"], key=lambda entry: str(entry.get("check_in", "")))
    shown, problems = entries[:MAX_PREVIEW_ENTRIES], preview["problems"][:MAX_PREVIEW_ENTRIES]
    cut = {
        "platform": None,
        "suggested": {},
        **preview,
        "entries": shown[: count_fitting(shown)],
        "total": len(entries),
        "problems": problems,
    }
    if tables := preview.get("tables"):
        cut["tables"] = tables[: count_fitting(tables)]
    return cut


@routes.serve("GET", "/sources/{id}", VIEWER, shows("SourceInFull"))
def show_source(id: Id) -> Reply:
    """Show one source, with its freshness and its held plan."""
    call = routes.call
    source = call.engine.catalog.sources.load(call.tenant, SourceId(id))
    hold = call.engine.records.find_hold(call.tenant, source.id)
    freshness = call.engine.status.load_freshness(call.tenant, source.id)
    return reply({**describe_source(source, call.names), **freshness, "hold": hold and hold.as_dict()})


@routes.serve("PATCH", "/sources/{id}", OPERATOR, updates("Source"))
def edit_source(id: Id, body: SourceEdit) -> Reply:
    """Change a source. With a new URL its stays are kept, and the guards check the first fetch.

    With another `unit_id` it moves there, and its bookings go with it under new ids. A move that frees nights is refused
    without `release`.
    """
    call, values, sources = routes.call, body.sent(), routes.call.engine.catalog.sources
    unit, release = values.pop("unit_id", None), values.pop("release", False)
    if unit is None:
        return reply(describe_source(sources.edit(call.tenant, SourceId(id), values), call.names))
    moved = sources.move(call.tenant, SourceId(id), UnitId(unit), values, by=call.by, release=release)
    return reply(describe_source(moved, call.names))


@routes.serve("DELETE", "/sources/{id}", ADMIN, shows("SourceRemoved", "No longer fetched."))
def remove_source(id: Id, release: Release = False) -> Reply:
    """Remove a source. Its future nights stay held until this is called with `release`."""
    call = routes.call
    done = call.engine.catalog.sources.remove(call.tenant, SourceId(id), release=release, by=call.by)
    return reply({**describe_source(done.source, call.names), "released": done.released, "kept": done.kept})


@routes.serve("POST", "/sources/{id}/pause", OPERATOR, updates("Source"))
def pause_source(id: Id) -> Reply:
    """Pause a source; its nights stay held."""
    call = routes.call
    return reply(describe_source(call.engine.catalog.sources.pause(call.tenant, SourceId(id)), call.names))


@routes.serve("POST", "/sources/{id}/resume", OPERATOR, updates("Source"))
def resume_source(id: Id) -> Reply:
    """Resume a paused source; it is due now."""
    call = routes.call
    return reply(describe_source(call.engine.catalog.sources.resume(call.tenant, SourceId(id)), call.names))


@routes.serve("POST", "/sources/{id}/test", OPERATOR, shows("SourceTest", "What is read there; nothing was written."))
def try_source(id: Id) -> Reply:
    """Fetch a source once, as a sync would, and show what is read; nothing is written."""
    call = routes.call
    return reply(_cut_preview(call.engine.catalog.sources.test(call.tenant, SourceId(id)).as_dict()))


@routes.serve("GET", "/sources/{id}/marks", VIEWER, shows("Marks"))
def list_marks(id: Id) -> Reply:
    """Show until which time each table of a source, or its list, was read, and what the next sync reads."""
    call = routes.call
    return reply({"items": call.engine.catalog.sources.list_marks(call.tenant, SourceId(id))})


@routes.serve("DELETE", "/sources/{id}/marks", OPERATOR, shows("Marks", "The next sync reads all of it."))
def reset_marks(id: Id, table: TableName = None) -> Reply:
    """Reset the mark of a table, or all of the source's: the next sync, which is due at once, reads all. No record is deleted."""
    call = routes.call
    return reply({"items": call.engine.catalog.sources.reset_marks(call.tenant, SourceId(id), table)})


@routes.serve("POST", "/sources/{id}/apply-held", OPERATOR, shows("Run", "The run that applied it."))
def apply_held(id: Id, body: HeldPlanRequest | None = None) -> Reply:
    """Apply a held plan: the listed stays are cancelled."""
    return _decide(id, body, apply=True)


@routes.serve("POST", "/sources/{id}/discard-held", OPERATOR, shows("Run", "The run that discarded it."))
def discard_held(id: Id, body: HeldPlanRequest | None = None) -> Reply:
    """Discard a held plan: everything stays as it is."""
    return _decide(id, body, apply=False)


def _decide(source_id: str, body: HeldPlanRequest | None, *, apply: bool) -> Reply:
    call, plan = routes.call, body.plan if body else None
    run = call.engine.records.resolve_hold(call.tenant, SourceId(source_id), plan_hash=plan, apply=apply, by=call.by)
    return reply(describe_run(run, call.name_sources()))
