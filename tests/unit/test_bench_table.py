"""`make bench` prints one table of what was measured, whatever breaks, and writes the same to a file."""

from __future__ import annotations

import ast
import json
import re
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import __main__ as command
from bench.one import measure
from bench.rows import LackingError, Row
from bench.suite import NAMES, QUICK, Outcome, run_bench
from bench.table import WIDTH, count_met, draw_table, format_ratio

FOLDER = Path(command.__file__).parent
FAST = Row(name="reading.hash.ratio", what="hash of a feed", ours="0.12 ms", peer="34.7 ms", ratio=295.55, goal=300)
SMALL = Row(name="start.api.ratio", what="start", ours="214 ms", floor="188 ms", ratio=1.1383, goal=1.25, at_most=True)


def outcome(name: str, *rows: Row) -> Outcome:
    return Outcome(name=name, rows=list(rows), report={"ratio": 2.0})


def test_the_table_has_a_line_for_each_figure_with_its_goal_and_whether_it_is_met():
    lines = draw_table([outcome("reading", FAST), outcome("start", SMALL)]).splitlines()

    assert [line.split() for line in lines if "─" not in line] == [
        ["what", "ours", "peer", "floor", "ratio", "goal", "met"],
        ["hash", "of", "a", "feed", "0.12", "ms", "34.7", "ms", "296", "≥", "300", "no"],
        ["start", "214", "ms", "188", "ms", "1.14", "≤", "1.25", "yes"],
    ]
    assert count_met([outcome("reading", FAST), outcome("start", SMALL)]) == "1 of 2 goals met"


def test_the_table_says_why_a_benchmark_was_not_run():
    text = draw_table([Outcome(name="live", lacking="no Chromium"), Outcome(name="json", broken="KeyError: [bold]")])
    (live,) = [line for line in text.splitlines() if "live" in line]
    (json_line,) = [line for line in text.splitlines() if "json" in line]

    assert live == "live: not run: no Chromium"
    assert json_line.startswith("json: not run: KeyError: [bold]")
    assert json_line.endswith(" no")


def test_no_line_of_the_table_is_longer_than_a_terminal_or_names_the_machine():
    long = Row(
        name="a.b",
        what="w" * 40 + " " + "x" * 90,
        ours="1234.56 ms",
        peer="9876.54 ms",
        floor="1111.11 ms",
        ratio=1e6,
        goal=0.286,
    )
    text = draw_table([outcome("a", long), Outcome(name="b", broken="RuntimeError: " + "no answer " * 30)])

    assert max(map(len, text.splitlines())) <= WIDTH
    assert socket.gethostname() not in text
    assert "x" * 60 not in text  # a long word is broken, not cut
    assert text.count("x") == 90


@pytest.mark.parametrize(
    ("ratio", "text"), [(0.0, "0"), (0.2917, "0.292"), (31.24, "31.2"), (1204.4, "1204"), (123456.0, "123456")]
)
def test_ratios_have_three_digits(ratio: float, text: str):
    assert format_ratio(ratio) == text


def test_goals_are_met_at_their_limits():
    assert Row(name="a", what="", ratio=2, goal=2).is_met
    assert not Row(name="a", what="", ratio=1.99, goal=2).is_met
    assert Row(name="a", what="", ratio=2, goal=2, at_most=True).is_met
    assert not Row(name="a", what="", ratio=2.01, goal=2, at_most=True).is_met


def test_every_benchmark_is_in_the_table_and_says_what_its_rows_are():
    """Each module of the folder has `run` and `rows`, and `python -m` shows its rows."""
    modules = {path.stem.removeprefix("bench_"): path for path in FOLDER.glob("bench_*.py")}

    assert set(NAMES) == set(modules)
    assert set(QUICK) <= set(NAMES)
    for name, path in modules.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert {"run", "rows"} <= set(functions), name
        if name in QUICK:
            assert [arg.arg for arg in functions["run"].args.args] == ["rounds"], name


def test_every_benchmark_has_a_line_in_the_documents():
    """In docs/speed.md, in the table's order."""
    page = (FOLDER.parent / "docs/speed.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(NAMES)


def test_a_row_is_found_in_the_report_by_its_name():
    bench = SimpleNamespace(
        run=lambda: {"cpu": {"ratio": 2.5}}, rows=lambda _: [Row(name="a.cpu.ratio", what="x", ratio=2.5, goal=2)]
    )

    assert measure("a", bench)["report"] == {"cpu": {"ratio": 2.5}}
    assert measure("a", bench)["rows"][0]["ratio"] == 2.5
    with pytest.raises(ValueError, match=r"the report has no a\.cpu\.ratio"):
        measure("b", bench)
    bench.run = lambda: {"cpu": {"ratio": 2.4}}
    with pytest.raises(ValueError, match=r"a\.cpu\.ratio is 2\.4 in the report, and 2\.5 in the table"):
        measure("a", bench)


def test_what_the_machine_lacks_breaks_nothing():
    def run() -> None:
        raise LackingError("no browser")

    assert measure("page", SimpleNamespace(run=run)) == {"lacking": "no browser"}


def test_a_broken_benchmark_has_its_last_line_as_reason_and_its_output_in_a_file(tmp_path: Path):
    found = run_bench("none_such", logs=tmp_path)

    assert found.broken == "ModuleNotFoundError: No module named 'bench.bench_none_such'"
    assert "Traceback" in (tmp_path / "none_such.log").read_text()


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Outcome]:
    """Return what the benchmarks of the command give: a test puts more in."""
    made = {"reading": outcome("reading", FAST)}
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(command, "REPORT", tmp_path / "report.json")
    monkeypatch.setattr(command, "run_bench", lambda name: made.get(name, Outcome(name=name, lacking="not in this test")))
    return made


def test_a_break_fails_the_command_and_keeps_what_was_measured(
    results: dict[str, Outcome], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    results["json"] = Outcome(name="json", broken="KeyError: 'pages'")

    assert command.main([]) == 1
    written = json.loads((tmp_path / "report.json").read_text())
    assert written["reading"] == {"ratio": 2.0}
    assert written["json"] == {"broken": "KeyError: 'pages'"}
    assert written["live"] == {"not_run": "not in this test"}
    out, err = capsys.readouterr()
    assert "json: not run: KeyError: 'pages'" in out
    assert "json broke; what it printed is in logs/json.log" in out
    assert "0 of 1 goals met; written to report.json" in out
    assert err == ""  # it is not a terminal


def test_a_missing_part_or_goal_does_not_fail_the_command(results: dict[str, Outcome], capsys: pytest.CaptureFixture[str]):
    assert command.main([]) == 0
    assert "live: not run: not in this test" in capsys.readouterr().out


def test_naming_benchmarks_runs_those_alone_and_keeps_the_others_figures(results: dict[str, Outcome], tmp_path: Path):
    (tmp_path / "report.json").write_text('{"json": {"kept": 1}, "reading": {"old": 1}}')

    assert command.main(["reading"]) == 0
    written = json.loads((tmp_path / "report.json").read_text())
    assert written["json"] == {"kept": 1}
    assert written["reading"] == {"ratio": 2.0}
    assert "live" not in written


def test_an_unknown_name_is_refused_with_the_names_there_are(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        command.main(["readin"])

    assert ended.value.code == 2
    assert "no benchmark is named readin; there are reading, matching" in capsys.readouterr().err
