"""``bokit backup`` through its real wiring: a table of moto's, files on disk."""

from __future__ import annotations

import gzip
import json
import stat
from pathlib import Path

import pytest
from moto import mock_aws

from bokit.store.dynamo.create_table import create_table
from bokit_cli.main import execute
from tests.support.terminal import Answer, Terminal

REGION = "us-east-1"


@pytest.fixture
def bokit(tmp_path, monkeypatch, capsys):
    """Runs commands on one of two tables."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_PROFILE", "BOKIT_STACK"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.chdir(tmp_path)

    def run(table: str, *arguments: str) -> Answer:
        monkeypatch.setenv("BOKIT_TABLE", table)
        capsys.readouterr()
        code = execute(list(arguments))
        out = capsys.readouterr()
        return Answer(code, out.out, out.err)

    with mock_aws():
        for table in ("one", "two"):
            create_table(table, region=REGION)
        assert run("one", "property", "add", "Villa Rosa").code == 0
        yield run


@pytest.mark.parametrize("name", ["backup.ndjson", "backup.ndjson.gz"])
def test_a_table_goes_into_a_file_and_out_of_it(bokit, name):
    """By its name compressed or not; what it holds is in the other table then, and nothing unfinished stays on the disk."""
    made = bokit("one", "backup", "create", name, "--json")
    restored = bokit("two", "backup", "restore", name, "--json")

    assert made.code == restored.code == 0, (made, restored)
    assert made.doc["counts"] == restored.doc["counts"]
    assert [p["name"] for p in bokit("two", "property", "list", "--json").doc["items"]] == ["Villa Rosa"]
    data = Path(name).read_bytes()
    first = (gzip.decompress(data) if name.endswith(".gz") else data).splitlines()[0]
    assert json.loads(first)["bokit_backup"] == 1
    assert [path.name for path in Path().iterdir()] == [name]


def test_the_file_is_its_owners_alone(bokit):
    """Mode 600, a line says what it has, and another that it has guests in it."""
    answer = bokit("one", "backup", "create", "backup.ndjson")

    assert ", 1 tenant\n" in answer.out
    assert "guests" in answer.out
    assert stat.S_IMODE(Path("backup.ndjson").stat().st_mode) == 0o600


def test_a_file_that_is_there_is_left_alone(bokit):
    """Another name is to be chosen."""
    Path("backup.ndjson").write_text("mine", encoding="utf-8")

    answer = bokit("one", "backup", "create", "backup.ndjson")

    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert Path("backup.ndjson").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["backup.ndjson", "backup.ndjson.gz"])
def test_a_file_that_was_cut_is_one_line(bokit, name):
    """At any place; nothing is written, and a table that is not empty is refused in one line, too."""
    assert bokit("one", "backup", "create", name).code == 0
    data = Path(name).read_bytes()

    for length in (0, 1, len(data) // 3, len(data) - 1):
        Path(name).write_bytes(data[:length])
        answer = bokit("two", "backup", "restore", name)
        assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), length
    assert bokit("two", "property", "list", "--json").doc["items"] == []
    Path(name).write_bytes(data)
    refused = bokit("one", "backup", "restore", name)
    assert (refused.code, "--replace" in refused.err) == (2, True)
    assert bokit("one", "backup", "restore", name, "--replace").code == 0


def test_an_absent_file_and_a_folder_that_is_not_there_are_one_line(bokit):
    """As everywhere."""
    for command in (("restore", "nowhere.ndjson"), ("create", "nowhere/backup.ndjson")):
        answer = bokit("one", "backup", *command)
        assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)


def test_a_backup_needs_a_table(capsys, tmp_path):
    """The memory store of tests has no items."""
    answer = Terminal(capsys, tmp_path / ".bokit").run("backup", "create", str(tmp_path / "x.ndjson"))

    assert (answer.code, answer.err.count("\n")) == (2, 1)
