"""Secrets by name: ``secret:<name>`` is read from Secrets Manager, ``secret:ssm:/path`` from SSM's parameters."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Any

from bokit.errors import BokitError, SourceRefusedError, SourceUnavailableError

PREFIX = "secret:"
_SSM = "ssm:"
_KEPT_SECONDS = 300.0
_ABSENT = frozenset({"ResourceNotFoundException", "ParameterNotFound", "ParameterVersionNotFound", "InvalidRequestException"})
_DENIED = frozenset({"AccessDeniedException", "AccessDenied", "DecryptionFailure", "InvalidKeyId", "KMSAccessDeniedException"})


class Secrets:
    """Resolves names of secrets, and keeps the values for some minutes. Names are shown, values never."""

    def __init__(self, make_client: Callable[[str], Any], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._make_client, self._monotonic = make_client, monotonic
        self._clients: dict[str, Any] = {}
        self._kept: dict[str, tuple[float, str]] = {}
        self._lock = Lock()

    def resolve(self, text: str) -> str:
        """Return the secret that *text* names; any other text is returned as it is.

        Raises SourceRefusedError where there is no such secret or we may not read it, SourceUnavailableError where AWS
        does not answer.
        """
        if not text.startswith(PREFIX):
            return text
        name = text.removeprefix(PREFIX)
        # one lock for all: a secret is asked for once, and boto3's clients are not made side by side
        with self._lock:
            kept = self._kept.get(name)
            if kept is None or kept[0] <= self._monotonic():
                kept = self._kept[name] = (self._monotonic() + _KEPT_SECONDS, self._load(name))
        return kept[1]

    def forget(self) -> None:
        """Ask AWS again from now on."""
        with self._lock:
            self._kept.clear()

    def _load(self, name: str) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            value = self._ask(name)
        except ClientError as error:
            failure = _explain(error.response.get("Error", {}).get("Code", ""), name)
        except (BotoCoreError, OSError):
            failure = _unavailable(name)
        else:
            if value.strip():
                return value.strip()
            failure = SourceRefusedError("the secret is empty; put the source's URL into it", code="secret-missing", name=name)
        raise failure

    def _ask(self, name: str) -> str:
        if name.startswith(_SSM):
            answer = self._client("ssm").get_parameter(Name=name.removeprefix(_SSM), WithDecryption=True)
            return str(answer["Parameter"]["Value"])
        return str(self._client("secretsmanager").get_secret_value(SecretId=name).get("SecretString") or "")

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._make_client(service)
        return self._clients[service]


def _explain(code: str, name: str) -> BokitError:
    if code in _ABSENT:
        return SourceRefusedError(
            "there is no such secret; store the source's URL under this name", code="secret-missing", name=name
        )
    if code in _DENIED:
        return SourceRefusedError("this stack may not read the secret; allow it in its policy", code="secret-refused", name=name)
    return _unavailable(name)


def _unavailable(name: str) -> SourceUnavailableError:
    return SourceUnavailableError("the secret cannot be read now; Bokit tries again", code="secret-unavailable", name=name)
