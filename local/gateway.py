"""The HTTP API of a local cloud: its URL and an admin token."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

from local.errors import LocalError
from local.place import REGION, Place

CREATED_BY = "make up"
"""The token's name in `bokit token list`."""
API_ID = "bokit"
"""The id that the template gives to the HTTP API in the local cloud."""


def api_url(place: Place) -> str:
    """Return the URL of the HTTP API, with the stage ``$default`` quoted for shells."""
    return f"{place.endpoint_url}/_aws/execute-api/{API_ID}/%24default"


def fetch_status(url: str, token: str | None = None) -> int:
    """Return the status of a GET, or 0 without an answer."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=30) as answer:  # noqa: S310 - our own
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def wait_for_api(place: Place, url: str, timeout: float = 30) -> None:
    """Wait until the API's health check succeeds."""
    until = time.monotonic() + timeout
    while (status := fetch_status(f"{url}/health")) != 200:
        if time.monotonic() > until:
            log = place.home / "log/emulator.log"
            raise LocalError(f"the API is not healthy (/health: {status or 'no answer'}); see {log}")
        time.sleep(0.2)


def ensure_token(place: Place, url: str, table: str, known: str | None) -> str:
    """Return the *known* token if it is still valid, else a new admin token of the default tenant."""
    if known and fetch_status(f"{url}/sync/status", known) == 200:
        return known
    env = place.aws_env() | {"BOKIT_TABLE": table, "AWS_REGION": REGION}
    command = [sys.executable, "-m", "bokit_cli", "token", "create", "--role", "admin", "--name", CREATED_BY, "--json"]
    done = subprocess.run(command, cwd=place.root, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"could not create a token: {done.stderr.strip()}")
    return str(json.loads(done.stdout)["token"])
