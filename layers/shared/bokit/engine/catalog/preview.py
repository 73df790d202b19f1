"""A preview of a source: fetched once and shown; nothing is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from bokit.core.model.options import Options
from bokit.core.model.records import Fields, Json, RunId
from bokit.core.model.runs import Trigger
from bokit.core.model.scheduling import Head
from bokit.core.model.source_rules import Problem, Verdict
from bokit.engine.sync.job import SyncJob, context_of
from bokit.engine.sync.kinds import SourceKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What one fetched body shows."""

    verdict: Verdict
    problems: tuple[Problem, ...]
    shown: Fields = field(default_factory=dict)
    """What the rules show of it: its platform, its entries."""

    def as_dict(self) -> dict[str, Json]:
        """Return it as `feed inspect` shows a feed."""
        return {**self.shown, "problems": [p.as_dict() for p in self.problems], "verdict": str(self.verdict)}


def preview_source(head: Head, kind: SourceKind, options: Options, at: datetime) -> Preview:
    """Fetch the source of *head* once, without its validators, and return what its rules read."""
    fetched = kind.fetcher.fetch(head.source)
    job = SyncJob(run_id=RunId("preview"), trigger=Trigger.MANUAL, started_at=at, options=options)
    context = context_of(head, job, at, {}, fetched.host)
    seen = kind.rules.read(fetched.body, context, b"")
    return Preview(verdict=seen.verdict, problems=seen.problems, shown=kind.rules.inspect(fetched.body, seen, context))
