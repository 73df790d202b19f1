"""The steps of a deployment, in their order: plan, checks, build, deployment, protection of the table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from bokit.config import find_cache_folder
from bokit.stack import forget_stack
from local.deploy import checks
from local.deploy.account import Account, StackState
from local.deploy.checks import Finding
from local.deploy.notices import Ask, ask_for_address, notices
from local.deploy.parameters import Template, require_known
from local.deploy.plan import PROTECTION, Plan
from local.deploy.stages import CONFIG, Stage
from local.errors import DeployError

ROOT = Path(__file__).resolve().parents[2]
CHECK_BUILD = ROOT / "layers/shared/check_build.py"
COMPILED = ("SharedLayer/python", "SyncSqlFunction")
"""What has libraries, below a build's folder: they must be for the stack's machine, and have byte code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for: a stage, parameters, and how."""

    stage: Stage
    stack: str
    given: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)
    region: str | None = None
    built: Path | None = None
    """A build to deploy; None: build."""
    only_checks: bool = False
    ask: Ask | None = None
    """Asks a person; None: without a terminal."""
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


def deploy(request: Request) -> None:
    """Check, and unless only checks are asked for, build and deploy. Raises DeployError."""
    template = Template.read(ROOT / "template.yaml")
    require_known(request.given, template)
    account = Account(request.region)
    plan = _check(request, account, Plan(template=template, stage=request.stage, given=request.given))
    if request.only_checks:
        return
    plan = replace(plan, given=dict(plan.given) | ask_for_address(plan, request.ask))
    with tempfile.TemporaryDirectory(prefix="bokit-deploy-") as folder:
        values = _write_values(Path(folder), plan.sent)
        built = request.built or _build(request, plan, values)
        _require_right_build(built, plan)
        _send(request, plan, account, built, values)
    forget_stack(find_cache_folder(request.env), request.stack)  # it may have another table now
    if plan.current is None and not _protect(request, account, plan):
        return
    sys.stdout.write("".join(notices(plan)))


def _check(request: Request, account: Account, plan: Plan) -> Plan:
    """Print every finding, and return the plan with the stack as it is. Raises DeployError if one is wrong."""
    access = checks.check_access(account)
    _print(access)
    checks.require_right(access)
    state, found = _look_at_stack(request, account)
    plan = replace(plan, tags=dict(request.tags)) if state is None else _continue(plan, request, state)
    candidates = [request.env.get("BOKIT_PYTHON") or sys.executable, plan.runtime]
    findings = [
        found,
        checks.check_rules(plan),
        checks.check_python(plan.runtime, candidates),
        checks.check_environment(plan, request.env),
        checks.check_concurrency(account, plan),
    ]
    _print(findings)
    checks.require_right(findings)
    return plan


def _continue(plan: Plan, request: Request, state: StackState) -> Plan:
    """Return the plan for a stack that is there: it keeps its values, and its tags, which SAM would remove."""
    return replace(plan, current=state.parameters, tags=dict(state.tags) | dict(request.tags))


def _print(findings: list[Finding]) -> None:
    sys.stdout.write("".join(f"{finding}\n" for finding in findings))
    sys.stdout.flush()


def _look_at_stack(request: Request, account: Account) -> tuple[StackState | None, Finding]:
    try:
        state = account.load_stack(request.stack)
    except (BotoCoreError, ClientError) as error:
        fix = "allow these credentials cloudformation:DescribeStacks"
        return None, Finding(name="stack", text=f"{request.stack} could not be looked at ({error}): {fix}", is_wrong=True)
    return state, checks.check_stack(request.stack, state, str(account.region))


def _write_values(folder: Path, sent: Mapping[str, str]) -> str:
    """Write the parameters to a file that SAM reads, so that nothing in a value is taken for syntax."""
    file = folder / "parameters.yaml"
    file.write_text(json.dumps(dict(sent)), encoding="utf-8")
    return f"file://{file}"


def _build(request: Request, plan: Plan, values: str) -> Path:
    folder = ROOT / ".aws-sam/build"
    python = request.env.get("BOKIT_PYTHON") or sys.executable
    env = {"BOKIT_RUNTIME": plan.runtime, "BOKIT_ARCHITECTURE": plan.architecture, "BOKIT_PYTHON": python}
    _sam(request, "build", "--build-dir", str(folder), "--parameter-overrides", values, **env)
    return folder


def _require_right_build(built: Path, plan: Plan) -> None:
    """Raise DeployError if the build is for another runtime or architecture than the stack, or has no byte code."""
    for part in COMPILED:
        command = [sys.executable, str(CHECK_BUILD), str(built / part), plan.runtime, plan.architecture, "--byte-code"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DeployError(f"{built / part} is not what the stack needs: {done.stderr.strip().removeprefix('bokit: ')}")


def _send(request: Request, plan: Plan, account: Account, built: Path, values: str) -> None:
    asks = "--confirm-changeset" if request.ask else "--no-confirm-changeset"
    template = ("--template-file", str(built / "template.yaml"))
    target = ("--stack-name", request.stack, "--region", str(account.region))
    try:
        _sam(request, "deploy", *template, *target, asks, *_as_tags(plan.tags), "--parameter-overrides", values)
    except DeployError as error:
        raise DeployError(_explain(request, account, str(error))) from None


def _as_tags(tags: Mapping[str, str]) -> list[str]:
    """Return SAM's arguments, which quote keys and values."""
    return ["--tags", *(f'"{key}"="{value}"' for key, value in tags.items())] if tags else []


def _explain(request: Request, account: Account, failure: str) -> str:
    """Return what a failed deployment left, and what to do."""
    state, found = _look_at_stack(request, account)
    if state and state.status == "UPDATE_ROLLBACK_COMPLETE":
        return f"{failure}; the stack is as it was, with its data and its addresses"
    return found.text if found.is_wrong else failure


def _sam(request: Request, command: str, *arguments: str, **env: str) -> None:
    variables = {"SAM_CLI_TELEMETRY": "0"} | dict(request.env) | env
    sam = [
        str(ROOT / ".bokit/sam/bin/sam"),
        command,
        "--config-file",
        str(CONFIG),
        "--config-env",
        request.stage.name,
        *arguments,
    ]
    sys.stdout.flush()
    if subprocess.run(sam, cwd=ROOT, env=variables, check=False).returncode:
        raise DeployError(f"`sam {command}` failed; its last lines above say why")


def _protect(request: Request, account: Account, plan: Plan) -> bool:
    """Switch the new table's deletion protection on: a stack that is born with it cannot be rolled back.

    Returns False without a stack: a person did not confirm it.
    """
    state = account.load_stack(request.stack)
    if state and plan.protects:
        sys.stdout.write("Switching the table's deletion protection on\n")
        sys.stdout.flush()
        account.update_parameter(request.stack, state, PROTECTION, "true")
    return state is not None
