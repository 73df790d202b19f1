"""What paths, queries and headers may say, in types that the validation and the OpenAPI document share."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

MOST = 200
"""Items of a page."""
DAY = r"^\d{4}-\d{2}-\d{2}$"

Id = Annotated[str, Path(description="Its id.")]
Limit = Annotated[int, Query(ge=1, le=MOST, description="How many items a page holds.")]
Cursor = Annotated[str | None, Query(max_length=4096, description="Where a page begins: the `cursor` of the one before.")]
UnitFilter = Annotated[str | None, Query(description="Of this unit alone.")]
