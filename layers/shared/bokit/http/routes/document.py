"""``/openapi.json``: this API's description, for programs."""

from __future__ import annotations

from functools import cache
from typing import Any

from bokit.http.replies import Reply, reply
from bokit.http.routing import VIEWER, Routes

routes = Routes("document")


OPENAPI = {"description": "An OpenAPI 3.1 document.", "content": {"application/json": {"schema": {"type": "object"}}}}


@routes.serve("GET", "/openapi.json", VIEWER, {200: OPENAPI})
def show_document() -> Reply:
    """Show the OpenAPI document of this API."""
    return reply(_load_document())


@cache
def _load_document() -> dict[str, Any]:
    from bokit.http.openapi import build_document

    return build_document()
