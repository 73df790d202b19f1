"""A deployed stack, found by its name: what CloudFormation knows of it, kept for 15 minutes in the user's cache folder.

    asks     ──► the file of these credentials, region and stack ── younger than 15 minutes ──► settings
                          │ none, or older, or another's
                          ▼
                 CloudFormation, one call ──► the file ──► settings

The file holds names and addresses, and no secret: of the key of outgoing calendars only where it is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from bokit.config import Env, Settings
from bokit.engine.base.clock import Clock, read_clock
from bokit.errors import BokitError, ConfigError, InputError, StoreUnreachableError
from bokit.values import Value

KEPT = timedelta(minutes=15)
OUTPUTS = {
    "BOKIT_TABLE": "TableName",
    "BOKIT_QUEUE_URL": "QueueUrl",
    "BOKIT_SQL_QUEUE_URL": "SqlQueueUrl",
    "BOKIT_DELIVER_QUEUE_URL": "DeliverQueueUrl",
    "BOKIT_ALERT_TOPIC": "AlertTopicArn",
    "BOKIT_API_URL": "ApiUrl",
    "BOKIT_LIVE_URL": "LiveUrl",
    "BOKIT_LIVE_ENDPOINT": "LiveEndpoint",
    "BOKIT_CALENDAR_KEY": "CalendarKey",
    "BOKIT_QUOTAS": "Quotas",
    "BOKIT_DEAD_LETTERS": "DeadLetters",
}
"""The variables of the stack's functions, and the outputs that have their values."""
PARAMETERS = {
    "BOKIT_DEFAULT_INTERVAL": "DefaultInterval",
    "BOKIT_MAIL_FROM": "MailFrom",
    "BOKIT_STAGE": "Stage",
    "BOKIT_ALLOW_PRIVATE_ADDRESSES": "AllowPrivateAddresses",
}
"""Likewise, and the parameters."""


class _Caller(Value):
    """Who asks CloudFormation, and where."""

    region: str
    key_id: str
    """The access key's id, which belongs to one account."""
    endpoint_url: str | None = None


class DeployedStack:
    """One stack of an account and a region. Nothing is asked before it is needed."""

    def __init__(
        self, name: str, folder: Path, *, region: str | None, endpoint_url: str | None = None, clock: Clock = read_clock
    ) -> None:
        self.name, self._folder, self._clock = name, folder, clock
        self._region, self._endpoint_url = region, endpoint_url
        self._said: Mapping[str, str] | None = None
        """What CloudFormation said to this object, which works where no file can be written."""
        self.is_from_file = False
        """Whether the last settings came from the file, and may therefore be of a stack that was deleted since."""

    def load_settings(self, env: Env) -> Settings:
        """Return the stack's settings. What it says of itself comes before the same variable of *env*.

        Raises ConfigError, InputError or StoreUnreachableError, which say what to do.
        """
        kept = None if self._said else self._load_kept()
        self.is_from_file = kept is not None
        values = kept or self._said or self.refresh()
        stack = dict.fromkeys([*OUTPUTS, *PARAMETERS], "") | dict(values)
        own = {"BOKIT_STACK_NAME": self.name, "AWS_REGION": self._caller.region}
        return Settings.from_env({**env, **stack, **own})

    def refresh(self) -> Mapping[str, str]:
        """Ask CloudFormation, keep the answer, and return the variables of the stack's functions."""
        values = read_variables(self._describe())
        if "BOKIT_TABLE" not in values:
            raise InputError("the stack has no table: it is not one of Bokit's, or its deployment failed", stack=self.name)
        self._said = values
        self._keep(values)
        return values

    @cached_property
    def _caller(self) -> _Caller:
        from bokit.aws import open_session

        with translated(self.name, self._region):
            session = open_session()
            region = self._region or session.get_config_variable("region")
            credentials = session.get_credentials()
        if not region:
            raise ConfigError("no region is chosen: set AWS_REGION, or `--region`")
        if credentials is None:
            raise ConfigError("there are no AWS credentials: log in, or choose a profile with `--profile`")
        return _Caller(region=str(region), key_id=str(credentials.access_key), endpoint_url=self._endpoint_url)

    @property
    def _file(self) -> Path:
        caller = self._caller
        said = "\n".join([caller.key_id, caller.region, caller.endpoint_url or "", self.name])
        return self._folder / f"{hashlib.sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.json"

    def _load_kept(self) -> Mapping[str, str] | None:
        """Return what the file has, unless it is too old, or not as we write it."""
        try:
            document = json.loads(self._file.read_text(encoding="utf-8"))
            age = self._clock() - datetime.fromtimestamp(document["at"], UTC)
            values = {str(name): str(value) for name, value in document["values"].items()}
        except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError):
            return None
        is_ours = document.get("stack") == self.name and bool(values.get("BOKIT_TABLE"))
        return values if is_ours and timedelta(0) <= age < KEPT else None

    def _keep(self, values: Mapping[str, str]) -> None:
        """Write the file whole, for the user alone. A folder that cannot be written costs a call each time, and no more."""
        document = {"stack": self.name, "at": self._clock().timestamp(), "values": dict(values)}
        beside = self._file.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(document, file)
            beside.replace(self._file)

    def _describe(self) -> Mapping[str, Any]:
        from bokit.aws import make_client

        with translated(self.name, self._caller.region):
            client = make_client("cloudformation", region=self._caller.region, endpoint_url=self._endpoint_url)
            stacks = client.describe_stacks(StackName=self.name)["Stacks"]
            return dict(stacks[0])


def forget_stack(folder: Path, name: str) -> None:
    """Remove what *folder* keeps of the stack, as every access key and in every region: it was changed, and is asked again."""
    with suppress(OSError):
        for file in folder.glob("*.json"):
            with suppress(OSError, ValueError, AttributeError):
                if json.loads(file.read_text(encoding="utf-8")).get("stack") == name:
                    file.unlink()


def read_variables(stack: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables of a stack's functions, from its description; without a key that is not a reference."""
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    parameters = {given["ParameterKey"]: given.get("ParameterValue", "") for given in stack.get("Parameters", [])}
    found = {variable: outputs.get(name) for variable, name in OUTPUTS.items()}
    found |= {variable: parameters.get(name) for variable, name in PARAMETERS.items()}
    if not str(found["BOKIT_CALENDAR_KEY"]).startswith("secret:"):
        del found["BOKIT_CALENDAR_KEY"]
    return {variable: str(value) for variable, value in found.items() if value}


@contextmanager
def translated(stack: str, region: str | None) -> Iterator[None]:
    """Raise our error, which says what to do, for one of botocore's."""
    from bokit.aws_errors import AWS_ERRORS

    try:
        yield
    except (*AWS_ERRORS, ValueError) as error:
        raise _translate(error, {"stack": stack, **({"region": region} if region else {})}) from error


def _translate(error: Exception, facts: Mapping[str, Any]) -> BokitError:
    from bokit.aws_errors import AwsCause, AwsService, read_fault

    fault = read_fault(error)
    if isinstance(error, ValueError):
        return ConfigError("the region, or the address of AWS, is not valid; check `--region` and AWS_ENDPOINT_URL", **facts)
    if fault.code == "ProfileNotFound":
        return ConfigError("the AWS profile does not exist; `aws configure list-profiles` shows those that do")
    if fault.code == "ValidationError":
        return InputError("no such stack in this account and region; check `--stack`, `--region`, `--profile`", **facts)
    if fault.cause is AwsCause.DENIED:
        return ConfigError("these AWS credentials may not read the stack: they need cloudformation:DescribeStacks", **facts)
    return StoreUnreachableError(fault.describe(AwsService(name="CloudFormation", missing="no such stack")), **facts)
