"""The HTTP API of a local cloud: its URL and an admin token."""

from __future__ import annotations

import time
import urllib.error
import urllib.request

from bokit.config import Settings
from bokit.core.model.access import Role
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.errors import BokitError
from bokit.wiring import open_access
from local.errors import LocalError
from local.place import REGION, Place

CREATED_BY = "make up"
"""The token's name in `bokit token list`."""
STACK = "bokit"
"""The stack of the local cloud. The template gives its name to its HTTP API there, as an id."""


def api_url(place: Place, stack: str = STACK) -> str:
    """Return the URL of a stack's HTTP API, with the stage ``$default`` quoted for shells."""
    return f"{place.endpoint_url}/_aws/execute-api/{stack}/%24default"


def page_url(api: str, token: str) -> str:
    """Return the page's URL, with a token behind `#`: browsers do not send that part."""
    return f"{api}/#token={token}"


def live_url(place: Place, stack: str = STACK) -> str:
    """Return the address at which clients open a stack's WebSocket."""
    return live_endpoint(place, stack).replace("http", "ws", 1)


def live_endpoint(place: Place, stack: str = STACK) -> str:
    """Return where messages to a stack's WebSockets are posted."""
    return f"{place.endpoint_url}/_aws/execute-api/{stack}-live/live"


def fetch_status(url: str) -> int:
    """Return the status of a GET, or 0 without an answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url), timeout=30) as answer:  # noqa: S310 - our own
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def wait_for_api(place: Place, url: str, timeout: float = 60) -> None:
    """Wait until the API's health check succeeds."""
    until = time.monotonic() + timeout
    while (status := fetch_status(f"{url}/health")) != 200:
        if time.monotonic() > until:
            log = place.home / "log/emulator.log"
            raise LocalError(f"the API is not healthy (/health: {status or 'no answer'}); see {log}")
        time.sleep(0.2)


def ensure_token(place: Place, table: str, known: str | None) -> str:
    """Return the *known* token if it is still valid, else a new admin token of the default tenant."""
    tokens = open_access(Settings(table_name=table, region=REGION, endpoint_url=place.endpoint_url))
    try:
        if known and tokens.authorize(f"Bearer {known}"):
            return known
        return tokens.create(DEFAULT_TENANT, Role.ADMIN, CREATED_BY)[1]
    except BokitError as error:
        raise LocalError(f"could not create a token: {error}") from error
