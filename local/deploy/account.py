"""The account that is deployed to: calls that only read, and one update of the stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from bokit.aws import CONNECT_SECONDS, READ_SECONDS
from local.errors import DeployError

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
_WAIT = {"Delay": 3, "MaxAttempts": 600}
"""Half an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackState:
    """A stack as it is: its status, the values of its parameters, and its tags."""

    status: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """The account's concurrent executions of functions in the region, and those that no function has reserved."""

    limit: int
    unreserved: int


class Account:
    """An account and a region, with the credentials that the AWS tools find."""

    def __init__(self, region: str | None) -> None:
        """*region*: None for the one of the profile."""
        try:
            self._session = boto3.Session(region_name=region)
        except BotoCoreError as error:
            raise DeployError(f"{error}: set AWS_PROFILE to one of `aws configure list-profiles`") from None
        self.region: str | None = self._session.region_name

    def identify(self) -> str:
        """Return the ARN that calls are made as. Raises AWS's errors."""
        return str(self._connect("sts").get_caller_identity()["Arn"])

    def load_stack(self, name: str) -> StackState | None:
        """Return a stack; None: there is none, or a first deployment was not confirmed. Raises AWS's errors."""
        try:
            (stack,) = self._connect("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        if stack["StackStatus"] in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE"):
            return None
        values = {p["ParameterKey"]: p.get("ParameterValue", "") for p in stack.get("Parameters", [])}
        tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}
        return StackState(status=stack["StackStatus"], parameters=values, tags=tags)

    def load_concurrency(self) -> Concurrency:
        """Return how many functions may run at once. Raises AWS's errors."""
        limits = self._connect("lambda").get_account_settings()["AccountLimit"]
        return Concurrency(limit=limits["ConcurrentExecutions"], unreserved=limits["UnreservedConcurrentExecutions"])

    def update_parameter(self, stack: str, state: StackState, name: str, value: str) -> None:
        """Change one parameter of a stack and nothing else, and wait for the end. Raises DeployError."""
        kept = [{"ParameterKey": key, "UsePreviousValue": True} for key in state.parameters if key != name]
        client = self._connect("cloudformation")
        try:
            client.update_stack(
                StackName=stack,
                UsePreviousTemplate=True,
                Parameters=[*kept, {"ParameterKey": name, "ParameterValue": value}],
                Capabilities=CAPABILITIES,
            )
            client.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig=_WAIT)
        except (BotoCoreError, ClientError, WaiterError) as error:
            raise DeployError(f"{stack} is deployed, but {name} could not be set to {value} ({error}): deploy again") from None

    def _connect(self, service: str) -> Any:
        config = Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": 3})
        return self._session.client(service, config=config)
