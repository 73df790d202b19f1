"""Types of paths, queries and headers, shared by validation and the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from bokit.core.model.cursors import MAX_CURSOR_LENGTH
from bokit.core.model.limits import MAX_KEY_LENGTH
from bokit.http.limits import MAX_PAGE_ITEMS

DAY = r"^\d{4}-\d{2}-\d{2}$"

Id = Annotated[str, Path(description="The id.")]


def words(known: Iterable[str]) -> dict[str, Any]:
    """Return the documented pattern of comma-separated words. The route checks them itself, for a clearer message."""
    choice = "|".join(map(str, known))
    return {"pattern": f"^({choice})(,({choice}))*$"}


Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_ITEMS, description="Items in a page.")]
Cursor = Annotated[
    str | None,
    Query(
        max_length=MAX_CURSOR_LENGTH,
        json_schema_extra={"pattern": "^[A-Za-z0-9_-]+$"},  # documented, not validated: a wrong one is 400 bad-cursor
        description="The `cursor` of the page before.",
    ),
]
UnitFilter = Annotated[str | None, Query(max_length=MAX_KEY_LENGTH, description="Only of this unit.")]
