"""Authorize a request of the HTTP API by its token, and by nothing else.

An unexpected error is raised instead of answered with a denial: the gateway responds 500 and forgets it, where it would
cache a denial and lock a good token out because the table was busy for a moment. Either way nothing passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bokit.handlers import open_once
from bokit.observability import configure_lambda
from bokit.wiring import open_access

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = configure_lambda("authorize", "INFO")
access = open_once(open_access)
"""Opens the token service; the engine is not needed."""


def read_header(event: Mapping[str, Any]) -> str | None:
    """Return the Authorization header, in any case; None where there is none, or more than one."""
    headers = event.get("headers")
    found = [v for k, v in headers.items() if str(k).lower() == "authorization"] if isinstance(headers, Mapping) else []
    return found[0] if len(found) == 1 and isinstance(found[0], str) else None


@logger.inject_lambda_context(log_event=False)  # type: ignore[untyped-decorator]
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return in API Gateway's simple format whom the token acts for; without a valid one, deny."""
    principal = access().authorize(read_header(event))
    if principal is None:
        return {"isAuthorized": False}
    claims = {"tenant": str(principal.tenant), "role": str(principal.role), "id": str(principal.id)}
    return {"isAuthorized": True, "context": claims}
