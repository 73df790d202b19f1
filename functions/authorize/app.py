"""Let a request of the HTTP API pass to its function, or not: by its token, and by nothing else.

What breaks is raised, and not answered with a denial: the gateway makes 500 of it and forgets it, where it would keep
a denial for as long as an answer and lock a good token out because the table was busy for a moment. Either way nothing
passes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from bokit.config import Settings
from bokit.engine.catalog.access import TokenService
from bokit.observability import ROOT, configure_lambda
from bokit.wiring import open_access

logger = configure_lambda("authorize", "INFO")
DENIED: dict[str, Any] = {"isAuthorized": False}


@cache
def access() -> TokenService:
    """Open the tokens' desk on first use, so that importing this module needs no AWS; the engine is not needed at all."""
    settings = Settings.from_env()
    logging.getLogger(ROOT).setLevel(settings.log_level)
    return open_access(settings)


def read_header(event: Mapping[str, Any]) -> str | None:
    """Return the Authorization header, in whatever case it came; None where there is none, or more than one."""
    headers = event.get("headers")
    found = [v for k, v in headers.items() if str(k).lower() == "authorization"] if isinstance(headers, Mapping) else []
    return found[0] if len(found) == 1 and isinstance(found[0], str) else None


@logger.inject_lambda_context(log_event=False)  # type: ignore[untyped-decorator]
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer in API Gateway's simple form who the token speaks for; without a valid one, deny."""
    principal = access().authorize(read_header(event))
    if principal is None:
        return dict(DENIED)
    told = {"tenant": str(principal.tenant), "role": str(principal.role), "id": str(principal.id)}
    return {"isAuthorized": True, "context": told}
