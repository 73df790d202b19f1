"""Build and deploy the stack to a local cloud with SAM, as to a real account."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local.errors import LocalError
from local.gateway import STACK, api_url, live_endpoint, live_url
from local.place import REGION, Place

BUCKET = "bokit-artifacts"
TTL_ATTRIBUTE = "expires_at"
_AT = re.compile(r"Building (?:layer|codeuri)\b.*\b(\w+)'?$|(Uploading|Waiting for changeset|Waiting for stack)", re.MULTILINE)
STEPS = {
    "Uploading": "uploading",
    "Waiting for changeset": "CloudFormation compares",
    "Waiting for stack": "CloudFormation makes the resources",
}
"""What SAM says, in words."""


def connect(place: Place, service: str) -> Any:
    """Return a client of a service of the local cloud."""
    return boto3.client(
        service,
        endpoint_url=place.endpoint_url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 2}, proxies={}),
    )


def parameters(place: Place, stack: str = STACK, **changed: str) -> dict[str, str]:
    """Return the template's parameters for this interpreter and machine, updated by *changed*."""
    return {
        "Stage": "local",
        "PythonRuntime": place.runtime,
        "Architecture": place.architecture,
        "DeletionProtection": "false",
        "AllowPrivateAddresses": "true",
        "ApiAddress": api_url(place, stack),
        "LiveAddress": live_url(place, stack),
        "LiveEndpoint": live_endpoint(place, stack),
        **changed,
    }


def build_stack(place: Place, *resources: str) -> Path:
    """Build functions and layer, or only the named resources; return the folder with the built template."""
    folder = place.home / "build"
    paths = ["--build-dir", str(folder), "--template-file", str(place.root / "template.yaml")]
    _sam(place, "build", *resources, *paths, *_overrides(parameters(place)))
    return folder


def deploy_stack(place: Place, built: Path, stack: str = STACK, **changed: str) -> None:
    """Create or update the stack from a build."""
    connect(place, "s3").create_bucket(Bucket=BUCKET)
    template = ["--template-file", str(built / "template.yaml"), "--config-file", str(place.root / "samconfig.toml")]
    template += ["--config-env", "local"]  # beside the build SAM would find no file, and take its own defaults
    _sam(place, "deploy", *template, *_target(stack), *_overrides(parameters(place, stack, **changed)))
    enable_what_is_ignored(place, stack)


def delete_stack(place: Place, stack: str = STACK) -> None:
    """Delete the stack; its table and its calendars' key stay."""
    _sam(place, "delete", *_target(stack), "--no-prompts")


def load_outputs(place: Place, stack: str = STACK) -> Mapping[str, str] | None:
    """Return the stack's outputs, or None if it does not exist."""
    try:
        stacks = connect(place, "cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except ClientError:
        return None
    return {o["OutputKey"]: o["OutputValue"] for s in stacks for o in s.get("Outputs", [])} or None


def _target(stack: str) -> tuple[str, ...]:
    return ("--stack-name", stack, "--s3-bucket", BUCKET, "--region", REGION)


def enable_what_is_ignored(place: Place, stack: str = STACK) -> None:
    """Set what is in the template and what the emulator does not take from it: TTL and point-in-time recovery."""
    table = (load_outputs(place, stack) or {}).get("TableName")
    if not table:
        raise LocalError("the deployment made no table; see `.bokit/log/sam.log`")
    wanted = {"Enabled": True, "AttributeName": TTL_ATTRIBUTE}
    dynamodb = connect(place, "dynamodb")
    dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=wanted)
    recovery = {"PointInTimeRecoveryEnabled": True}
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=recovery)


def _overrides(values: Mapping[str, str]) -> list[str]:
    return ["--parameter-overrides", *(f"{name}={value}" for name, value in values.items())]


def build_env(place: Place) -> dict[str, str]:
    """Return the environment in which the stack's makefiles run."""
    return place.aws_env() | {
        "SAM_CLI_TELEMETRY": "0",
        "BOKIT_RUNTIME": place.runtime,
        "BOKIT_ARCHITECTURE": place.architecture,
        "BOKIT_PYTHON": str(place.root / ".venv/bin/python"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def watch_log(place: Place) -> Callable[[], str]:
    """Return a function that says what a build or a deployment, which begins now, is at."""
    log = _log_file(place)
    began = log.stat().st_size if log.exists() else 0

    def read() -> str:
        with log.open("rb") as file:
            file.seek(began)
            found = _AT.findall(file.read().decode(errors="replace"))
        if not found:
            return "starting"
        resource, step = found[-1]
        return f"building {resource}" if resource else STEPS[step]

    return read


def _log_file(place: Place) -> Path:
    return place.home / "log/sam.log"


def _sam(place: Place, *arguments: str) -> None:
    (log := _log_file(place)).parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        sam = str(place.tools / "sam/bin/sam")
        done = subprocess.run([sam, *arguments], cwd=place.root, env=build_env(place), stdout=file, stderr=file, check=False)
    if done.returncode:
        raise LocalError(f"`sam {arguments[0]}` failed; {log} ends with:\n{_tail(log)}")


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
