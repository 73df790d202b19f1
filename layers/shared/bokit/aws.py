"""Clients of AWS: botocore's sessions, started lightly, since every cold start pays for them.

To find out whether a service exists, botocore lists the folders of its four hundred services; and it reads a table of every
service's addresses, although the services that we call have rules of their own. Both are left out here, which halves the CPU
of a client. Everything else, credentials, signing and retries too, is botocore's.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.config import Config
from botocore.loaders import Loader
from botocore.session import Session, get_session

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


@cache
def shared_loader() -> LightLoader:
    """Return the loader of all sessions, which reads each document once."""
    return LightLoader()


def open_session() -> Session:
    """Return a new botocore session, configured by the environment; PynamoDB makes its client of one."""
    session = get_session()
    if session.get_config_variable("data_path") is None:  # else the user has documents of their own
        session.register_component("data_loader", shared_loader())
    return session


def make_client(service: str, *, region: str | None = None, endpoint_url: str | None = None, **given: Any) -> Any:
    """Return a client with the timeouts and attempts of all clients; *given* goes to botocore's configuration.

    It is what boto3's own client is, without boto3: that makes classes of resources besides, which nothing here uses.
    """
    config = Config(**{"connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS, "retries": RETRIES, **given})
    return open_session().create_client(service, region_name=region, endpoint_url=endpoint_url, config=config)
