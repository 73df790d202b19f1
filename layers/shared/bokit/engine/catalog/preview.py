"""A preview of a source: fetched once and shown; nothing is written."""

from __future__ import annotations

from datetime import datetime

from bokit.core.model.catalog import Source
from bokit.core.model.options import Options
from bokit.core.model.records import Fields, Json, RunId
from bokit.core.model.runs import Trigger
from bokit.core.model.scheduling import Head
from bokit.core.model.source_rules import Problem, Verdict
from bokit.engine.sync.elsewhere import load_elsewhere, load_other_sources
from bokit.engine.sync.job import SyncJob, context_of
from bokit.engine.sync.kinds import SourceKind
from bokit.store.protocols import Store
from bokit.values import Value, field, replace


class Preview(Value):
    """What one fetched body shows."""

    verdict: Verdict
    problems: tuple[Problem, ...]
    shown: Fields = field(default_factory=dict)
    """What the rules show of it: its platform, its entries."""
    objection: str | None = None  # why it is not a source of this unit

    def as_dict(self) -> dict[str, Json]:
        """Return it as `feed inspect` shows a feed."""
        return {**self.shown, "problems": [p.as_dict() for p in self.problems], "verdict": str(self.verdict)}


def preview_source(
    store: Store, head: Head, kind: SourceKind, options: Options, at: datetime, *, seconds: float | None = None
) -> Preview:
    """Fetch the source of *head* once, without its validators, and return what its rules read.

    *seconds*: how long it may take; None: the fetch's own deadline alone holds.
    """
    source, rules = head.source, kind.rules
    fetched = kind.fetcher.fetch(head.source, seconds=seconds)
    job = SyncJob(run_id=RunId("preview"), trigger=Trigger.MANUAL, started_at=at, options=options)
    context = context_of(head, job, at, {}, fetched)
    seen = rules.read(fetched.body, context, b"")
    context = replace(context, elsewhere=load_elsewhere(store, source, rules, seen.platform) if seen.entries else {})
    objection = rules.object_to(seen, context)
    if objection and _has_same_address(store, source, fetched.fingerprint):
        objection += " Both addresses lead to the same calendar."
    shown = rules.inspect(fetched.body, seen, context)
    return Preview(verdict=seen.verdict, problems=seen.problems, shown=shown, objection=objection)


def _has_same_address(store: Store, source: Source, fingerprint: str | None) -> bool:
    """Return whether another source's last accepted content came from the address that answered in the end."""
    others = load_other_sources(store, source)
    return fingerprint is not None and any(store.load_snapshot(s).memory.get("fingerprint") == fingerprint for s in others)
