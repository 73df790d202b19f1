"""``bokit config``: export, diff and import, with what a person and a program read of them."""

from __future__ import annotations

import json
import os
import stat

import pytest
import yaml

from tests.support.terminal import URL, Terminal

LESS = "properties:\n  - {name: Villa Rosa}\n"
MORE = f"""properties:
  - name: Villa Rosa
    units:
      - name: Garden flat
        sources: [{{name: Airbnb, url: "{URL}", interval: 15m}}]
      - {{name: Loft}}
"""


@pytest.fixture
def terminal(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = Terminal(capsys, tmp_path / ".bokit")
    made.furnish()
    made.json("sync", "--all")
    return made


def write(name, text):
    with open(name, "w", encoding="utf-8") as opened:
        opened.write(text)
    return name


@pytest.mark.parametrize(("name", "flags"), [("bokit.yaml", ()), ("bokit.json", ()), ("bokit.yml", ("--json",))])
def test_an_exported_file_is_secret_and_is_imported_unchanged(terminal, name, flags):
    """It holds addresses in clear, is readable by its owner alone, says so, and is in effect already."""
    answer = terminal.run("config", "export", name, *flags)

    text = open(name, encoding="utf-8").read()  # noqa: SIM115 - a test
    assert (answer.code, stat.S_IMODE(os.stat(name).st_mode)) == (0, 0o600)
    assert URL in text
    assert flags or "secret" in answer.out
    if name == "bokit.yaml":
        assert text.startswith("# For `bokit config import`. Secret:")
    else:
        json.loads(text)
    assert len(terminal.json("config", "import", name)["unchanged"]) == 3
    assert terminal.json("config", "diff", name, "--check")["changed"] == []


def test_a_file_that_is_there_is_replaced_only_if_asked(terminal):
    """A file written by hand survives an export; --force replaces it and its mode."""
    write("bokit.yaml", "# by hand\n")

    answer = terminal.run("config", "export", "bokit.yaml")
    assert (answer.code, "--force" in answer.err) == (2, True)
    assert open("bokit.yaml").read() == "# by hand\n"  # noqa: SIM115 - a test

    assert terminal.json("config", "export", "bokit.yaml", "--force")["sources"] == 1
    assert stat.S_IMODE(os.stat("bokit.yaml").st_mode) == 0o600
    assert sorted(os.listdir()) == ["bokit.yaml"]


def test_without_a_file_the_export_is_printed(terminal):
    """Standard output is the file and nothing else; the warning goes to standard error."""
    plain, as_json = terminal.run("config", "export"), terminal.run("config", "export", "--json")

    assert yaml.safe_load(plain.out) == as_json.doc
    assert as_json.doc["properties"][0]["units"][0]["sources"][0]["url"] == URL
    assert "secret" in plain.err
    assert "secret" in as_json.err


def test_a_file_that_cannot_be_written_is_one_line(terminal):
    """A folder that is not there is wrong use."""
    answer = terminal.run("config", "export", "no/such/folder.yaml")

    assert (answer.code, answer.err.count("\n")) == (2, 1)


def test_diff_and_dry_run_show_the_same_and_write_nothing(terminal):
    """Both print one plan, by full names; the import then does it; --check exits with 1."""
    write("more.yaml", MORE)

    plan = terminal.json("config", "diff", "more.yaml")
    assert terminal.json("config", "import", "more.yaml", "--dry-run") == plan
    assert terminal.run("config", "diff", "more.yaml", "--check").code == 1
    shown = terminal.run("config", "diff", "more.yaml").out
    assert "Villa Rosa / Garden flat / Airbnb" in shown
    assert "interval: – → 900" in shown
    assert "nothing was written" in shown
    assert [u["name"] for u in terminal.json("unit", "list")["items"]] == ["Garden flat"]

    done = terminal.json("config", "import", "more.yaml")
    assert [d["full_name"] for d in done["added"]] == [d["full_name"] for d in plan["added"]] == ["Villa Rosa / Loft"]
    assert done["changed"] == plan["changed"]
    assert plan["added"][0]["id"] is None
    assert done["added"][0]["id"]


def test_what_left_the_file_is_listed_and_stays(terminal):
    """Without --prune it is listed, and nothing is removed."""
    write("less.yaml", LESS)

    shown = terminal.run("config", "import", "less.yaml")

    assert (shown.code, "--prune" in shown.out) == (0, True)
    assert "Villa Rosa / Garden flat / Airbnb" in shown.out
    assert len(terminal.json("source", "list")["items"]) == 1


def test_pruning_keeps_future_nights_held(terminal):
    """The source goes and its nights stay held, so its unit is kept, with the reason and exit code 1; released, it goes, too."""
    write("less.yaml", LESS)
    source = terminal.json("source", "list")["items"][0]["id"]

    plan = terminal.json("config", "diff", "less.yaml", "--prune")
    done = terminal.json("config", "import", "less.yaml", "--prune", "--yes", code=1)

    for document in (plan, done):
        assert [d["full_name"] for d in document["removed"]] == ["Villa Rosa / Garden flat / Airbnb"]
        assert [d["full_name"] for d in document["kept"]] == ["Villa Rosa / Garden flat"]
        assert "nights to come are held" in document["kept"][0]["reason"]
    assert len([b for b in terminal.json("bookings")["items"] if b["blocks_nights"]]) == 2
    terminal.json("source", "remove", source, "--release")
    assert [d["kind"] for d in terminal.json("config", "import", "less.yaml", "--prune", "--yes")["removed"]] == ["unit"]
    assert terminal.json("unit", "list")["items"] == []


def test_nothing_is_removed_unconfirmed(terminal, monkeypatch):
    """Without a terminal --yes is needed; on one, a person is asked after the plan was shown, and no means no."""
    write("less.yaml", LESS)
    refused = terminal.run("config", "import", "less.yaml", "--prune")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert terminal.run("config", "import", "less.yaml", "--prune", "--json").code == 2

    answers = iter(["n", "y"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda text, abort: next(answers) == "y" or stop())
    assert terminal.run("config", "import", "less.yaml", "--prune").code == 130
    assert len(terminal.json("source", "list")["items"]) == 1
    assert terminal.run("config", "import", "less.yaml", "--prune").code == 1
    assert terminal.json("source", "list")["items"] == []


def stop():
    from typer import Abort

    raise Abort


def test_pruning_what_is_whole_asks_nothing(terminal):
    """Where nothing left the file, --prune needs no answer."""
    write("more.yaml", MORE)

    assert terminal.json("config", "import", "more.yaml", "--prune")["removed"] == []
