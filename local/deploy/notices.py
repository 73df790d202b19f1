"""What a deployment says loudly, and the question who is notified."""

from __future__ import annotations

import re
from collections.abc import Callable

from local.deploy.plan import EMAIL, Plan
from local.errors import DeployError

QUESTION = "E-mail address that alarms and alerts go to (empty: none): "
NOBODY = """
*************************************************************************************************
  NOBODY WILL BE NOTIFIED of a double booking, a failing calendar or an alarm of this stack.
  `make deploy PARAMS="AlarmEmail=you@example.com"` names an address; `bokit alert add` adds a
  phone afterwards.
*************************************************************************************************
"""
ADDRESSES_END = """
The addresses of this stack's calendars end with the stack: API Gateway makes up a new host for the next one, and each platform
keeps the old address. Only a custom domain survives. Before you paste the first address into a platform, deploy with
PARAMS="DomainName=… CertificateArn=…" (docs/restore.md).
"""
_ADDRESS = re.compile(r"[^@\s<>,;=\"']+@[^@\s<>,;=\"']+\.[^@\s<>,;=\"']+")
Ask = Callable[[str], str]


def require_address(text: str) -> str:
    """Return an e-mail address; raises DeployError for what is none."""
    if not _ADDRESS.fullmatch(text):
        raise DeployError(f"{text!r} is not an e-mail address: write AlarmEmail=you@example.com")
    return text


def ask_for_address(plan: Plan, ask: Ask | None) -> dict[str, str]:
    """Return the parameter that a person names where nobody is notified yet; nothing without a terminal or an answer."""
    answer = ask(QUESTION).strip() if ask and not plan.notifies else ""
    return {EMAIL: require_address(answer)} if answer else {}


def notices(plan: Plan) -> list[str]:
    """Return what is said of a stack that is there."""
    return [text for text, is_so in ((NOBODY, not plan.notifies), (ADDRESSES_END, not plan.has_own_address)) if is_so]
