"""The door of a local cloud: where its HTTP API answers, and the token that opens it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

from local.errors import LocalError
from local.place import REGION, Place

NAME = "make up"
"""What the token is called in `bokit token list`."""
API_ID = "bokit"
"""What the template asks the local cloud to call the HTTP API."""


def api_url(place: Place) -> str:
    """Return where the HTTP API answers.

    The stage is ``$default``, written so that a shell leaves it alone.
    """
    return f"{place.endpoint_url}/_aws/execute-api/{API_ID}/%24default"


def ask(url: str, token: str | None = None) -> int:
    """Return the status of a GET; 0 where nobody answers."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=30) as answer:  # noqa: S310 - our own
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def wait_for_api(place: Place, url: str, patience: float = 30) -> None:
    """Return once the API says that it is well."""
    until = time.monotonic() + patience
    while (status := ask(f"{url}/health")) != 200:
        if time.monotonic() > until:
            log = place.home / "log/emulator.log"
            raise LocalError(f"the API does not answer as it should (/health: {status or 'nothing'}); {log} tells why")
        time.sleep(0.2)


def keep_token(place: Place, url: str, table: str, known: str | None) -> str:
    """Return the token that is known, if it still opens the API; else a new one for the default tenant's admin."""
    if known and ask(f"{url}/sync/status", known) == 200:
        return known
    env = place.aws_env() | {"BOKIT_TABLE": table, "AWS_REGION": REGION}
    command = [sys.executable, "-m", "bokit_cli", "token", "create", "--role", "admin", "--name", NAME, "--json"]
    done = subprocess.run(command, cwd=place.root, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"no token could be made: {done.stderr.strip()}")
    return str(json.loads(done.stdout)["token"])
