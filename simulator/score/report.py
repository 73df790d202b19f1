"""Write the score: one document, one table for people, and the tables of a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from simulator.score.counting import COLUMNS, NO_FAULT, SINS, Score
from simulator.score.registry import find_entry

TITLES = {
    "nights_opened": "nights opened",
    "false_cancellations": "false cancellations",
    "phantoms": "phantoms",
    "edits_lost": "edits lost",
    "conflicts_missed": "conflicts missed",
    "kept_closed": "kept closed",
    "events_per_change": "events per change",
}
"""The columns, in their order."""
Document = dict[str, Any]


def as_document(scores: Mapping[str, Score], *, seeds: Sequence[int], days: int, date: str) -> Document:
    """Return the whole result as JSON types."""
    first = next(iter(scores.values()))
    return {
        "date": date,
        "seeds": list(seeds),
        "days": days,
        "fetches": first.fetches,
        "changes": first.changes,
        "conflicts": first.conflicts,
        "policies": {name: _describe(name, one) for name, one in scores.items()},
    }


def _describe(name: str, one: Score) -> Document:
    places = sorted({(p.platform, p.fault) for p in one.counts})
    sums = {column: one.total(column) for column in COLUMNS}
    platforms = {platform: _sins(one, platform=platform) for platform in dict.fromkeys(p for p, _ in places)}
    faults = {fault: _sins(one, fault=fault) for fault in sorted({f for _, f in places})}
    return {
        "title": find_entry(name).title,
        **sums,
        "events_per_change": round(one.events_per_change, 2),
        "notes": one.notes,
        "platforms": platforms,
        "faults": faults,
    }


def _sins(one: Score, *, platform: str | None = None, fault: str | None = None) -> dict[str, int]:
    return {column: one.total(column, platform=platform, fault=fault) for column in SINS}


def as_text(document: Document) -> str:
    """Return the table for a terminal."""
    rows = [["", *TITLES.values()], *([_title(p), *_cells(p)] for p in document["policies"].values())]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join([summary(document), "", *(_line(row, widths) for row in rows)])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if n == 0 else cell.rjust(width) for n, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([first, *others])


def summary(document: Mapping[str, Any]) -> str:
    """Return what was run, in one sentence."""
    seeds = ", ".join(map(str, document["seeds"]))
    size = f"{document['fetches']:,} fetches, {document['changes']} real changes, {document['conflicts']} double bookings"
    return f"Seeds {seeds}, {document['days']} days each: {size}."


def _title(policy: Document) -> str:
    return str(policy["title"])


def _cells(policy: Document) -> list[str]:
    return [f"{policy[column]:,}" for column in TITLES]


def as_page(document: Document) -> str:
    """Return the tables of a page, in Markdown: the whole, and false cancellations by fault."""
    policies = list(document["policies"].values())
    whole = _table(["policy", *TITLES.values()], ([_title(p), *_cells(p)] for p in policies))
    faults = [*sorted({fault for p in policies for fault in p["faults"]} - {NO_FAULT}), NO_FAULT]
    by_fault = _table(["fault", *map(_title, policies)], ([f, *(_of_fault(p, f) for p in policies)] for f in faults))
    note = "Nights opened and false cancellations together, by the fault that they came with, or within 30 hours after:"
    return "\n\n".join([f"{summary(document)} Run on {document['date']}.", whole, note, by_fault])


def _of_fault(policy: Document, fault: str) -> str:
    sins = policy["faults"].get(fault, {})
    return f"{sins.get('nights_opened', 0) + sins.get('false_cancellations', 0):,}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    align = "| --- |" + " ---: |" * (len(head) - 1)
    return "\n".join(["| " + " | ".join(head) + " |", align, *("| " + " | ".join(row) + " |" for row in rows)])
