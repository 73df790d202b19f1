"""Which table is restored, and the key from which the addresses of its calendars derive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local.errors import RestoreError
from local.restore.calls import connect, explained, is_missing

_PREFIX = "secret:"
_FIND_KEYS = "aws secretsmanager list-secrets --filters Key=name,Values=CalendarKey"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A table, and the ARN of its calendars' key."""

    table: str
    key: str


def find_origin(name: str, key: str | None) -> Origin:
    """Return what *name* names: a stack, or a table that outlived its stack, whose *key* must be given. Raises RestoreError."""
    outputs = _load_outputs(name)
    if outputs is None and not key:
        raise RestoreError(
            f"the stack {name} does not exist; if it is a table, name its calendars' key too, KEY=ARN; `{_FIND_KEYS}`"
        )
    table, found = (outputs or {}).get("TableName", name), (outputs or {}).get("CalendarKey", "").removeprefix(_PREFIX)
    return Origin(table=table, key=_load_key(key or found))


def _load_outputs(stack: str) -> dict[str, str] | None:
    stacks = connect("cloudformation")
    with explained(f"looking for the stack {stack}"):
        try:
            (found,) = stacks.describe_stacks(StackName=stack)["Stacks"]
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
            return None
    outputs = {o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", [])}
    if not {"TableName", "CalendarKey"} <= set(outputs):
        raise RestoreError(f"the stack {stack} ({found['StackStatus']}) has no table: name it, FROM=TABLE KEY=ARN")
    return outputs


def _load_key(key: str) -> str:
    """Return the ARN of a secret; raises RestoreError for one that is not there, or is to be deleted."""
    secrets = connect("secretsmanager")
    with explained("looking for the calendars' key"):
        try:
            found: dict[str, Any] = secrets.describe_secret(SecretId=key)
        except ClientError as error:
            if not is_missing(error):
                raise
            raise RestoreError(
                f"the secret {key} does not exist: without it no address of a calendar can be shown; `{_FIND_KEYS}`"
            ) from None
    if "DeletedDate" in found:
        raise RestoreError(f"the secret {key} is to be deleted: `aws secretsmanager restore-secret --secret-id {key}` first")
    return str(found["ARN"])
