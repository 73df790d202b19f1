"""The stages: the names of their stacks, and the values that a stack begins with."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.deploy.parameters import suggest
from local.errors import DeployError

CONFIG = Path(__file__).resolve().parents[2] / "samconfig.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage. *first* are values of its first deployment; later ones keep what the stack has."""

    name: str
    first: Mapping[str, str] = field(default_factory=dict)
    protects_table: bool = True
    """Whether the table's deletion protection is on once the stack is there."""

    @property
    def stack(self) -> str:
        """The usual name of its stack, from samconfig.toml."""
        config = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
        return str(config[self.name]["global"]["parameters"]["stack_name"])


STAGES = {
    stage.name: stage
    for stage in (
        Stage(name="default"),
        Stage(name="staging", first={"LogRetentionDays": "7"}, protects_table=False),
        Stage(name="prod", first={"LogRetentionDays": "90"}),
    )
}


def find_stage(name: str) -> Stage:
    """Return a stage; raises DeployError for a name that is none."""
    if name not in STAGES:
        raise DeployError(f"the stage {name} does not exist: {suggest(name, STAGES)}")
    return STAGES[name]
