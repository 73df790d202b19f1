"""Secrets by reference: ``secret:<name>`` of Secrets Manager, ``secret:ssm:<name>`` of Parameter Store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from bokit.errors import SourceRefusedError, SourceUnavailableError

PREFIX = "secret:"
_SSM = "ssm:"
KEEP_SECONDS = 300.0


class Secrets:
    """Resolves references when they are needed, and keeps them for five minutes; a value is in no log and no error."""

    def __init__(self, make_client: Callable[[str], Any], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._make_client, self._monotonic = make_client, monotonic
        self._lock = threading.Lock()
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
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if name.startswith(_SSM):
                client = self._make_client("ssm")
                answer = client.get_parameter(Name=name.removeprefix(_SSM), WithDecryption=True)
                return str(answer["Parameter"]["Value"])
            answer = self._make_client("secretsmanager").get_secret_value(SecretId=name)
            return str(answer["SecretString"])
        except ClientError as error:
            raise _translate(name, str(error.response.get("Error", {}).get("Code", ""))) from None
        except BotoCoreError:
            raise SourceUnavailableError("the secret could not be read", code="secret", name=name) from None
        except KeyError:
            raise SourceRefusedError("the secret holds no text", code="secret", name=name) from None


def _translate(name: str, code: str) -> Exception:
    if "NotFound" in code:
        return SourceRefusedError("there is no such secret", code="secret", name=name)
    if "AccessDenied" in code:
        return SourceRefusedError("this stack may not read the secret", code="secret", name=name)
    return SourceUnavailableError("the secret could not be read", code="secret", name=name)
