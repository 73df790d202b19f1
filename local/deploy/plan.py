"""What is built and what is sent, from the template, the stage, the stack as it is, and what is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from local.deploy.parameters import Template
from local.deploy.stages import Stage

PROTECTION = "DeletionProtection"
EMAIL = "AlarmEmail"
EXISTING_TABLE = "ExistingTable"
_ADDRESSES = ("DomainName", "ApiAddress")
"""The parameters that give the API an address of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A deployment. Values that are not given stay as the stack has them; a new stack takes the stage's and the template's."""

    template: Template
    stage: Stage
    given: Mapping[str, str] = field(default_factory=dict)
    current: Mapping[str, str] | None = None
    """The values that the stack has; None: the stack is new."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """The tags of the stack after this deployment."""

    @property
    def effective(self) -> dict[str, str]:
        """The value of each parameter after this deployment."""
        known = self.template.defaults
        kept = self.stage.first if self.current is None else self.current
        values = known | {name: value for name, value in kept.items() if name in known} | dict(self.given)
        return values | {"Stage": self.stage.name, PROTECTION: "true" if self.protects else "false"}

    @property
    def protects(self) -> bool:
        """Whether the stack's own table is protected in the end: as given, else by the stage, else as the stack has it."""
        kept = self.current or {}
        if self.given.get(EXISTING_TABLE, kept.get(EXISTING_TABLE)):
            return False
        return self.given.get(PROTECTION, "true" if self.stage.protects_table else kept.get(PROTECTION)) == "true"

    @property
    def sent(self) -> dict[str, str]:
        """The parameters to send; CloudFormation keeps the others.

        The runtime and the architecture always: they are what was built. A new stack is never born protected, or it could not be
        rolled back: its table could not be deleted.
        """
        values = self.effective
        always = {name: values[name] for name in ("Stage", "PythonRuntime", "Architecture", PROTECTION)}
        first = self.stage.first if self.current is None else {}
        return {**first, **self.given, **always, **({PROTECTION: "false"} if self.current is None else {})}

    @property
    def runtime(self) -> str:
        """The Lambda runtime that is built for."""
        return self.effective["PythonRuntime"]

    @property
    def architecture(self) -> str:
        """The architecture that is built for."""
        return self.effective["Architecture"]

    @property
    def asked(self) -> int:
        """The concurrent executions that this deployment reserves beyond those that the stack has reserved."""
        held = 0 if self.current is None else self.template.reserved(self.current)
        return self.template.reserved(self.effective) - held

    @property
    def notifies(self) -> bool:
        """Whether somebody hears of alarms and alerts by e-mail."""
        return self.effective.get(EMAIL, "") != ""

    @property
    def has_own_address(self) -> bool:
        """Whether the API's address outlives the stack."""
        return any(self.effective.get(name) for name in _ADDRESSES)
