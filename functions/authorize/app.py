"""Authorize a request of the HTTP API by its token, a WebSocket by its ticket, and both by nothing else.

An unexpected error is raised instead of answered with a denial: the gateway responds 500 and forgets it, where it would
cache a denial and lock a good token out because the table was busy for a moment. Either way nothing passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bokit.core.model.connections import write_claims
from bokit.handlers import make_ready, open_once
from bokit.observability import configure_lambda
from bokit.wiring import open_access, open_store, open_tickets

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = configure_lambda("authorize", "INFO")
store = open_once(open_store)
"""Opens the table, once for both services; the engine is not needed."""
access = open_once(lambda settings: open_access(settings, store=store()))
tickets = open_once(lambda settings: open_tickets(settings, store=store()))
make_ready(access, tickets)


def read_header(event: Mapping[str, Any]) -> str | None:
    """Return the Authorization header, in any case; None where there is none, or more than one."""
    headers = event.get("headers")
    found = [v for k, v in headers.items() if str(k).lower() == "authorization"] if isinstance(headers, Mapping) else []
    return found[0] if len(found) == 1 and isinstance(found[0], str) else None


def read_ticket(event: Mapping[str, Any]) -> str | None:
    """Return the ticket of a WebSocket's address; None where there is none."""
    query = event.get("queryStringParameters")
    found = query.get("ticket") if isinstance(query, Mapping) else None
    return found if isinstance(found, str) else None


def authorize_socket(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy that lets the ticket's owner connect, with whom the connection acts for; without a valid one, deny."""
    caller = tickets().redeem(read_ticket(event))
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow" if caller else "Deny", "Resource": event["methodArn"]}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    claims = write_claims(caller) if caller else {}
    return {"principalId": claims.get("id", "nobody"), "policyDocument": policy, "context": claims}


@logger.inject_lambda_context(log_event=False)  # type: ignore[untyped-decorator]
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return whom the caller acts for: of a WebSocket as a policy, of a request in API Gateway's simple format."""
    if "methodArn" in event:
        return authorize_socket(event)
    principal = access().authorize(read_header(event))
    if principal is None:
        return {"isAuthorized": False}
    claims = {"tenant": str(principal.tenant), "role": str(principal.role), "id": str(principal.id)}
    return {"isAuthorized": True, "context": claims}
