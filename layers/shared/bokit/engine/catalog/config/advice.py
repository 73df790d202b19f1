"""What the first answers of imported JSON sources suggest: how their pages follow, and which declared fields they do not have."""

from __future__ import annotations

from bokit.core.items.paging import INCOMPLETE
from bokit.core.model.records import SourceId, TenantId
from bokit.core.model.source_rules import FIELD_NOT_FOUND
from bokit.engine.catalog.config.importing import ImportResult
from bokit.engine.catalog.config.planning import ConfigItemDocument
from bokit.engine.catalog.limits import MAX_CHECK_SECONDS
from bokit.engine.catalog.places import Catalog
from bokit.errors import BokitError

STYLES = frozenset({"next", "link", "page", "offset", "cursor"})


def add_advice(catalog: Catalog, tenant: TenantId, result: ImportResult) -> None:
    """Fetch each JSON source that was added or changed and declares no pages, and add notes to its line."""
    for place in (result.added, result.changed):
        for number, doc in enumerate(place):
            if doc["kind"] == "source" and (notes := _find_notes(catalog, tenant, doc)):
                place[number] = {**doc, "notes": notes}


def _find_notes(catalog: Catalog, tenant: TenantId, doc: ConfigItemDocument) -> list[str]:
    source = catalog.sources.load(tenant, SourceId(str(doc["id"])))
    if source.kind != "json" or STYLES & set(source.settings.get("pages") or ()):
        return []
    try:
        preview = catalog.sources.test(tenant, source.id, seconds=MAX_CHECK_SECONDS)
    except BokitError as error:
        return [f"could not be read yet: {error.message}"]
    return [problem.message for problem in preview.problems if problem.code in INCOMPLETE | {FIELD_NOT_FOUND}]
