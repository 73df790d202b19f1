"""What is looked at before anything is built: each finding is one line, and what is wrong has its fix.

Only reads. What an account does not let us read is said, and does not stop the deployment.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from local.deploy.account import Account, Concurrency, StackState
from local.deploy.plan import Plan
from local.deploy.rules import broken_rules
from local.errors import DeployError

USUAL_UNRESERVED = 100
"""Concurrent executions that AWS keeps unreserved, in an account that has as many."""
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_VERSION = "import sys; print('python%d.%d' % sys.version_info[:2])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found; *is_wrong*: nothing may be deployed."""

    name: str
    text: str
    is_wrong: bool = False

    def __str__(self) -> str:
        """One line for a terminal."""
        return f"{'WRONG' if self.is_wrong else 'ok':<6}{self.name:<13}{self.text}"


def _wrong(name: str, text: str) -> Finding:
    return Finding(name=name, text=text, is_wrong=True)


def check_access(account: Account) -> list[Finding]:
    """Return whether there are a region and credentials that AWS accepts."""
    if not account.region:
        return [_wrong("region", "no region is set: `export AWS_REGION=eu-central-1`, or the one that you want")]
    region = Finding(name="region", text=account.region)
    try:
        return [region, Finding(name="credentials", text=account.identify())]
    except (BotoCoreError, ClientError) as error:
        fix = "set AWS_PROFILE, or sign in again with `aws sso login` or `aws configure`"
        return [region, _wrong("credentials", f"AWS does not accept the credentials ({error}): {fix}")]


def check_python(runtime: str, candidates: Sequence[str]) -> Finding:
    """Return whether one of the interpreters has the runtime's own version: nothing else makes its byte code."""
    found = [candidate for candidate in candidates if _version_of(candidate) == runtime]
    if found:
        return Finding(name="python", text=f"{runtime}: {found[0]}")
    own = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return _wrong(
        "python",
        f"the functions run on {runtime}, and no {runtime} is here to make byte code: install it, or name it with"
        f' BOKIT_PYTHON=/path/to/{runtime}, or let them run on this one: PARAMS="PythonRuntime={own}"',
    )


def _version_of(interpreter: str) -> str:
    try:
        done = subprocess.run([interpreter, "-c", _VERSION], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def check_environment(plan: Plan, env: Mapping[str, str]) -> Finding:
    """Return whether the environment asks for a build other than the template's."""
    wanted = {"BOKIT_RUNTIME": plan.runtime, "BOKIT_ARCHITECTURE": plan.architecture}
    names = {"BOKIT_RUNTIME": "PythonRuntime", "BOKIT_ARCHITECTURE": "Architecture"}
    for variable, value in wanted.items():
        if env.get(variable, value) != value:
            fix = f'`unset {variable}`, or deploy with PARAMS="{names[variable]}={env[variable]}"'
            return _wrong("architecture", f"{variable} is {env[variable]}, and the stack's functions run on {value}: {fix}")
    return Finding(name="architecture", text=plan.architecture)


def check_stack(name: str, state: StackState | None, region: str) -> Finding:
    """Return whether the stack can be created or updated."""
    if state is None:
        return Finding(name="stack", text=f"{name} will be created")
    fix = _fix_of(name, state.status, region)
    return _wrong("stack", f"{name} is {state.status}: {fix}") if fix else Finding(name="stack", text=f"{name} is {state.status}")


def _fix_of(name: str, status: str, region: str) -> str | None:
    """Return what makes a stack of this status one that can be updated; None: it can be."""
    target = f"--stack-name {name} --region {region}"
    if status == "ROLLBACK_COMPLETE":
        fix = f"`.bokit/sam/bin/sam delete {target} --no-prompts`, then deploy again"
        return f"its first deployment failed, and nothing of it is left; delete the empty stack with {fix}"
    if status in ("ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"):
        events = f"`aws cloudformation describe-stack-events {target}`"
        return f"{events} says which resource could not be deleted; switch off its protection or keep it, and delete the stack"
    if status == "UPDATE_ROLLBACK_FAILED":
        return f"`aws cloudformation continue-update-rollback {target}`, then deploy again"
    if status == "UPDATE_FAILED":
        return f"`aws cloudformation rollback-stack {target}`, then deploy again"
    if status.endswith("_IN_PROGRESS"):
        return "another deployment is at work; wait for its end, then deploy again"
    return None


def check_rules(plan: Plan) -> Finding:
    """Return whether the values go together, as CloudFormation asks once all is built."""
    broken = list(broken_rules(plan.template.document.get("Rules", {}), plan.effective))
    return _wrong("parameters", " ".join(broken)) if broken else Finding(name="parameters", text=f"{len(plan.given)} given")


def check_concurrency(account: Account, plan: Plan) -> Finding:
    """Return whether the account has the concurrent executions that the functions reserve."""
    try:
        return judge_concurrency(account.load_concurrency(), plan.asked)
    except (BotoCoreError, ClientError) as error:
        if getattr(error, "response", {}).get("Error", {}).get("Code") not in _DENIED:
            return _wrong("concurrency", f"AWS does not say what this account may run ({error}): deploy again")
        return Finding(name="concurrency", text="not read: lambda:GetAccountSettings is not allowed")


def judge_concurrency(has: Concurrency, asked: int) -> Finding:
    """Return whether so many more concurrent executions can be reserved; a new account has 10, and none of them."""
    free = max(0, has.unreserved - min(USUAL_UNRESERVED, has.limit))
    if asked > free:
        fix = "reserve less (0: nothing), or ask for more in Service Quotas, Lambda, Concurrent executions"
        text = f"the functions reserve {asked} more, and of this account's {has.limit} only {free} can be reserved: {fix}"
        return _wrong("concurrency", text)
    return Finding(name="concurrency", text=f"{has.limit} in this account, {free} free to reserve, {max(0, asked)} asked for")


def require_right(findings: Sequence[Finding]) -> None:
    """Raise DeployError if one of them is wrong."""
    wrong = [finding.name for finding in findings if finding.is_wrong]
    if wrong:
        raise DeployError(f"nothing was built or deployed; see above: {', '.join(wrong)}")
