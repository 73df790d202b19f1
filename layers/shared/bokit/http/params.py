"""Types of paths, queries and headers, shared by validation and the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from bokit.core.model.collections import read_paths
from bokit.core.model.cursors import MAX_CURSOR_LENGTH
from bokit.core.model.limits import MAX_KEY_LENGTH
from bokit.errors import InputError
from bokit.http.limits import MAX_PAGE_ITEMS, MAX_TEXT_LENGTH

A_DATE = {"format": "date"}
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

DEEP = {"filter": "Values by field, such as `filter[name]=Ada`: a text as it is, others as JSON; dots lead into objects."}
"""Parameters whose names hold a field, as OpenAPI's style `deepObject` has it, each with its description."""
Fields = Annotated[str | None, Query(description=DEEP["filter"])]
"""The parameter itself is never sent: ``read_fields`` reads those that are."""
_DEEP_NAME = re.compile(r"(\w+)\[(.*)\]", re.DOTALL)


def read_deep_name(name: str) -> tuple[str, str]:
    """Return the parameter and the field of a query parameter's name; two empty texts of any other name.

    >>> read_deep_name("filter[address.city]"), read_deep_name("limit")
    (('filter', 'address.city'), ('', ''))
    """
    found = _DEEP_NAME.fullmatch(name)
    return (found[1], found[2]) if found and found[1] in DEEP else ("", "")


def read_fields(query: Mapping[str, str], plain: str | None, parameter: str = "filter") -> dict[str, str]:
    """Return the values of a parameter by field; raises InputError for one that was sent without a field."""
    if plain is not None:
        raise InputError(f"name the field, as in {parameter}[name]=Ada", code="bad-field", field=parameter)
    found = ((read_deep_name(name), value) for name, value in query.items())
    fields = {field: value for (known, field), value in found if known == parameter}
    if any(len(value) > MAX_TEXT_LENGTH for value in fields.values()):
        raise InputError(f"a value has at most {MAX_TEXT_LENGTH} letters", code="bad-field", field=parameter)
    try:
        read_paths(list(fields))
    except InputError as error:
        raise InputError(error.message, code="bad-field", field=parameter) from None
    return fields
