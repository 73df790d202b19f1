"""AWS's own client library, started lightly: every function that starts cold pays for what stands here.

botocore looks into the folders of its four hundred services to tell whether there is one of the name that it is asked for,
and reads a table of every service's addresses, although the services that we call bring rules of their own for them. Both
are left out here: half of what a client costs to make. All else, credentials, signing and retries too, is botocore's.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.session import Session, get_session

SERVICES = ("dynamodb", "secretsmanager", "signin", "sns", "sqs", "ssm", "sso", "sso-oidc", "sts")
"""What Bokit calls, and what botocore itself may call to find credentials."""


class LightLoader(Loader):
    """botocore's data, but for what only other services need."""

    def list_available_services(self, type_name: str) -> list[str]:
        """Return the services that may be called."""
        return list(SERVICES)

    def load_data_with_path(self, name: str) -> tuple[Any, str]:
        """Return one of botocore's documents, and where it stands; of the table of addresses an empty one."""
        if name == "endpoints":
            return {"version": 3, "partitions": []}, self.BUILTIN_DATA_PATH
        found: tuple[Any, str] = super().load_data_with_path(name)
        return found


@cache
def find_loader() -> LightLoader:
    """Return the loader that all sessions share, so that no document is read twice."""
    return LightLoader()


def open_session() -> Session:
    """Return a new session, as the environment sets it up."""
    session = get_session()
    if session.get_config_variable("data_path") is None:  # else somebody has documents of their own
        session.register_component("data_loader", find_loader())
    return session
