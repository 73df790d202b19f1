"""Secrets by reference: ``secret:<name>`` of Secrets Manager, ``secret:ssm:<name>`` of Parameter Store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from bokit.errors import BokitError, SourceRefusedError, SourceUnavailableError

PREFIX = "secret:"
KEEP_SECONDS = 300.0
_SSM = "ssm:"
_MISSING = ("NotFound", "Invalid", "Validation")


class Secrets:
    """Resolves references when they are needed, and keeps them for five minutes; a value is in no log and no error."""

    def __init__(self, make_client: Callable[[str], Any], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._make_client, self._monotonic = make_client, monotonic
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._kept: dict[str, tuple[float, str]] = {}

    def reveal(self, text: str) -> str:
        """Return *text*, or what it refers to.

        Raises SourceRefusedError where there is no such secret, or we may not read it; SourceUnavailableError else.
        """
        if not text.startswith(PREFIX):
            return text
        name = text.removeprefix(PREFIX)
        with self._lock:
            kept = self._kept.get(name)
        if kept and kept[0] > self._monotonic():
            return kept[1]
        value = self._fetch(name)
        with self._lock:
            self._kept[name] = (self._monotonic() + KEEP_SECONDS, value)
        return value

    def _fetch(self, name: str) -> str:
        """Return the secret's value; AWS's errors are left behind, since what they quote is not ours to show."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self._ask(name).strip()
        except ClientError as error:
            ours = _translate(name, str(error.response.get("Error", {}).get("Code", "")))
        except BotoCoreError:
            ours = _translate(name, "")
        except (KeyError, AttributeError):
            ours = SourceRefusedError("the secret holds no text", code="secret", name=name)
        raise ours

    def _ask(self, name: str) -> str:
        if name.startswith(_SSM):
            answer = self._open("ssm").get_parameter(Name=name.removeprefix(_SSM), WithDecryption=True)
            value: str = answer["Parameter"]["Value"]
            return value
        told: str = self._open("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
        return told

    def _open(self, service: str) -> Any:
        """Return the client of *service*: making one takes longer than a call, and two threads may not make one at once."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make_client(service)
            return self._clients[service]


def _translate(name: str, code: str) -> BokitError:
    if any(part in code for part in _MISSING):
        return SourceRefusedError("there is no such secret", code="secret", name=name)
    if "AccessDenied" in code:
        return SourceRefusedError("this stack may not read the secret", code="secret", name=name)
    return SourceUnavailableError("the secret could not be read", code="secret", name=name)
