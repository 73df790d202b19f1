"""What a sync would read in a source: fetched once, shown, and nothing written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bokit.core.catalog import Head
from bokit.core.entries import Entry
from bokit.core.entry_json import entry_as_dict
from bokit.core.options import Options
from bokit.core.records import Json, RunId
from bokit.core.rules import Problem, Verdict
from bokit.core.runs import Trigger
from bokit.engine.job import Job, context_of
from bokit.engine.sync import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What one fetched body shows."""

    verdict: Verdict
    platform: str | None
    entries: tuple[object, ...]
    problems: tuple[Problem, ...]

    def as_dict(self) -> dict[str, Json]:
        """As `feed inspect` tells a feed."""
        return {
            "platform": self.platform,
            "entries": [entry_as_dict(e) for e in self.entries if isinstance(e, Entry)],
            "problems": [{"code": p.code, "message": p.message, "uid": p.uid} for p in self.problems],
            "verdict": str(self.verdict),
        }


def preview_source(head: Head, kind: Kind, options: Options, at: datetime) -> Preview:
    """Fetch the source of *head* once, whatever was agreed before, and return what its rules read."""
    fetched = kind.fetcher.fetch(head.source)
    job = Job(run_id=RunId("preview"), trigger=Trigger.MANUAL, started_at=at, options=options)
    context = context_of(head, job, at, {}, fetched.host)
    seen = kind.rules.read(fetched.body, context, b"")
    platform = head.source.platform or _tell_platform(fetched.body, fetched.host)
    return Preview(verdict=seen.verdict, platform=platform, entries=seen.entries, problems=seen.problems)


def _tell_platform(body: bytes, host: str | None) -> str:
    from bokit.core.ical_text import decode_body, split_body
    from bokit.core.platforms import find_platform

    calendars = split_body(decode_body(body)).calendars
    prodid = next((c.properties["PRODID"] for c in calendars if "PRODID" in c.properties), None)
    return find_platform(None, prodid, host).name
