"""The calls to AWS of a restore, and what to do when one is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from bokit.aws import make_client
from bokit.config import read_region
from local.errors import RestoreError

_AGAIN = "run the same command again: it goes on where it stopped"
_FIXES = {
    "AccessDeniedException": "allow that to your own user; docs/restore.md lists what a restore calls",
    "ExpiredToken": f"sign in again, then {_AGAIN}",
    "ExpiredTokenException": f"sign in again, then {_AGAIN}",
    "InvalidClientTokenId": "check the credentials with `aws sts get-caller-identity`",
    "InvalidRestoreTimeException": "choose another time for AT",
    "LimitExceededException": f"too many tables are made or restored at once; wait until one is ready, then {_AGAIN}",
    "PointInTimeRecoveryUnavailableException": "the table has no point-in-time recovery; restore from a file (docs/restore.md)",
    "ResourceInUseException": f"the table is being changed; wait a minute, then {_AGAIN}",
    "UnrecognizedClientException": "check the credentials with `aws sts get-caller-identity`",
    "ValidationException": "check FROM, NEW and AT",
}


def connect(service: str) -> Any:
    """Return a client with the credentials that the AWS tools find; its region is AWS_REGION's, or the profile's.

    Raises RestoreError.
    """
    try:
        client = make_client(service, region=read_region(), retries={"mode": "standard", "total_max_attempts": 5})
    except BotoCoreError as error:
        raise RestoreError(f"{error}: set AWS_PROFILE to one of `aws configure list-profiles`") from None
    if not client.meta.region_name:  # botocore itself says so at the first call alone, and in other words
        raise RestoreError("no region is set: set AWS_REGION to the stack's")
    return client


@contextmanager
def explained(step: str) -> Iterator[None]:
    """Turn an error of AWS into a RestoreError that says what failed, why, and what to do."""
    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        raise RestoreError(f"{step}: {code} {message}".rstrip(" .") + f"; {_FIXES.get(code, _AGAIN)}") from None
    except NoCredentialsError:
        raise RestoreError(f"{step}: there are no credentials; set AWS_PROFILE, or sign in") from None
    except BotoCoreError as error:
        raise RestoreError(f"{step}: {error}; {_AGAIN}") from None


def is_missing(error: ClientError) -> bool:
    """Return whether what was asked for does not exist."""
    return error.response["Error"]["Code"] == "ResourceNotFoundException"
