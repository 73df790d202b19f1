"""The page of limits: every constant that bounds what people, files, feeds, databases and requests give.

``python -m tests.support.limits_page > docs/limits.md`` writes it from the constants and what is written beside them.
"""

from __future__ import annotations

import ast
import importlib
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bokit.core.model.quotas import QUOTAS, QuotaOwner, parameter_of

PACKAGE = Path(__file__).resolve().parents[2] / "layers" / "shared" / "bokit"
SECTIONS = {
    "core.model.limits": "Options, durations and collections",
    "engine.catalog.limits": "Tenants, places, sources and tokens",
    "http.limits": "Requests",
    "engine.runs.limits": "Runs, monitors and batches",
    "engine.sync.limits": "One source's sync",
    "core.alerts.limits": "Alerts",
    "engine.live.limits": "The event log and alert channels",
    "core.ical.limits": "Feeds",
    "engine.bookings.limits": "Notices of conflicts, door codes, and guests",
    "core.items.limits": "Records, and items of APIs",
    "engine.records.limits": "Lists, edits and deletions of records",
    "core.tables.limits": "Tables of databases",
    "engine.tables.limits": "Syncs of tables",
    "net.limits": "Outgoing requests",
    "sources.limits": "Fetches",
    "store.limits": "The table",
}
"""The modules, in the order of the page. The thresholds of ``core.bookings`` and ``core.occupancy`` are rules, not bounds."""
HEAD = """# Limits

Every number, duration, text and list that a person, a file, a feed, an API or a database may give has an upper bound. Over it, a
person or a file gets an error that names the field and the bound; of a feed or a database, what is over it becomes a problem of
that source. `python -m tests.support.limits_page` prints this page from the constants; a test compares the two.
"""
QUOTAS_HEAD = """## Quotas

How much each tenant, and all tenants together, may have; each is a parameter of the stack. Over it, an API or a command answers
with the limit, what is used and the parameter. A sync does not wait with nights: newly closed ones are held and published at
once, and the rest comes when more is allowed. `LeastInterval` (60 s) is the shortest interval that a source may have.
`bokit quotas` and `GET /sync/status` show what is used.
"""
_NAME = re.compile(r"(MAX|MIN)_[A-Z_]+|[A-Z_]+_(TTL|WAIT)")


@dataclass(frozen=True)
class Limit:
    """A constant, its value, and what is written beside it."""

    name: str
    value: object
    words: str


def limits_of(module: str) -> list[Limit]:
    """Return the limits of a module, in its order."""
    path = PACKAGE.joinpath(*module.split(".")).with_suffix(".py")
    text = path.read_text(encoding="utf-8")
    lines, values, found = text.splitlines(), importlib.import_module(f"bokit.{module}"), []
    body = ast.parse(text).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        for name, words in _names(node, after, lines):
            found.append(Limit(name, getattr(values, name), words))
    return found


def _names(node: ast.stmt, after: ast.stmt | None, lines: list[str]) -> list[tuple[str, str]]:
    """Return the names that a statement assigns, and their words: a comment on its line, or the text after it."""
    if not isinstance(node, ast.Assign):
        return []
    names = [n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name) and _NAME.fullmatch(n.id)]
    comment = lines[node.lineno - 1].partition("  # ")[2]
    is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str)
    words = " ".join(str(after.value.value).split()) if is_text else comment  # type: ignore[union-attr]
    return [(name, words) for name in names]


def write_value(value: object) -> str:
    """Return a value as the page shows it."""
    if isinstance(value, timedelta):
        seconds = int(value.total_seconds())
        for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
            if seconds % size == 0:
                return f"{seconds // size:,} {unit}{'' if seconds == size else 's'}"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def quota_rows() -> list[str]:
    """Return a row for each quota: its parameter of the stack, its default, and what is counted."""
    places = [(owner, quota) for owner in QuotaOwner for quota in QUOTAS.values()]
    defaults = [(parameter_of(owner, quota.counted), quota.default_of(owner), quota.about) for owner, quota in places]
    return [f"| `{name}` | {default:,} | {about} |" for name, default, about in defaults if default is not None]


def page() -> str:
    """Return the page."""
    parts = [HEAD, "\n".join([QUOTAS_HEAD, "| parameter | default | of what |", "| --- | --- | --- |", *quota_rows(), ""])]
    for module, title in SECTIONS.items():
        rows = [f"| `{limit.name}` | {write_value(limit.value)} | {limit.words} |" for limit in limits_of(module)]
        parts.append(
            "\n".join([f"## {title}", "", f"In `{module}`.", "", "| limit | value | of what |", "| --- | --- | --- |", *rows, ""])
        )
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")
