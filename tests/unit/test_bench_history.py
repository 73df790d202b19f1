"""The ratios of `make bench` are kept by commit, drawn, and compared: a loss is seen, and noise is not."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import __main__ as command
from bench import history as histories
from bench.draw import LAST, draw
from bench.gate import compare
from bench.history import (
    HISTORY,
    PICTURE,
    Entry,
    History,
    HistoryError,
    describe_commit,
    describe_machine,
    find_losses,
    read_history,
    write_history,
)
from bench.rows import Row
from bench.suite import QUICK, Outcome

SVG = "{http://www.w3.org/2000/svg}"
PYTHON, MACHINE = describe_machine()


def entry(number: int = 1, python: str = PYTHON, commit: str = "") -> Entry:
    at = f"2026-11-{number:02d}T10:00:00+00:00"
    return Entry(at=at, commit=commit or f"{number:07x}", subject="Do it", python=python, machine=MACHINE, ratios={})


def fast(ratio: float, name: str = "reading.hash.ratio") -> Row:
    return Row(name=name, what="read a feed; icalendar", ratio=ratio, goal=300)


def small(ratio: float, name: str = "start.api.ratio") -> Row:
    return Row(name=name, what="start of api; a bare resolver", ratio=ratio, goal=1.25, at_most=True)


def test_a_ratio_that_should_be_high_is_lost_when_it_falls_by_more_than_a_fifth():
    last = {"reading.hash.ratio": 31.2}

    assert find_losses([fast(25.0)], last) == []  # 19.9 % less
    assert find_losses([fast(60.0)], last) == []
    assert list(map(str, find_losses([fast(22.0)], last))) == ["warning: reading.hash.ratio fell from 31.2 to 22 (−29 %)"]


def test_a_ratio_that_should_be_low_is_lost_when_it_rises_by_more_than_a_fifth():
    last = {"start.api.ratio": 1.2}

    assert find_losses([small(1.43)], last) == []
    assert find_losses([small(0.5)], last) == []
    assert list(map(str, find_losses([small(1.5)], last))) == ["warning: start.api.ratio rose from 1.2 to 1.5 (+25 %)"]


def test_only_like_is_compared_with_like():
    """What has another name, or depends on the machine, is not compared; nor what another Python or processor measured."""
    absolute = replace(fast(1.0), is_ratio=False)
    history = History().add(entry(1), [fast(300.0)]).add(entry(2, python="2.7"), [fast(900.0)])
    history = history.add(replace(entry(3), machine="abacus"), [fast(800.0)]).add(entry(4), [small(1.0)])

    assert find_losses([fast(1.0, "reading.new.ratio"), absolute], {"reading.hash.ratio": 300.0}) == []
    assert history.last_ratios(PYTHON, MACHINE) == {"reading.hash.ratio": 300.0, "start.api.ratio": 1.0}
    assert history.last_ratios("2.7", MACHINE) == {"reading.hash.ratio": 900.0}


def test_only_ratios_are_kept_in_three_digits_and_in_order():
    times = Row(name="live.of_goal.p99", what="an edit", ours="212 ms", ratio=0.212, goal=1, is_ratio=False)
    history = History().add(entry(2), [small(1.23456), fast(295.55), times]).add(entry(1), [fast(1234.5)])

    assert [(found.commit, dict(found.ratios)) for found in history.entries] == [
        ("0000001", {"reading.hash.ratio": 1230.0}),
        ("0000002", {"reading.hash.ratio": 296.0, "start.api.ratio": 1.23}),
    ]
    assert list(history.entries[1].ratios) == ["reading.hash.ratio", "start.api.ratio"]
    assert list(history.kept) == ["reading.hash.ratio", "start.api.ratio"]


def test_measuring_a_commit_again_replaces_only_what_was_measured():
    history = History().add(entry(), [small(1.2), fast(300)]).add(entry(), [fast(310)])

    assert [dict(found.ratios) for found in history.entries] == [{"reading.hash.ratio": 310.0, "start.api.ratio": 1.2}]


def test_a_history_is_read_as_it_was_written(tmp_path: Path):
    history = History().add(entry(1), [fast(300)]).add(entry(2), [fast(310), small(1.2)])
    write_history(history, tmp_path / "history.json")

    assert read_history(tmp_path / "history.json") == history
    assert read_history(tmp_path / "none.json") == History()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"kept": {}}',
        '{"kept": {}, "entries": [{"at": "x"}]}',
        '{"kept": {"a": {"goal": 1}}, "entries": []}',
        '{"kept": {}, "entries": [{"at": "", "commit": "", "subject": "", "python": "", "machine": "", "ratios": []}]}',
        '{"kept": {}, "entries": [{"at": "", "commit": "", "subject": "", "python": "", "machine": "", "ratios": {"a": 0}}]}',
    ],
)
def test_a_broken_history_is_one_clear_error(tmp_path: Path, text: str, monkeypatch, capsys):
    file = tmp_path / "history.json"
    file.write_text(text)
    monkeypatch.setattr(command, "HISTORY", file)
    monkeypatch.setattr(command, "describe_commit", entry)
    monkeypatch.setattr(command, "run_bench", lambda name: pytest.fail(f"{name} was run"))

    with pytest.raises(HistoryError, match=r"^history\.json .*: take it back with git checkout$"):
        read_history(file)
    assert command.main(["--record"]) == 1
    assert command.main(["--compare"]) == 0  # the gate never fails for it; this file's own test does
    assert re.fullmatch(r"(bench: history\.json [^\n]+\n){2}", capsys.readouterr().err)


def make_clone(folder: Path) -> Path:
    (folder / "bench").mkdir(parents=True)
    (folder / "bench/history.json").write_text("{}")
    (folder / "code.py").write_text("")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qm", "Sync: twice"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def test_ratios_are_recorded_of_the_commit_that_is_checked_out(tmp_path: Path):
    found = describe_commit(make_clone(tmp_path / "clone"))

    assert re.fullmatch(r"[0-9a-f]{7,}", found.commit)
    assert found.subject == "Sync: twice"
    assert found.at.endswith("+00:00")
    assert (found.python, found.machine, dict(found.ratios)) == (PYTHON, MACHINE, {})


def test_ratios_of_what_is_not_committed_are_not_recorded(tmp_path: Path):
    folder = make_clone(tmp_path / "clone")
    (folder / "bench/history.json").write_text("{ }")  # a second run for one commit is fine
    describe_commit(folder)
    (folder / "code.py").write_text("1")

    with pytest.raises(HistoryError, match=r"code\.py differs from it: commit first"):
        describe_commit(folder)
    with pytest.raises(HistoryError, match="this folder is not a clone"):
        describe_commit(tmp_path)


def test_recording_writes_the_history_and_its_picture(tmp_path: Path, monkeypatch, capsys):
    for name, file in (("HISTORY", "history.json"), ("PICTURE", "bench.svg"), ("REPORT", "report.json")):
        monkeypatch.setattr(command, name, tmp_path / file)
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "describe_commit", entry)
    monkeypatch.setattr(command, "run_bench", lambda name: Outcome(name=name, rows=[fast(310)], report={}))

    assert command.main(["--record", "reading"]) == 0
    history = read_history(tmp_path / "history.json")
    assert dict(history.entries[0].ratios) == {"reading.hash.ratio": 310.0}
    assert (tmp_path / "bench.svg").read_text() == draw(history)
    assert "recorded for 0000001 in history.json, drawn in bench.svg" in capsys.readouterr().out


def run_of(*measured: Sequence[Row]):
    """Return a way to run the reading benchmark: its rows, one time after the other."""
    waiting = list(measured)

    def run(name: str, rounds: int) -> Outcome:
        assert (name, rounds) == ("reading", QUICK["reading"])  # no other is in the history, so no other is run
        return Outcome(name=name, rows=list(waiting.pop(0)), report={})

    return run


KNOWN = History().add(entry(), [fast(300.0), fast(20.0, "reading.new.ratio")])


def test_the_gate_warns_of_a_loss_that_is_measured_twice():
    loses, still = [fast(200.0), fast(20.0, "reading.new.ratio")], [fast(210.0), fast(1.0, "reading.new.ratio")]

    assert compare(KNOWN, run_of(loses, still)) == ["warning: reading.hash.ratio fell from 300 to 210 (−30 %)"]


def test_the_gate_takes_a_loss_that_is_gone_at_once_for_noise():
    again = [fast(299.0), fast(20.0, "reading.new.ratio")]

    assert compare(KNOWN, run_of([fast(200.0), fast(20.0, "reading.new.ratio")], again)) == [
        "bench: none of 2 ratios is worse than the last by more than a fifth"
    ]


def test_the_gate_says_what_it_could_not_compare():
    def lacks(name: str, rounds: int) -> Outcome:
        return Outcome(name=name, lacking="the local cloud is not set up")

    assert compare(KNOWN, lacks)[1:] == ["bench: reading was not compared: the local cloud is not set up"]
    assert compare(History(), run_of()) == ["bench: nothing to compare with was measured by this Python and machine"]


def test_the_picture_is_of_the_history_that_is_committed():
    """`python -m bench.draw` writes it, and `make bench RECORD=1` does."""
    history = read_history(HISTORY)

    assert history.entries
    assert PICTURE.read_text(encoding="utf-8") == draw(history)
    assert list(history.entries) == sorted(history.entries, key=lambda found: found.place)


def test_the_picture_has_words_for_each_ratio_and_stays_small():
    names = [f"bench_{number}.ratio" for number in range(40)]
    history = History()
    for number in range(1, LAST + 5):
        ratios = [replace(fast(300 + 37 * ((number * place) % 7), name), what="w" * 60) for place, name in enumerate(names)]
        history = history.add(entry(number), ratios)
    text = draw(history)
    root = ElementTree.fromstring(text)  # noqa: S314
    words = [found.text or "" for found in root.iter(f"{SVG}text")]

    assert len(text.encode()) <= 20_000
    assert words.count("w" * 60) == 40
    assert "≥ 300" in words
    assert root.find(f"{SVG}title") is not None
    assert root.findtext(f"{SVG}desc") == "40 ratios at up to 10 commits, each with its goal; of the newest, 40 meet their goals."
    assert "prefers-color-scheme:dark" in text
    assert {history.entries[-LAST].commit, history.entries[-1].commit} <= set(words)  # older ones are left out
    assert history.entries[0].commit not in words


def test_the_picture_marks_losses_and_missed_goals():
    history = History().add(entry(1), [small(1.0), fast(310)]).add(entry(2), [small(1.3), fast(290)])
    root = ElementTree.fromstring(draw(history))  # noqa: S314
    groups = {group.findtext(f"{SVG}text"): group for group in root.iter(f"{SVG}g")}
    lost, kept = groups["start of api; a bare resolver"], groups["read a feed; icalendar"]

    assert len([path for path in lost.iter(f"{SVG}path") if path.get("class") == "x"]) == 1
    assert len([path for path in kept.iter(f"{SVG}path") if path.get("class") == "x"]) == 0  # 6 % less
    assert [[text.text for text in group.iter(f"{SVG}text")][1:] for group in (lost, kept)] == [
        ["1.3", "≤ 1.25", "no"],
        ["290", "≥ 300", "no"],
    ]


@pytest.mark.parametrize(("count", "sides"), [(1, ["e"]), (2, ["", "e"]), (4, ["", "e"])])
def test_the_first_and_the_last_commit_stand_over_the_lines(count: int, sides: list[str]):
    """Each towards the lines' middle, where no title is."""
    history = History()
    for number in range(1, count + 1):
        history = history.add(entry(number), [fast(310)])
    root = ElementTree.fromstring(draw(history))  # noqa: S314
    found = [text for text in root.iter(f"{SVG}text") if text.text in {"0000001", f"{count:07x}"}]

    assert [(text.get("class") or "").removeprefix("f").strip() for text in found] == sides


def test_words_that_are_too_long_for_the_picture_end_before_the_line():
    long = replace(fast(310), what="polls of one calendar " * 5)
    words = [found.text or "" for found in ElementTree.fromstring(draw(History().add(entry(), [long]))).iter(f"{SVG}text")]  # noqa: S314

    assert words[-4:-1] == ["310", "≥ 300", "yes"]
    assert words[-5] == "polls of one calendar polls of one calendar polls of one …"


def test_up_is_better_in_the_picture_whatever_the_goal():
    history = History().add(entry(1), [small(1.2), fast(200)]).add(entry(2), [small(0.9), fast(400)])
    lines = [path.get("d") or "" for path in ElementTree.fromstring(draw(history)).iter(f"{SVG}path") if path.get("class") == "l"]  # noqa: S314
    heights = [[float(y) for y in re.findall(r" ([\d.]+)", line)] for line in lines]

    assert all(first > second for first, second in heights)  # y grows downwards
    assert histories.is_loss(1.0, 1.21, at_most=True)
    assert not histories.is_loss(1.0, 1.19, at_most=True)
