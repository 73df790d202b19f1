"""The queries of CloudWatch Logs Insights that the dashboard has and docs/operations.md shows."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.support.transformed import ROOT, resources

_BLOCK = re.compile(r"^```sql\n(.+?)^```$", re.MULTILINE | re.DOTALL)
_COMMANDS = ("fields", "filter", "stats", "sort", "limit")


@dataclass(frozen=True, slots=True)
class LogQuery:
    """One query, and the resources whose log groups it reads: none where the reader chooses them."""

    text: str
    groups: tuple[str, ...] = ()

    @property
    def steps(self) -> list[str]:
        """The commands, without the sources."""
        return [step for part in self.text.split(" | ") if (step := part.strip()) and not step.startswith("SOURCE ")]

    @property
    def facts(self) -> set[str]:
        """The facts that it reads."""
        return set(re.findall(r"\bfacts\.(\w+)", self.text))

    @property
    def message(self) -> re.Pattern[str] | None:
        """What the message of its lines must match; None: it reads all lines."""
        if match := re.search(r"message = '([^']+)'", self.text):
            return re.compile(re.escape(match[1]) + "$")
        match = re.search(r"message like /([^/]+)/", self.text)
        return re.compile(match[1]) if match else None


def dashboard() -> dict[str, Any]:
    """Return the dashboard's body, with the names of resources in place of their values."""
    (found,) = resources("AWS::CloudWatch::Dashboard").values()
    body: dict[str, Any] = json.loads(found["DashboardBody"]["Fn::Sub"][0])
    return body


def queries_of_dashboard() -> list[LogQuery]:
    """Return the queries of its widgets."""
    texts = [widget["properties"]["query"] for widget in dashboard()["widgets"] if widget["type"] == "log"]
    return [LogQuery(text, tuple(re.findall(r"SOURCE '\$\{(\w+)\}'", text))) for text in texts]


def queries_of_docs() -> list[LogQuery]:
    """Return the queries of docs/operations.md, one a block."""
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    return [LogQuery(" ".join(block.split())) for block in _BLOCK.findall(text)]


def is_well_formed(query: LogQuery) -> bool:
    """Return whether every step begins with a command of Logs Insights that the queries use."""
    return bool(query.steps) and all(step.split()[0] in _COMMANDS for step in query.steps)
