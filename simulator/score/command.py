"""``python -m simulator score``: policies side by side on the same seeded worlds, with the truth beside them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulator.model import SimulatorError
from simulator.score.picture import draw
from simulator.score.registry import ENTRIES, find_entry, open_policy
from simulator.score.report import as_document, as_page, as_text
from simulator.score.running import run_score

SEEDS, DAYS = "1-2", 40
MIN_DAYS, MAX_DAYS, MAX_SEEDS = 2, 366, 200
BEGIN, END = "<!-- score: begin -->", "<!-- score: end -->"
PAGE, PICTURE, RESULT = "README.md", "score.svg", "score.json"


def add_score(commands: Any) -> None:
    """Add the command."""
    about = "compare policies: nights opened, false cancellations, phantoms, edits lost, conflicts missed, events per change"
    score = commands.add_parser("score", help=about, description=about[0].upper() + about[1:] + ".")
    names = ", ".join(entry.name for entry in ENTRIES)
    score.add_argument("--seeds", type=_seeds, default=_seeds(SEEDS), metavar="LIST", help=f"such as 1-6 or 3,7; default {SEEDS}")
    score.add_argument("--days", type=_days, default=DAYS, metavar="N", help="of each world; default %(default)s")
    score.add_argument("--policies", metavar="LIST", help=f"{names}, or module:class of your own; default: those that are set up")
    score.add_argument("--json", action="store_true", help="print one JSON document")
    score.add_argument("--write", type=Path, metavar="DIR", help=f"write {PICTURE}, {RESULT} and the tables of {PAGE} there")
    score.set_defaults(run=run_command)


def run_command(options: argparse.Namespace) -> int:
    """Run the score, print it, and write it where asked to."""
    policies = options.policies.split(",") if options.policies else list(_find_ready())
    for name in policies:
        open_policy(find_entry(name)).close()
    scores = run_score(options.seeds, options.days, policies, lambda seed: print(f"seed {seed} done", file=sys.stderr))
    today = datetime.now(UTC).date()  # noqa: TID251 - the page says when it was made
    document = as_document(scores, seeds=options.seeds, days=options.days, date=today.isoformat())
    print(json.dumps(document) if options.json else as_text(document))
    if options.write:
        write_page(document, options.write)
    return 0


def _find_ready() -> Sequence[str]:
    """Return the policies that can be started here; say which cannot."""
    ready = []
    for entry in ENTRIES:
        try:
            open_policy(entry).close()
            ready.append(entry.name)
        except SimulatorError as error:
            print(f"simulator: left out: {error}", file=sys.stderr)
    return ready


def write_page(document: dict[str, Any], folder: Path) -> None:
    """Write the result, the picture, and the tables between the two marks of the page."""
    page = folder / PAGE
    try:
        before, rest = page.read_text(encoding="utf-8").split(BEGIN)
        after = rest.split(END)[1]
    except (OSError, ValueError, IndexError) as error:
        raise SimulatorError(f"{page} needs the lines {BEGIN} and {END}") from error
    page.write_text(f"{before}{BEGIN}\n{as_page(document)}\n{END}{after}", encoding="utf-8")
    (folder / PICTURE).write_text(draw(document), encoding="utf-8")
    (folder / RESULT).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _seeds(text: str) -> tuple[int, ...]:
    """Return the seeds of a list such as ``1-4,9``."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise argparse.ArgumentTypeError(f"not a list of seeds: {text}; write 1-6 or 3,7")
        found += range(int(first), int(last or first) + 1)
    if not 0 < len(set(found)) == len(found) <= MAX_SEEDS:
        raise argparse.ArgumentTypeError(f"at most {MAX_SEEDS} seeds, each once: {text}")
    return tuple(found)


def _days(text: str) -> int:
    if not text.isdecimal() or not MIN_DAYS <= int(text) <= MAX_DAYS:
        raise argparse.ArgumentTypeError(f"days must be {MIN_DAYS} to {MAX_DAYS}; not {text}")
    return int(text)
