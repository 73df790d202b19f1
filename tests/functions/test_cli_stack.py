"""The command line through its real wiring: a table, a feed over HTTP on loopback, the local cloud's file."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from moto import mock_aws

from bokit.store.dynamo.create_table import create_table
from bokit_cli.main import execute
from tests.support.terminal import Answer, a_feed, an_event

REGION = "us-east-1"


class FeedServer(ThreadingHTTPServer):
    """Serves one calendar on loopback."""

    daemon_threads = True
    body = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/1.ics"


class FeedHandler(BaseHTTPRequestHandler):
    server: FeedServer

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *args: Any) -> None:
        pass


def two_stays() -> bytes:
    """Return a calendar of two stays to come, by the real clock."""
    first = datetime.now(UTC).date() + timedelta(days=30)
    second = first + timedelta(days=9)
    nights = timedelta(days=4)
    return a_feed(
        an_event(1, str(first), str(first + nights), "HMABCDEF12"), an_event(2, str(second), str(second + nights), "HMABCDEF34")
    )


@pytest.fixture
def feed() -> Iterator[FeedServer]:
    server = FeedServer(("127.0.0.1", 0), FeedHandler)
    server.body = two_stays()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def bokit(tmp_path, monkeypatch, capsys):
    """Runs commands below a folder whose local cloud is moto's."""
    for name in ("BOKIT_TABLE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".bokit").mkdir()
    local = {"endpoint_url": None, "region": REGION, "table_name": "bokit-cli", "allow_private_addresses": True}
    (tmp_path / ".bokit/local.json").write_text(json.dumps(local))
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")

    def run(*arguments: str) -> Answer:
        capsys.readouterr()
        code = execute(list(arguments))
        out = capsys.readouterr()
        return Answer(code, out.out, out.err)

    with mock_aws():
        create_table("bokit-cli", region=REGION)
        yield run


def doc(answer: Answer, code: int = 0) -> Any:
    assert answer.code == code, answer
    return answer.doc


def test_a_feed_becomes_bookings_in_the_table(bokit, feed):
    """What is declared in a file is fetched over HTTP, stored in the table, edited, and synced again."""
    with open("bokit.json", "w", encoding="utf-8") as file:
        json.dump(
            {
                "properties": [
                    {
                        "name": "Villa",
                        "timezone": "Europe/Rome",
                        "units": [{"name": "Flat", "sources": [{"name": "Airbnb", "url": feed.url}]}],
                    }
                ]
            },
            file,
        )

    assert len(doc(bokit("config", "import", "bokit.json", "--json"))["added"]) == 3
    assert doc(bokit("sync", "--all", "--json"))["counts"]["created"] == 2
    assert doc(bokit("sync", "--all", "--json"))["counts"]["unchanged"] == 2
    booking = doc(bokit("bookings", "--json"))["items"][0]
    doc(bokit("booking", "edit", booking["id"], "--set", "notes=late", "--json"))
    assert [c["action"] for c in doc(bokit("booking", "changes", booking["id"], "--json"))["items"]] == ["edit", "create"]
    assert doc(bokit("status", "--json"))["sources"][0]["state"] == "ok"
    assert len(doc(bokit("history", "--json"))["items"]) == 2
    assert doc(bokit("options", "set", "sync.interval", "10m", "--json"))["value"] == 600
    assert doc(bokit("source", "remove", "Airbnb", "--release", "--json"))["released"] == 2
    assert not any(b["blocks_nights"] for b in doc(bokit("bookings", "--json"))["items"])


def test_a_feed_on_the_web_is_inspected(bokit, feed):
    """A URL is fetched through the guarded client, and read; a refused port is one line."""
    assert doc(bokit("feed", "inspect", feed.url, "--json"))["platform"] == "airbnb"

    answer = bokit("feed", "inspect", "http://127.0.0.1:9/x.ics?s=sentinel")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "sentinel" not in answer.err


def test_a_missing_table_is_reported(bokit, monkeypatch):
    """The error for a wrong table name says how to fix it."""
    monkeypatch.setenv("BOKIT_TABLE", "nowhere")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)

    answer = bokit("status")

    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "make up" in answer.err


def test_a_broken_local_file_is_reported(bokit, tmp_path):
    """The error for an unreadable .bokit/local.json says how to fix it."""
    (tmp_path / ".bokit/local.json").write_text("{")

    answer = bokit("status")

    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "make up" in answer.err
