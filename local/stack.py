"""Build and deploy the stack to a local cloud with SAM, as to a real account."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local.errors import LocalError
from local.gateway import api_url
from local.place import REGION, Place

STACK = "bokit"
BUCKET = "bokit-artifacts"
TTL_ATTRIBUTE = "expires_at"
_TARGET = ("--stack-name", STACK, "--s3-bucket", BUCKET, "--region", REGION)
_SOURCES = ("template.yaml", "samconfig.toml", "functions", "layers/shared")


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


def parameters(place: Place, **changed: str) -> dict[str, str]:
    """Return the template's parameters for this interpreter and machine, updated by *changed*."""
    return {
        "Stage": "local",
        "PythonRuntime": place.runtime,
        "Architecture": place.architecture,
        "DeletionProtection": "false",
        "AllowPrivateAddresses": "true",
        "ApiAddress": api_url(place),
        **changed,
    }


def fingerprint(place: Place) -> str:
    """Return a hash of everything that is deployed."""
    digest = hashlib.sha256(repr(sorted(parameters(place).items())).encode())
    for file in _source_files(place.root):
        digest.update(str(file.relative_to(place.root)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _source_files(root: Path) -> list[Path]:
    found = [file for name in _SOURCES for file in [root / name, *(root / name).rglob("*")] if file.is_file()]
    return sorted(file for file in found if "__pycache__" not in file.parts)


def build_stack(place: Place, *resources: str) -> Path:
    """Build functions and layer, or only the named resources; return the folder with the built template."""
    folder = place.home / "build"
    paths = ["--build-dir", str(folder), "--template-file", str(place.root / "template.yaml")]
    _sam(place, "build", *resources, *paths, *_overrides(parameters(place)))
    return folder


def deploy_stack(place: Place, built: Path, **changed: str) -> None:
    """Create or update the stack from a build."""
    connect(place, "s3").create_bucket(Bucket=BUCKET)
    template = ["--template-file", str(built / "template.yaml"), "--config-env", "local"]
    _sam(place, "deploy", *template, *_TARGET, *_overrides(parameters(place, **changed)))
    _enable_ttl(place)


def delete_stack(place: Place) -> None:
    """Delete the stack and its data."""
    _sam(place, "delete", *_TARGET, "--no-prompts")


def load_outputs(place: Place) -> Mapping[str, str] | None:
    """Return the stack's outputs, or None if it does not exist."""
    try:
        stacks = connect(place, "cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    except ClientError:
        return None
    return {o["OutputKey"]: o["OutputValue"] for s in stacks for o in s.get("Outputs", [])} or None


def _enable_ttl(place: Place) -> None:
    # the emulator ignores TimeToLiveSpecification in a template
    table = (load_outputs(place) or {}).get("TableName")
    if not table:
        raise LocalError("the deployment made no table; see `.bokit/log/sam.log`")
    wanted = {"Enabled": True, "AttributeName": TTL_ATTRIBUTE}
    connect(place, "dynamodb").update_time_to_live(TableName=table, TimeToLiveSpecification=wanted)


def _overrides(values: Mapping[str, str]) -> list[str]:
    return ["--parameter-overrides", *(f"{name}={value}" for name, value in values.items())]


def _sam(place: Place, *arguments: str) -> None:
    env = place.aws_env() | {
        "SAM_CLI_TELEMETRY": "0",
        "BOKIT_RUNTIME": place.runtime,
        "BOKIT_ARCHITECTURE": place.architecture,
        "BOKIT_PYTHON": str(place.root / ".venv/bin/python"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    log = place.home / "log" / "sam.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        sam = str(place.tools / "sam/bin/sam")
        done = subprocess.run([sam, *arguments], cwd=place.root, env=env, stdout=file, stderr=file, check=False)
    if done.returncode:
        raise LocalError(f"`sam {arguments[0]}` failed; {log} ends with:\n{_tail(log)}")


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
