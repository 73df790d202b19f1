"""The reliability of the product in one table: what was tried, how often, and what was lost, doubled, opened or late.

``make reliability`` runs all of it: ``python -m tests.support.reliability [--json] [--count N] [LINE …]``. Tests run a sample of
each line by the same code. A line that needs a program which is not installed says so.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import Any
from xml.etree import ElementTree

from bokit.store.dynamo.store import DynamoStore
from tests.support import clock_jumps, two_releases
from tests.support import former_table as former
from tests.support.bad_bodies import BAD_BODIES, PLATFORMS, cut_everywhere, meet_apart, play_bad_body
from tests.support.crash_by_hand import ACTS, crash_anywhere
from tests.support.damage import COUNTS, Damage
from tests.support.doubled_writes import double_writes
from tests.support.emulator import MINISTACK, REPOSITORY, credentials_of_nobody, make_dynamo_store, run_emulator
from tests.support.faulty_calls import DELAYED, LOST, REFUSED, SOON, FaultyLife, live_all
from tests.support.faulty_months import FaultyMonths
from tests.support.guarded import follow_all, request_all
from tests.support.hostile_feeds import FEEDS
from tests.support.hostile_urls import make_hostile_forms
from tests.support.ports import free_port
from tests.support.shuffled_messages import SEEDS, compare_orders
from tests.support.side_by_side import Crowd, judge_truth, play_rounds
from tests.support.store_writes import WRITES

LISTINGS = 200


class NotRunError(Exception):
    """What a line needs is not there."""


@dataclass
class Bench:
    """What the lines share: how many listings to play, the emulator, and a life with faulty calls."""

    stack: ExitStack
    listings: int = LISTINGS
    notes: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def emulator(self) -> str:
        """The address of an emulator of our own."""
        if not MINISTACK.exists():
            raise NotRunError("the emulator is not installed; `make up` installs it")
        self.stack.enter_context(credentials_of_nobody())
        home = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        return self.stack.enter_context(run_emulator(home))

    @cached_property
    def life(self) -> FaultyLife:
        """A life in which workers may die."""
        return FaultyLife(self.make_table())

    @cached_property
    def quick_life(self) -> FaultyLife:
        """A life in which nothing may be late."""
        return FaultyLife(self.make_table(), SOON)

    def make_table(self) -> DynamoStore:
        """Return a store on a table of its own."""
        return make_dynamo_store(self.emulator)


Line = Callable[[Bench], Damage]


def total(trials: Iterator[Damage]) -> Damage:
    """Return all damage."""
    return sum(trials, Damage())


def lose_answers(bench: Bench) -> Damage:
    return live_all(bench.quick_life, bench.quick_life.faults(LOST))


def send_writes_twice(bench: Bench) -> Damage:
    store = bench.make_table()
    return total(double_writes(store, write) for write in WRITES.values())


def delay_calls(minutes: int) -> Line:
    return lambda bench: live_all(bench.life, bench.life.faults(DELAYED, minutes))


def work_side_by_side(size: int) -> Line:
    def play(bench: Bench) -> Damage:
        crowd = Crowd(bench.emulator, size)
        return Damage(tried=play_rounds(crowd)) + judge_truth(crowd.app)

    return play


def jump(hours: int) -> Line:
    return lambda bench: clock_jumps.live_all(hours=(timedelta(hours=hours),))


def play_listings(bench: Bench) -> Damage:
    """Two months each of simulated listings whose feeds go wrong."""

    def play(seed: int) -> Damage:
        months = FaultyMonths(seed)
        found = months.play()
        late, opened = found["refused"] + found["stuck"], found["opened"]
        damage = Damage(tried=1, lost=found["cancelled"], doubled=found["ghosts"], open_nights=opened, late=late)
        return damage.at(f"seed {seed}: {'; '.join(months.traces[:8])}")

    return total(play(seed) for seed in range(bench.listings))


def run_two_releases(bench: Bench) -> Damage:
    """Upgrade from the former release to today's code, with workers of both at once in between, in three worlds."""
    if not two_releases.has_former_release():
        raise NotRunError(f"this clone has no {two_releases.FORMER}; fetch the whole history")
    folder = Path(bench.stack.enter_context(tempfile.TemporaryDirectory()))
    return total(two_releases.play(bench.make_table(), bench.emulator, folder, seed) for seed in range(3))


def read_former_items(bench: Bench) -> Damage:
    """Read every field that the former release stored."""
    store = bench.make_table()
    former.put_items(store)
    values, loads = former.read_values(), former.LOADS
    differences = [line for name, load in loads.items() for line in former.find_differences(values[name], load(store), name)]
    fields = sum(1 for name, load in loads.items() for _ in former.find_silent_fields(values[name], load(store)))
    return Damage(tried=fields, lost=len(differences), traces=tuple(differences))


def look_for_secrets(bench: Bench) -> Damage:
    """Run the test that looks for the secrets of failing sources in all outlets; each failure of a source is a trial."""
    report = Path(bench.stack.enter_context(tempfile.TemporaryDirectory())) / "report.xml"
    asked = [sys.executable, "-m", "pytest", "-q", "-p", "no:schemathesis", "-p", "no:cacheprovider", f"--junitxml={report}"]
    subprocess.run([*asked, "tests/contract/test_sentinels.py"], cwd=REPOSITORY, capture_output=True)
    suite = ElementTree.parse(report).getroot()  # noqa: S314 - our own report
    tried = sum(int(p.get("value", 0)) for p in suite.iter("property") if p.get("name") == "failures")
    failed = [case.get("name", "") for case in suite.iter("testcase") if case.find("failure") is not None]
    return Damage(tried=tried, lost=len(failed), traces=tuple(failed))


LINES: dict[str, Line] = {
    "a worker dies before or after each of its calls": lambda bench: live_all(bench.life, bench.life.deaths()),
    "a person's request dies at each of its calls": lambda bench: total(crash_anywhere(name) for name in ACTS),
    "messages one to five times, shuffled, late": lambda bench: total(compare_orders(seed)[0] for seed in range(SEEDS)),
    "2 workers side by side": work_side_by_side(2),
    "8 workers side by side": work_side_by_side(8),
    "32 workers side by side": work_side_by_side(32),
    "the table refuses each call": lambda bench: live_all(bench.life, bench.life.faults(REFUSED)),
    "the table answers each call after 6 minutes": delay_calls(6),
    "the table answers each call after 16 minutes": delay_calls(16),
    "the answer of the table is lost at each call": lose_answers,
    "each write of the store is sent twice": send_writes_twice,
    "the clock jumps an hour ahead at each reading": jump(1),
    "the clock jumps an hour back at each reading": jump(-1),
    "two releases at once, and an upgrade": run_two_releases,
    "fields that the former release stored": read_former_items,
    "three feeds cut after each byte": lambda bench: total(map(cut_everywhere, PLATFORMS)),
    "bad bodies for six hours": lambda bench: total(play_bad_body(name, p) for name in BAD_BODIES for p in PLATFORMS),
    "hostile feeds at first, second and held sync": lambda bench: total(map(meet_apart, FEEDS)),
    "two months of a listing with faults": play_listings,
    "secrets of failing sources in every outlet": look_for_secrets,
    "hostile URLs requested": lambda bench: request_all(make_hostile_forms(free_port())),
    "hostile URLs in redirects": lambda bench: follow_all(make_hostile_forms(free_port())),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One line of the table."""

    name: str
    damage: Damage = field(default_factory=Damage)
    seconds: float = 0.0
    not_run: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it ran, and nothing was lost, doubled, opened or late."""
        return not self.not_run and self.damage.tried > 0 and not self.damage.is_damage

    def as_dict(self) -> dict[str, Any]:
        """Return it for the JSON document."""
        counts = {name: getattr(self.damage, name) for name in COUNTS}
        return {"line": self.name, **counts, "seconds": round(self.seconds), "not_run": self.not_run or None}


def run_line(name: str, bench: Bench) -> Result:
    """Run one line; what it raises is its failure, and stops no other."""
    begun = monotonic()
    try:
        damage = LINES[name](bench)
    except NotRunError as error:
        return Result(name=name, not_run=str(error))
    except Exception as error:
        return Result(name=name, not_run=f"failed: {type(error).__name__}: {error}"[:300])
    return Result(name=name, damage=damage, seconds=monotonic() - begun)


def write_table(results: Sequence[Result]) -> str:
    """Return the table as text."""
    head = f"{'tried':<48}{'times':>8}{'lost':>7}{'doubled':>9}{'open nights':>13}{'late':>6}{'seconds':>9}"
    return "\n".join([head, *map(_write_row, results)])


def _write_row(result: Result) -> str:
    if result.not_run:
        return f"{result.name:<48}  not run: {result.not_run}"
    d = result.damage
    counts = f"{d.tried:>8,}{d.lost:>7}{d.doubled:>9}{d.open_nights:>13}{d.late:>6}"
    return f"{result.name:<48}{counts}{result.seconds:>9,.0f}"


@contextmanager
def silence() -> Iterator[None]:
    """No line of the log: thousands of failures are what is wanted here."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def main(arguments: Sequence[str]) -> int:
    """Run the lines, print the table or the JSON document, and return 1 where anything was lost, doubled, opened or late."""
    parser = argparse.ArgumentParser(prog="make reliability", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--count", type=int, default=LISTINGS, help="simulated listings (200)")
    parser.add_argument("lines", nargs="*", metavar="LINE", help="only lines that contain this")
    asked = parser.parse_args(arguments)
    names = [name for name in LINES if not asked.lines or any(word in name for word in asked.lines)]
    results = []
    with ExitStack() as stack, silence():
        bench = Bench(stack, asked.count)
        for name in names:
            results.append(run_line(name, bench))
            print(_write_row(results[-1]), *results[-1].damage.traces[:8], sep="\n    ", file=sys.stderr, flush=True)
    lines = [result.as_dict() for result in results]
    print(json.dumps({"lines": lines}, indent=2) if asked.json else write_table(results))
    return int(not all(result.is_good for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
