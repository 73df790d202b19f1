"""Secrets by reference: ``secret:<name>`` in Secrets Manager, ``secret:ssm:<name>`` in Parameter Store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from bokit.errors import BokitError, SourceRefusedError, SourceUnavailableError

PREFIX = "secret:"
KEEP_SECONDS = 300.0
_SSM = "ssm:"
_NOT_FOUND = ("NotFound", "Invalid", "Validation")


class Secrets:
    """Resolves references when they are needed, and caches them for five minutes; no value is in a log or an error."""

    def __init__(self, make_client: Callable[[str], Any], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._make_client, self._monotonic = make_client, monotonic
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._cache: dict[str, tuple[float, str]] = {}

    def reveal(self, text: str) -> str:
        """Return *text*, or the secret that it refers to.

        Raises SourceRefusedError if the secret does not exist or may not be read, else SourceUnavailableError.
        """
        if not text.startswith(PREFIX):
            return text
        name = text.removeprefix(PREFIX)
        value = self._cached(name)
        if value is None:
            value = self._fetch(name)
            with self._lock:
                self._cache[name] = (self._monotonic() + KEEP_SECONDS, value)
        return value

    def _cached(self, name: str) -> str | None:
        with self._lock:
            kept = self._cache.get(name)
        return kept[1] if kept and kept[0] > self._monotonic() else None

    def _fetch(self, name: str) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self._request(name).strip()
        except ClientError as error:
            ours = _translate(name, str(error.response.get("Error", {}).get("Code", "")))
        except BotoCoreError:
            ours = _translate(name, "")
        except (KeyError, AttributeError):
            ours = SourceRefusedError("the secret holds no text", code="secret", name=name)
        raise ours  # outside the handlers: AWS's errors quote what must not be shown

    def _request(self, name: str) -> str:
        if name.startswith(_SSM):
            answer = self._client("ssm").get_parameter(Name=name.removeprefix(_SSM), WithDecryption=True)
            return answer["Parameter"]["Value"]  # type: ignore[no-any-return]
        return self._client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]  # type: ignore[no-any-return]

    def _client(self, service: str) -> Any:
        """Return the client of *service*. Making one is slow, and two threads must not make one at once."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make_client(service)
            return self._clients[service]


def _translate(name: str, code: str) -> BokitError:
    if any(part in code for part in _NOT_FOUND):
        return SourceRefusedError("secret not found", code="secret", name=name)
    if "AccessDenied" in code:
        return SourceRefusedError("this stack may not read the secret", code="secret", name=name)
    return SourceUnavailableError("the secret could not be read", code="secret", name=name)
