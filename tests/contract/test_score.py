"""The score of policies: it finds each sin and nothing else, and Bokit has none in a sample."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pytest

from bench.compare.bokit_policy import BokitPolicy
from bench.compare.vdirsyncer_policy import PYTHON, VdirsyncerPolicy
from simulator.cli import run
from simulator.score.command import BEGIN, END, write_page
from simulator.score.counting import COLUMNS, SINS, score
from simulator.score.model import HeldStay
from simulator.score.picture import draw
from simulator.score.policies import DiffByUid, IgnoringEmpty, OverlapMatcher, Rows, TwoEmpties
from simulator.score.registry import ENTRIES
from simulator.score.report import as_page, as_text
from simulator.score.worlds import FAULTS, Recorder, plan_faults, record_tape
from simulator.world import World

ROOT = Path(__file__).resolve().parents[2]
DAY = timedelta(days=1)
PLAIN = (DiffByUid, IgnoringEmpty, TwoEmpties, OverlapMatcher)
SEED, DAYS = 2, 4
ONE, OTHER = "airbnb/r", "beds24/r"


@cache
def tape():
    """Nine days of one unit on two channels: a double booking, a move, a cancellation, its nights booked again; no faults."""
    world = World(seed=SEED)
    for name in (ONE, OTHER):
        world.add_feed(name)
    today = world.now.date()
    book = {name: lambda start, end, name=name: world.book(name, today + DAY * start, today + DAY * end) for name in (ONE, OTHER)}
    gone, moved = book[ONE](20, 24), book[ONE](40, 44)
    for start in (11, 30, 50, 60):
        book[ONE](start, start + 3)
        book[OTHER](start + 4, start + 6)
    book[OTHER](31, 32)
    recorder = Recorder(world, notes=0.1)
    changes = {50: lambda: world.move(moved, today + DAY * 41), 80: lambda: world.cancel(gone), 84: lambda: book[ONE](21, 23)}
    for hour in range(24 * 9):
        changes.get(hour, lambda: None)()
        recorder.fetch()
        world.advance(hours=1)
    return recorder.tape()


@cache
def faulty_tape():
    return record_tape(SEED, DAYS)


class Knowing(Rows):
    """Sees the truth at every good fetch: nobody can do better."""

    def __init__(self, played):
        super().__init__()
        self.steps = {(step.fetch.channel.name, step.fetch.at): step for step in played.steps}

    def read(self, fetch):
        step = self.steps[fetch.channel.name, fetch.at]
        if step.is_good:
            known = self.stays(fetch.channel)
            self.rows[fetch.channel.name] = {s.id: self.hold(s, known.get(s.id), step) for s in step.stays}

    def hold(self, stay, known, step):
        return HeldStay(check_in=stay.check_in, check_out=stay.check_out, note=known.note if known else "")


class Clipping(Knowing):
    """Holds a stay without its last night."""

    def hold(self, stay, known, step):
        return replace(super().hold(stay, known, step), check_out=max(stay.check_out - DAY, stay.check_in))


class Dropping(Knowing):
    """Drops every stay for an hour a day, and closes its nights all the same."""

    def read(self, fetch):
        super().read(fetch)
        if fetch.at.hour == 12:
            self.rows[fetch.channel.name] = {}

    def held(self, channels):
        return self.nights

    def __init__(self, played):
        super().__init__(played)
        self.nights = {night for step in played.steps for stay in step.stays for s in stay.spans for night in s.nights()}


class Inventing(Knowing):
    """Makes a stay of nights that nobody took, each day another one."""

    def read(self, fetch):
        super().read(fetch)
        start = fetch.at.date() + DAY * 700
        if fetch.at.date() > tape().steps[0].fetch.at.date():
            self.rows[fetch.channel.name][f"ghost-{start}"] = HeldStay(check_in=start, check_out=start + DAY)


class Doubling(Knowing):
    """Has every stay a second time, from the second day on."""

    def read(self, fetch):
        super().read(fetch)
        if fetch.at - tape().steps[0].fetch.at > DAY:
            twice = {f"{i}-twice": stay for i, stay in self.stays(fetch.channel).items() if "twice" not in i}
            self.rows[fetch.channel.name] = {**self.stays(fetch.channel), **twice}


class Forgetting(Knowing):
    """Loses what people write."""

    def hold(self, stay, known, step):
        return replace(super().hold(stay, known, step), note="")


class HandingOn(Knowing):
    """Gives the note of a stay that was cancelled to the next guest's."""

    def __init__(self, played):
        super().__init__(played)
        self.left = []

    def read(self, fetch):
        before = dict(self.stays(fetch.channel))
        super().read(fetch)
        rows = self.rows[fetch.channel.name]
        self.left += [stay.note for i, stay in before.items() if stay.note and i not in rows]
        for new in rows.keys() - before.keys() if before and self.left else ():
            rows[new] = replace(rows[new], note=self.left.pop())


class Silent(Knowing):
    """Reports no conflict."""

    def conflicts(self, channels):
        return set()


class Clinging(Knowing):
    """Never opens a night that was closed once."""

    def __init__(self, played):
        super().__init__(played)
        self.ever = {}

    def held(self, channels):
        nights = self.ever.setdefault(channels[0].unit, set())
        nights |= super().held(channels)
        return nights


class Restless(Knowing):
    """Moves each stay's arrival to the day before and back, hour by hour."""

    def hold(self, stay, known, step):
        held = super().hold(stay, known, step)
        return replace(held, check_in=held.check_in - DAY) if step.fetch.at.hour % 2 else held


def totals(policy, played):
    found = score(played, policy)
    return {column: found.total(column) for column in COLUMNS}


def test_who_knows_the_truth_has_no_sin_and_an_event_for_each_change():
    """With what changes, and what stays as it is."""
    found = score(tape(), Knowing(tape()))

    assert {column: found.total(column) for column in COLUMNS if column != "events"} == dict.fromkeys((*SINS, "kept_closed"), 0)
    assert found.notes > 5
    assert found.conflicts == 1
    assert found.events_per_change == 1


@pytest.mark.parametrize(
    ("policy", "column"),
    [
        (Clipping, "nights_opened"),
        (Dropping, "false_cancellations"),
        (Inventing, "phantoms"),
        (Doubling, "phantoms"),
        (Forgetting, "edits_lost"),
        (Silent, "conflicts_missed"),
        (Clinging, "kept_closed"),
    ],
)
def test_each_sin_is_found_and_in_its_own_column(policy, column):
    """A policy that knows the truth and does one thing wrong."""
    found = totals(policy(tape()), tape())
    others = {"false_cancellations", "phantoms", "nights_opened"} - {column} if policy is not Dropping else {"nights_opened"}

    assert found[column] > 0
    assert {name: found[name] for name in others} == dict.fromkeys(others, 0)


def test_a_note_that_another_guest_has_is_lost():
    """A guest cancels, another one books, and has the note."""
    assert totals(Knowing(tape()), tape())["edits_lost"] == 0
    assert totals(HandingOn(tape()), tape())["edits_lost"] == 1


def test_events_that_no_change_explains_are_counted():
    """A stay that moves to and fro."""
    assert score(tape(), Restless(tape())).events_per_change > 20


@pytest.mark.parametrize("policy", PLAIN)
def test_plain_policies_sin(policy):
    """Open nights, false cancellations and phantoms in the same four days."""
    found = totals(policy(), faulty_tape())

    assert [name for name in SINS[:3] if not found[name]] == []


def test_equal_seeds_give_equal_worlds():
    """Byte for byte."""
    assert record_tape(SEED, 2) == record_tape(SEED, 2) != record_tape(SEED + 1, 2)


def test_forty_days_have_every_fault_each_by_itself():
    """In good time before the end, and with good hours between two of them."""
    plan = list(plan_faults(Random(1), 40 * 24))

    assert {kind for _, (kind, _) in plan} == {kind for kind, _ in FAULTS}
    assert all(at + span + 20 <= later for (at, (_, span)), (later, _) in pairwise(plan))


@pytest.mark.slow
def test_bokit_has_no_sin():
    """A sample of the score; `make compare` runs more."""
    found = score(faulty_tape(), BokitPolicy())

    assert {name: found.total(name) for name in SINS} == dict.fromkeys(SINS, 0)
    assert found.total("kept_closed") == 0
    assert found.fetches == len(faulty_tape().steps)


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON.exists(), reason="not run: vdirsyncer is not set up; `make compare` does it")
def test_vdirsyncer_is_run_and_reverts_edits():
    """Its files follow the feeds, and by default it reverts what people write in a file."""
    policy = VdirsyncerPolicy()
    found = score(tape(), policy)

    assert found.notes == found.total("edits_lost") > 0
    assert found.total("nights_opened") == found.total("conflicts_missed") == 0
    assert {len(rows) > 0 for rows in policy.rows.values()} == {True}


def test_the_adapter_that_the_page_shows_works(tmp_path, monkeypatch, capsys):
    """The README's class, saved as mine.py and scored by the command."""
    text = (ROOT / "simulator/README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(from simulator\.score.*?)```", text, re.S)
    (tmp_path / "mine.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        exit_code = run(["score", "--seeds", "2", "--days", "4", "--policies", "mine:LastAnswer,diff", "--json"])
    finally:
        sys.modules.pop("mine", None)
    document = json.loads(capsys.readouterr().out)

    assert exit_code == 0
    assert len(code.strip().splitlines()) <= 20
    assert document["policies"]["mine:LastAnswer"]["nights_opened"] >= document["policies"]["diff"]["nights_opened"] > 0


@pytest.mark.parametrize(
    "given",
    [
        "--policies gremlins",
        "--policies no.such:Thing",
        "--seeds x",
        "--seeds 3,3",
        "--days 1",
        "--policies diff --write /nowhere",
    ],
)
def test_bad_use_is_one_line(given, capsys):
    """And exit code 2."""
    try:
        exit_code = run(["score", *given.split(), *(["--days", "2", "--seeds", "1"] if "write" in given else [])])
    except SystemExit as end:
        exit_code = end.code

    assert exit_code == 2
    assert len(capsys.readouterr().err.splitlines()[-1]) > 20


# the page


def page():
    return (ROOT / "docs/compare/README.md").read_text(encoding="utf-8")


def result():
    return json.loads((ROOT / "docs/compare/score.json").read_text(encoding="utf-8"))


def test_the_page_and_the_picture_are_those_of_the_result():
    """All three were written by one run of `make compare`."""
    assert page().split(f"{BEGIN}\n")[1].split(f"\n{END}")[0] == as_page(result())
    assert (ROOT / "docs/compare/score.svg").read_text(encoding="utf-8") == draw(result())


def test_the_page_has_every_policy_and_bokit_without_sin():
    """Six policies; Bokit's sins are zero."""
    policies = result()["policies"]

    assert list(policies) == [entry.name for entry in ENTRIES]
    assert {
        name: policies["bokit"][name] for name in ("nights_opened", "false_cancellations", "edits_lost", "conflicts_missed")
    } == {
        "nights_opened": 0,
        "false_cancellations": 0,
        "edits_lost": 0,
        "conflicts_missed": 0,
    }


def test_the_picture_is_valid_and_names_every_policy():
    """It is XML, each text lies inside of it, and its title says what it shows."""
    root = ElementTree.fromstring(draw(result()))  # noqa: S314 - our own
    width, height = float(root.get("width")), float(root.get("height"))
    texts = [element for element in root.iter() if element.tag.endswith("text")]

    assert {entry.title for entry in ENTRIES} <= {element.text for element in texts}
    assert all(0 <= float(e.get("x")) < width and 0 < float(e.get("y")) < height for e in texts)
    assert "Bokit" in next(element.text for element in root if element.tag.endswith("title"))


def test_writing_changes_only_what_is_between_the_marks(tmp_path):
    """And the table for a terminal has a line for each policy."""
    (tmp_path / "README.md").write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_page(result(), tmp_path)
    text = (tmp_path / "README.md").read_text()

    assert text.startswith(f"before\n{BEGIN}\nSeeds")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert len(as_text(result()).splitlines()) == 3 + len(ENTRIES)
