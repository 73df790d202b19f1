"""Clients of AWS: botocore's sessions, started lightly, since every cold start pays for them.

To find out whether a service exists, botocore lists the folders of its four hundred services; and it reads a table of every
service's addresses, although the services that we call have rules of their own. Both are left out here, which halves the CPU
of a client. Everything else, credentials, signing and retries too, is botocore's.
"""

from __future__ import annotations

import threading
from base64 import b64decode
from functools import cache
from typing import Any

from botocore import __version__ as botocore_version
from botocore.config import Config
from botocore.loaders import Loader
from botocore.parsers import JSONParser, ResponseParserFactory
from botocore.session import Session, get_session

from bokit import __version__ as bokit_version

SERVICES = (
    "apigatewaymanagementapi",
    "cloudformation",
    "dynamodb",
    "secretsmanager",
    "sesv2",
    "signin",
    "sns",
    "sqs",
    "ssm",
    "sso",
    "sso-oidc",
    "sts",
)
"""What Bokit calls, CloudFormation from the command line alone, and what botocore itself may call to find credentials."""
CONNECT_SECONDS, READ_SECONDS = 3, 10
"""Timeouts of every client; botocore's own are 60 seconds each, longer than most functions run."""
RETRIES = {"mode": "standard", "total_max_attempts": 3}
"""Attempts of every client but the table's, which has one more: botocore's own are five, of 13 seconds each at worst."""


class LightLoader(Loader):
    """botocore's data, without what only other services need."""

    def list_available_services(self, type_name: str) -> list[str]:
        return list(SERVICES)

    def load_data_with_path(self, name: str) -> tuple[Any, str]:
        if name == "endpoints":
            return {"version": 3, "partitions": []}, self.BUILTIN_DATA_PATH
        found: tuple[Any, str] = super().load_data_with_path(name)
        return found


USER_AGENT = f"Bokit/{bokit_version} Botocore/{botocore_version}"
"""By name and version alone: botocore would put its own together for each request, twice, which is a tenth of a request's CPU."""


class _LightParser(JSONParser):
    """botocore's parser of JSON answers; values of DynamoDB are read in one step, not by the form of each of ten kinds.

    A query of a hundred records has a thousand values.
    """

    def _handle_map(self, shape: Any, value: Any) -> dict[str, Any]:
        if shape.value.name == "AttributeValue":
            return {name: read_attribute(one) for name, one in value.items()}
        found: dict[str, Any] = super()._handle_map(shape, value)  # type: ignore[misc]
        return found


def read_attribute(value: dict[str, Any]) -> dict[str, Any]:
    """Return a value of an item as botocore returns it, from how DynamoDB writes it: bytes are base64 there, all else the same.

    >>> read_attribute({"M": {"a": {"B": "YWI="}, "b": {"N": "1"}}})
    {'M': {'a': {'B': b'ab'}, 'b': {'N': '1'}}}
    """
    ((kind, content),) = value.items()
    if kind == "B":
        return {kind: b64decode(content)}
    if kind == "BS":
        return {kind: [b64decode(one) for one in content]}
    if kind == "L":
        return {kind: [read_attribute(one) for one in content]}
    if kind == "M":
        return {kind: {name: read_attribute(one) for name, one in content.items()}}
    return value


class _LightParsers(ResponseParserFactory):
    """botocore's parsers, with our own for JSON answers."""

    def create_parser(self, protocol_name: str) -> Any:
        return _LightParser() if protocol_name == "json" else super().create_parser(protocol_name)


@cache
def shared_loader() -> LightLoader:
    """Return the loader of all sessions, which reads each document once."""
    return LightLoader()


_CREATING = threading.Lock()
"""A session makes one client at a time."""


@cache
def share_session() -> Session:
    """Return the one session of which all clients of this process are made from now on.

    A session costs as much as two clients. What it is configured by must not change any more, as in a function.
    """
    _shared.append(_make_session())
    return _shared[0]


_shared: list[Session] = []


def open_session() -> Session:
    """Return the shared botocore session, or a new one, configured by the environment; PynamoDB makes its client of one."""
    return _shared[0] if _shared else _make_session()


def _make_session() -> Session:
    session = get_session()
    session.set_default_client_config(Config(user_agent=USER_AGENT))
    session.register_component("response_parser_factory", _LightParsers())
    if session.get_config_variable("data_path") is None:  # else the user has documents of their own
        session.register_component("data_loader", shared_loader())
    return session


def make_client(service: str, *, region: str | None = None, endpoint_url: str | None = None, **given: Any) -> Any:
    """Return a client with the timeouts and attempts of all clients; *given* goes to botocore's configuration.

    It is what boto3's own client is, without boto3: that makes classes of resources besides, which nothing here uses.
    """
    config = Config(**{"connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS, "retries": RETRIES, **given})
    with _CREATING:
        return open_session().create_client(service, region_name=region, endpoint_url=endpoint_url, config=config)
