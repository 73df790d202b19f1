"""Bring a local stack up to its sources: what changed is built and deployed, and nothing else.

    no stack, or other libraries     `sam build` and `sam deploy`, as to a real account
    anything else                    the makefiles build what changed, and CloudFormation gets the template with the new archives

The second way is the first one without what did not change: it takes seconds where the first takes most of a minute.
"""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import shutil
import subprocess
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from samtranslator.yaml_helper import yaml_parse

from local import stack
from local.changes import LAYER, LIBRARIES, TEMPLATE, Parts, hash_parts, list_built, list_changes, load_deployed, note_deployed
from local.changes import read_template as read_template_file
from local.errors import LocalError
from local.gateway import STACK
from local.place import Place
from local.progress import progress

Report = Callable[[str], None]
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
STABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
"""Statuses from which a stack can be updated."""
MAX_SECONDS = 120
DATE = (1980, 1, 1, 0, 0, 0)
"""Of each file in an archive: equal content makes equal archives."""


def update(place: Place, report: Report) -> Mapping[str, str]:
    """Deploy what changed since the last time, and return the stack's outputs."""
    wanted, found = hash_parts(place), _describe(place)
    body = load_body(place) if found else ""
    changed = list_changes(wanted, load_deployed(place, body))  # everything, if the last deployment was cut off
    if found and not changed and _has_parameters(place, found):
        return stack.load_outputs(place) or {}
    if found and _is_built(place, wanted):
        _deploy_changed(place, report, body, changed)
    else:
        _deploy_all(place, report, wanted)
    note_deployed(place, load_body(place), wanted)
    return stack.load_outputs(place) or {}


def note_as_deployed(place: Place) -> None:
    """Note that the stack is as its sources are: something else deployed it."""
    note_deployed(place, load_body(place), hash_parts(place))


def load_body(place: Place) -> str:
    """Return the stack's template as it was given to CloudFormation."""
    found = stack.connect(place, "cloudformation").get_template(StackName=STACK, TemplateStage="Original")["TemplateBody"]
    return found if isinstance(found, str) else json.dumps(found)


def _describe(place: Place) -> Mapping[str, Any] | None:
    """Return the stack; None where there is none that could be updated."""
    try:
        (found,) = stack.connect(place, "cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    except ClientError:
        return None
    return found if found["StackStatus"] in STABLE else None


def _has_parameters(place: Place, found: Mapping[str, Any]) -> bool:
    """Return whether the stack has the parameters of this place; another port gives it other addresses."""
    given = {p["ParameterKey"]: p.get("ParameterValue") for p in found.get("Parameters", [])}
    return stack.parameters(place).items() <= given.items()


# ── everything ──


def _deploy_all(place: Place, report: Report, wanted: Parts) -> None:
    report("Building the stack (sam build)")
    with progress(report, stack.watch_log(place)):
        built = stack.build_stack(place)
    (built / LIBRARIES).write_text(wanted[LIBRARIES])
    report("Deploying the stack (sam deploy)")
    with progress(report, stack.watch_log(place)):
        stack.deploy_stack(place, built)


def _is_built(place: Place, wanted: Parts) -> bool:
    """Return whether there is a whole build with these libraries; `sam build` clears the folder when it begins."""
    note = place.home / "build" / LIBRARIES
    return note.is_file() and note.read_text() == wanted[LIBRARIES]


# ── what changed ──


def _deploy_changed(place: Place, report: Report, body: str, changed: Sequence[str]) -> None:
    template, built = read_template_file(place), place.home / "build"
    is_unknown = LIBRARIES in changed  # what runs there: every archive counts as a new one
    names = [name for name in list_built(template) if is_unknown or name in changed]
    salt = secrets.token_hex(4) if is_unknown else ""
    parts = [*(["the template"] if TEMPLATE in changed else []), *names]
    report(f"Updating {', '.join(parts) or 'the addresses'}")
    former = {name: r["Properties"].get(_property_of(name), "") for name, r in yaml_parse(body)["Resources"].items()}
    steps = ["starting"]
    with progress(report, lambda: steps[-1]):
        for name in list_built(template):
            if name in names or name not in former:
                steps.append(f"building {name}")
                _build_part(place, template, name, built)
                uri = _upload(place, pack(built / name), salt)
            else:
                uri = former[name]
            template["Resources"][name]["Properties"][_property_of(name)] = uri
            template["Resources"][name]["Metadata"]["SamResourceId"] = name
        steps.append("CloudFormation updates the stack")
        _update_stack(place, json.dumps(template))
    _forget(place, [former[name] for name in names if name in former], json.dumps(template))
    stack.enable_what_is_ignored(place)


def _property_of(name: str) -> str:
    return "ContentUri" if name == LAYER else "CodeUri"


def _build_part(place: Place, template: Mapping[str, Any], name: str, built: Path) -> None:
    """Build one resource by the makefile that `sam build` calls; of the layer our own package alone."""
    target = built / name
    if name == LAYER:
        command, folder = ["make", "-s", "own"], place.root / "layers/shared"
    else:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        folder = place.root / template["Resources"][name]["Metadata"].get("WorkingDirectory", "functions")
        command = ["make", "-s", "-f", str(place.root / "functions/Makefile"), f"build-{name}"]
    env = stack.build_env(place) | {"ARTIFACTS_DIR": str(target)}
    done = subprocess.run(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise LocalError(f"{name} could not be built:\n{done.stdout.strip()}")


def pack(folder: Path) -> bytes:
    """Return a folder as an archive, equal for equal content."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(str(file.relative_to(folder)), DATE)
            entry.external_attr = file.stat().st_mode << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=1)
    return packed.getvalue()


def _upload(place: Place, content: bytes, salt: str = "") -> str:
    key = hashlib.sha256(content).hexdigest() + salt
    stack.connect(place, "s3").put_object(Bucket=stack.BUCKET, Key=key, Body=content)
    return f"s3://{stack.BUCKET}/{key}"


def _forget(place: Place, archives: Sequence[str], body: str) -> None:
    """Delete the archives that the new template no longer names: each of the layer has 9 MB."""
    for uri in archives:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if key and uri not in body:
            stack.connect(place, "s3").delete_object(Bucket=bucket, Key=key)


def _update_stack(place: Place, body: str) -> None:
    """Hand the template to CloudFormation, and wait until it is deployed, or rolled back."""
    cloudformation = stack.connect(place, "cloudformation")
    key = _upload(place, body.encode()).removeprefix("s3://")
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in stack.parameters(place).items()]
    try:
        cloudformation.update_stack(
            StackName=STACK, TemplateURL=f"{place.endpoint_url}/{key}", Parameters=given, Capabilities=CAPABILITIES
        )
    except ClientError as error:
        if "No updates" in str(error):
            return
        raise LocalError(f"the template is not accepted: {error.response['Error']['Message']}") from error
    until = time.monotonic() + MAX_SECONDS
    while (status := cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]).endswith("IN_PROGRESS"):
        if time.monotonic() > until:
            raise LocalError(f"the stack is still {status} after {MAX_SECONDS} s; see {place.home / 'log/emulator.log'}")
        time.sleep(0.1)
    if status != "UPDATE_COMPLETE":
        raise LocalError(f"the update failed, and the stack is as it was: {_find_reason(cloudformation)}")


def _find_reason(cloudformation: Any) -> str:
    """Return why the last update failed: the newest resource that did."""
    events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
    return f"{failed[0]['LogicalResourceId']}: {failed[0].get('ResourceStatusReason', '?')}" if failed else "no reason is known"
