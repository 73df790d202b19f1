"""Open sockets, through API Gateway; its client is made when there is something to post."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from bokit.aws_errors import AWS_ERRORS, AwsService, read_fault
from bokit.core.model.connections import ConnectionId
from bokit.outlets.faults import not_taken

GATEWAY = AwsService(name="the gateway of the WebSockets", missing="no such gateway; set LiveEndpoint to the stack's output")
GONE = frozenset({"GoneException", "Gone", "410"})
"""What the gateway says of a connection that is closed, or was never open."""


class GatewayConnections:
    """``Connections`` of API Gateway."""

    def __init__(self, make_client: Callable[[], Any]) -> None:
        self._make_client = make_client

    @cached_property
    def _client(self) -> Any:
        return self._make_client()

    def prepare(self) -> None:
        _ = self._client

    def post(self, connection_id: ConnectionId, text: str) -> bool:
        return self._ask(lambda: self._client.post_to_connection(ConnectionId=connection_id, Data=text.encode()))

    def close(self, connection_id: ConnectionId) -> None:
        self._ask(lambda: self._client.delete_connection(ConnectionId=connection_id))

    def _ask(self, call: Callable[[], object]) -> bool:
        """Return whether the connection is still there; raises LaterError for everything else that went wrong."""
        try:
            call()
        except AWS_ERRORS as error:
            if read_fault(error).code in GONE:
                return False
            raise not_taken(error, GATEWAY, code="connection") from error
        return True
