"""What paths, queries and headers may say, in types that the validation and the OpenAPI document share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

MOST = 200
"""Items of a page."""
DAY = r"^\d{4}-\d{2}-\d{2}$"

Id = Annotated[str, Path(description="Its id.")]


def words(known: Iterable[str]) -> dict[str, Any]:
    """Return what the document says of words with commas between; the route itself judges them, in a sentence of its own."""
    choice = "|".join(map(str, known))
    return {"pattern": f"^({choice})(,({choice}))*$"}


Limit = Annotated[int, Query(ge=1, le=MOST, description="How many items a page holds.")]
Cursor = Annotated[
    str | None,
    Query(
        max_length=4096,
        json_schema_extra={"pattern": "^[A-Za-z0-9_-]+$"},
        description="Where a page begins: the `cursor` of the one before.",
    ),
]
"""Its pattern is told and not validated, since a wrong one is 400 with a code of its own."""
UnitFilter = Annotated[str | None, Query(description="Of this unit alone.")]
