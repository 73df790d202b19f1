"""Secrets by reference, each tenant's apart from all others.

    secret:NAME          Secrets Manager, bokit/STACK/TENANT/NAME
    secret:ssm:NAME      Parameter Store, /bokit/STACK/TENANT/NAME
    secret:NAME#KEY      the value of KEY, where the secret is a JSON object (either service)

A full name or an ARN may be given, but only the tenant's own: whatever lacks the tenant's prefix is looked up below it. So the
name of another tenant's secret and a name that nobody uses cost the same request, and end in the same error.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from bokit.core.model.records import TenantId
from bokit.errors import BokitError, SourceRefusedError, SourceUnavailableError
from bokit.values import Value

PREFIX = "secret:"
KEEP_SECONDS = 300.0
_SSM = "ssm:"
_NOT_FOUND = "secret not found; a tenant's secrets are named bokit/STACK/TENANT/NAME"

Reveal = Callable[[str, TenantId], str]
"""Returns a text, or the secret of the tenant that it refers to."""


class SecretName(Value):
    """What one reference asks for."""

    given: str
    """The reference without its prefix and key, as the owner wrote it."""
    full: str
    service: str = "secretsmanager"
    key: str | None = None
    """The value of a JSON object; None: the whole text."""


def read_reference(text: str, stack: str, tenant: TenantId) -> SecretName:
    """Return the secret of *tenant* in *stack* that *text* refers to, a reference with or without its prefix.

    >>> read_reference("secret:booking#url", "bokit", TenantId("rosa")).full
    'bokit/bokit/rosa/booking'
    >>> read_reference("secret:bokit/bokit/other/booking", "bokit", TenantId("rosa")).full
    'bokit/bokit/rosa/bokit/bokit/other/booking'
    """
    given, _, key = text.removeprefix(PREFIX).partition("#")
    own, in_ssm = f"bokit/{stack}/{tenant}/", given.startswith(_SSM)
    name = given.removeprefix(_SSM)
    if name.startswith("arn:"):
        full = name if _name_in_arn(name, in_ssm=in_ssm).startswith(own) else own + name
    else:
        full = name if name.removeprefix("/").startswith(own) else own + name.lstrip("/")
    if in_ssm:
        full = full if full.startswith(("/", "arn:")) else f"/{full}"
    return SecretName(given=given, full=full, service="ssm" if in_ssm else "secretsmanager", key=key or None)


def _name_in_arn(arn: str, *, in_ssm: bool) -> str:
    """Return the name in the ARN of a secret (``arn:P:secretsmanager:R:A:secret:NAME``) or parameter, else an empty text."""
    parts = arn.split(":")
    if in_ssm:
        return parts[5].removeprefix("parameter/") if len(parts) == 6 and parts[2] == "ssm" else ""
    return parts[6] if len(parts) == 7 and parts[2] == "secretsmanager" and parts[5] == "secret" else ""


class SecretRefusedError(SourceRefusedError):
    """These rights do not reach the secret: it may be there, and others may read it."""


class Secrets:
    """Resolves references when they are needed, and caches them for five minutes; no value is in a log or an error."""

    def __init__(
        self, make_client: Callable[[str], Any], stack: str | None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._make_client, self._stack, self._monotonic = make_client, stack, monotonic
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._cache: dict[tuple[str, str], tuple[float, str]] = {}

    def reveal(self, text: str, tenant: TenantId) -> str:
        """Return *text*, or the secret of *tenant* that it refers to.

        Raises SourceRefusedError if the tenant has no such secret or it may not be read, else SourceUnavailableError.
        """
        if not text.startswith(PREFIX):
            return text
        if not self._stack:
            raise SourceUnavailableError(
                "the stack's name is not known here: set BOKIT_STACK to it, or BOKIT_STACK_NAME beside BOKIT_TABLE", code="secret"
            )
        name = read_reference(text, self._stack, tenant)
        value = self._load(name)
        return value if name.key is None else _read_key(name, value)

    def reveal_own(self, text: str) -> str:
        """Return *text*, or the secret of the stack itself that it refers to by full name; never for what a tenant writes."""
        if not text.startswith(PREFIX):
            return text
        name = text.removeprefix(PREFIX)
        return self._load(SecretName(given=name, full=name))

    def _load(self, name: SecretName) -> str:
        value = self._cached(name)
        if value is None:
            value = self._fetch(name)
            with self._lock:
                self._cache[name.service, name.full] = (self._monotonic() + KEEP_SECONDS, value)
        return value

    def _cached(self, name: SecretName) -> str | None:
        with self._lock:
            kept = self._cache.get((name.service, name.full))
        return kept[1] if kept and kept[0] > self._monotonic() else None

    def _fetch(self, name: SecretName) -> str:
        from bokit.aws_errors import AWS_ERRORS  # not at the top: it imports botocore, which plain URLs do without

        try:
            return self._request(name).strip()
        except AWS_ERRORS as error:
            ours = _translate(name, error)
        except (KeyError, AttributeError):
            ours = SourceRefusedError("the secret holds no text", code="secret", name=name.given)
        raise ours  # outside the handlers: AWS's errors quote what must not be shown

    def _request(self, name: SecretName) -> str:
        client = self._client(name.service)
        if name.service == "ssm":
            return client.get_parameter(Name=name.full, WithDecryption=True)["Parameter"]["Value"]  # type: ignore[no-any-return]
        return client.get_secret_value(SecretId=name.full)["SecretString"]  # type: ignore[no-any-return]

    def _client(self, service: str) -> Any:
        """Return the client of *service*. Making one is slow, and two threads must not make one at once."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make_client(service)
            return self._clients[service]


def _read_key(name: SecretName, text: str) -> str:
    """Return the value of the reference's key in a secret that is a JSON object: a text, or a number as text."""
    try:
        value = json.loads(text)[name.key]
    except (ValueError, LookupError, TypeError, RecursionError):
        value = None
    if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
        return str(value)
    message = "the secret has no such key: it must be a JSON object, and the key's value a text"
    raise SourceRefusedError(message, code="secret", name=name.given, key=name.key)


def _translate(name: SecretName, error: Exception) -> BokitError:
    """Return our error for AWS's: a name that AWS refuses, or may not be read, until its owner acts; else later."""
    from bokit.aws_errors import AwsCause, AwsService, read_fault

    fault, secret = read_fault(error), AwsService(name="the secret", missing=_NOT_FOUND)
    if fault.cause in (AwsCause.MISSING, AwsCause.INVALID, AwsCause.TOO_LARGE):
        return SourceRefusedError(_NOT_FOUND, code="secret", name=name.given)
    if fault.cause is AwsCause.DENIED:
        return SecretRefusedError("this stack may not read the secret", code="secret", name=name.given)
    return SourceUnavailableError(f"the secret could not be read: {fault.describe(secret)}", code="secret", name=name.given)
