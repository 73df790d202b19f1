"""The simulator over real loopback HTTP, and its command line as a process."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from simulator.cli import run
from simulator.model import SimulatorError
from simulator.scenario import AIRBNB, BOOKING, VRBO, build_demo
from simulator.server import SharedWorld, SimulatorServer
from simulator.state import load_world
from tests.support.feed_lines import events

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.enable_socket


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SimulatorServer]:
    """A server of the demo's world on a port that the system chooses."""
    server = SimulatorServer(SharedWorld(build_demo(1, NOW), tmp_path))
    server.start()
    yield server
    server.stop()


class Reply:
    """A response with its body."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(server: SimulatorServer, method: str, path: str, body: object = None, timeout: float = 10, **headers: str) -> Reply:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=timeout)  # type: ignore[misc]
    try:
        sent = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, sent, {"Content-Type": "application/json", **headers})
        return Reply(connection.getresponse())
    finally:
        connection.close()


def read_for_a_while(server: SimulatorServer, path: str) -> None:
    """Ask, and give up when nothing comes for a fifth of a second."""
    with socket.create_connection(server.server_address[:2], timeout=0.2) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        for _ in range(1000):
            client.recv(4096)


def control(server: SimulatorServer, operation: str, **arguments: object) -> Reply:
    return ask(server, "POST", f"/control/{operation}", arguments)


def test_feeds_are_served_without_an_etag(server):
    """A feed is a calendar with a new stamp in each response, without ETag and Last-Modified."""
    first, second = (ask(server, "GET", f"/{AIRBNB}.ics") for _ in range(2))

    assert first.status == 200
    assert first.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert not {"ETag", "Last-Modified"} & set(first.headers)
    assert first.body != second.body
    assert [e["UID"] for e in events(first.body)] == [e["UID"] for e in events(second.body)]


def test_a_platform_stamps_what_it_serves_with_the_time_of_day_though_nothing_changes_there(tmp_path):
    """Each response is a second later at least; a world that was played ahead of the clock keeps its own time."""
    world, later = build_demo(1, NOW), NOW + timedelta(hours=2)
    shared = SharedWorld(world, tmp_path, lambda: later)
    stamps = []
    for days in (0, 3):
        world.advance(days=days)
        stamps.append({line for line in shared.answer(AIRBNB).body.splitlines() if line.startswith(b"DTSTAMP")})

    assert stamps[0] == {b"DTSTAMP:20261120T110000Z"}
    assert stamps[1] == {b"DTSTAMP:20261123T090002Z"}
    assert world.now == NOW + timedelta(days=3)


def test_an_etag_is_sent_and_honoured_where_the_feed_has_one(server):
    """If-None-Match brings 304 while nothing but the stamps changed."""
    control(server, "options", feed=AIRBNB, etag=True)
    tag = ask(server, "GET", f"/{AIRBNB}.ics").headers["ETag"]
    again = ask(server, "GET", f"/{AIRBNB}.ics", **{"If-None-Match": tag})
    control(server, "cancel", stay="stay-1")
    changed = ask(server, "GET", f"/{AIRBNB}.ics", **{"If-None-Match": tag})

    assert (again.status, again.body) == (304, b"")
    assert changed.status == 200


def test_a_vrbo_feed_drops_tentative_stays_on_request(server):
    """`?nonTentative` is VRBO's own."""
    before = len(events(ask(server, "GET", f"/{VRBO}.ics").body))
    control(server, "book", feed=VRBO, check_in="2027-03-01", check_out="2027-03-03", tentative=True)

    assert len(events(ask(server, "GET", f"/{VRBO}.ics").body)) == before + 1
    assert len(events(ask(server, "GET", f"/{VRBO}.ics?nonTentative").body)) == before


def test_the_world_is_played_over_the_control_api(server):
    """Book, move, cancel, bring back, block, unblock, change, live, advance: the truth shows each change."""
    stay = control(server, "book", feed=AIRBNB, check_in="2027-03-01", check_out="2027-03-04", guest="Ann").json["stay"]
    control(server, "move", stay=stay, check_in="2027-03-05")
    control(server, "change", stay=stay, phone="+39 333 0004321")
    control(server, "cancel", stay=stay)
    control(server, "bring-back", stay=stay)
    block = control(server, "block", feed=AIRBNB, check_in="2027-04-01", check_out="2027-04-02").json["stay"]
    control(server, "unblock", stay=block)
    assert control(server, "advance", days=1, hours=1).json == {"now": "2026-11-21T10:00:00Z"}
    assert "happened" in control(server, "live", hours=5).json

    truth = ask(server, "GET", "/control/truth").json
    stays = {s["id"]: s for s in truth["stays"]}
    assert (stays[stay]["check_in"], stays[stay]["check_out"], stays[stay]["status"]) == ("2027-03-05", "2027-03-08", "confirmed")
    assert stays[block]["status"] == "cancelled"
    assert "2027-03-05" in truth["feeds"][AIRBNB]["closed"]
    assert truth["now"] == "2026-11-21T15:00:00Z"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/control/explode", {}, 422),
        ("/control/book", {}, 422),
        ("/control/book", [1], 422),
        ("/control/book", b"{", 422),
        ("/control/advance", {"days": "one"}, 422),
        ("/control/advance", {"days": 1e9}, 422),
        ("/control/cancel", {"stay": 3}, 422),
        ("/control/clear", {"feed": "x"}, 422),
        ("/control/book", {"world": 1}, 422),
        ("/control/live", {"days": 4000}, 422),
        ("/control/book", {"feed": AIRBNB, "check_in": "soon", "check_out": "2027-01-01"}, 422),
        ("/control/options", {"feed": AIRBNB, "name": "x"}, 422),
        ("/control/add-feed", {"feed": "airbnb/x", "self": 1}, 422),
        ("/control/fault", {"feed": AIRBNB, "kind": "html", "times": True}, 422),
    ],
)
def test_bad_commands_are_refused_in_one_line(server, path, body, status):
    """The answer says what is wrong, and the world is as it was."""
    before = ask(server, "GET", "/control/truth").body
    reply = ask(server, "POST", path, body)

    assert reply.status == status
    assert "\n" not in reply.json["error"]
    assert ask(server, "GET", "/control/truth").body == before


def test_a_page_of_elsewhere_cannot_play_the_world(server):
    """A content type that a browser sends without a preflight request is refused."""
    reply = ask(server, "POST", "/control/advance", b'{"days": 1}', **{"Content-Type": "text/plain"})

    assert reply.status == 422
    assert ask(server, "GET", "/control/truth").json["now"] == "2026-11-20T09:00:00Z"


def test_unknown_feeds_are_not_found(server):
    """404 for an unknown feed; the index lists the known ones."""
    assert ask(server, "GET", "/airbnb/none.ics").status == 404
    assert ask(server, "GET", "/favicon.ico").status == 404
    assert f"/{AIRBNB}.ics" in ask(server, "GET", "/").body.decode().splitlines()


def test_faults_are_served_and_counted(server):
    """A 429 with Retry-After once, then the feed again."""
    control(server, "fault", feed=BOOKING, kind="429", times=1)
    first, second = (ask(server, "GET", f"/{BOOKING}.ics") for _ in range(2))

    assert (first.status, first.headers["Retry-After"]) == (429, "120")
    assert second.status == 200


@pytest.mark.parametrize("kind", ["drip", "timeout"])
def test_slow_answers_outlast_an_impatient_client_and_harm_no_other(server, kind):
    """The client gives up; another feed answers meanwhile, and the server still stops."""
    control(server, "fault", feed=BOOKING, kind=kind)
    with pytest.raises(TimeoutError):
        read_for_a_while(server, f"/{BOOKING}.ics")

    assert ask(server, "GET", f"/{AIRBNB}.ics").status == 200


def test_a_restart_brings_the_world_back(server, tmp_path):
    """Each change is in the file at once: another server of the same folder serves the same."""
    control(server, "book", feed=AIRBNB, check_in="2027-03-01", check_out="2027-03-04", guest="Ann")
    control(server, "fault", feed=BOOKING, kind="html", times=2)
    ask(server, "GET", f"/{BOOKING}.ics")
    again = load_world(tmp_path)

    assert again.render(AIRBNB) == server.shared.world.render(AIRBNB)
    assert [fault.left for fault in again.faults[BOOKING]] == [1]


def test_a_port_in_use_is_one_clear_line(server):
    """The error names the port and what to do."""
    with pytest.raises(SimulatorError, match=rf"port {server.server_address[1]} .*--port"):
        SimulatorServer(SharedWorld(build_demo(1, NOW)), server.server_address[1])


# the command line


def test_the_command_line_plays_the_world(server, capsys):
    """Every command prints what came of it, and exits 0."""
    at = ["--url", server.url]
    for line in (
        f"book {AIRBNB} 2027-03-01 2027-03-04 --guest Ann",
        "move stay-15 2027-03-02",
        "move stay-15 2027-03-02 2027-03-09",
        "cancel stay-15 --leave-block",
        "unblock stay-16",
        "bring-back stay-15",
        f"block {AIRBNB} 2027-05-01 2027-05-03 --over",
        f"fault {AIRBNB} html --times 2",
        f"clear {AIRBNB}",
        "clear",
        "advance --days 1 --hours 2",
        "live --hours 3 --faulty",
        f"options {AIRBNB} form=0.8.8 notice_days=2",
        "stays",
    ):
        assert run([*line.split(), *at]) == 0, line
        assert capsys.readouterr().out.strip(), line
    assert run(["truth", *at]) == 0
    truth = json.loads(capsys.readouterr().out)
    assert next(s for s in truth["stays"] if s["id"] == "stay-15")["check_out"] == "2027-03-09"


def test_the_config_that_is_printed_names_this_server(server, capsys):
    """The document is JSON, which is YAML, with the feeds' own addresses."""
    assert run(["config", "--url", server.url]) == 0
    sources = [s for p in json.loads(capsys.readouterr().out)["properties"] for u in p["units"] for s in u["sources"]]

    assert [s["url"].startswith(server.url) for s in sources] == [True] * 4


@pytest.mark.parametrize(
    "line",
    [
        "",
        "explode",
        "book",
        f"book {AIRBNB} soon later",
        "move stay-1 2027-13-01",
        "fault airbnb/x html",
        f"fault {AIRBNB} gremlins",
        "advance --days many",
        "advance --days -1",
        f"options {AIRBNB} form",
        "cancel stay-99",
        "serve --port 99999",
        "truth --url ftp://x",
    ],
)
def test_bad_use_is_one_line_and_exit_2(server, capsys, line):
    """The line says what is wrong; nothing else is printed."""
    words = line.split()
    words[1:1] = ["--url", server.url]
    try:
        code = run(words)
    except SystemExit as stopped:
        code = stopped.code
    printed = capsys.readouterr()

    assert code == 2
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1


def test_every_command_has_a_help(capsys):
    """`--help` describes the command and exits 0."""
    for command in (
        "",
        "serve",
        "book",
        "move",
        "cancel",
        "block",
        "advance",
        "fault",
        "clear",
        "truth",
        "config",
        "options",
        "score",
    ):
        with pytest.raises(SystemExit) as stopped:
            run([*command.split(), "--help"])
        assert stopped.value.code == 0
        assert "python -m simulator" in capsys.readouterr().out


def test_a_served_process_says_when_it_is_ready_and_ends_on_sigterm(tmp_path):
    """One line once it answers; SIGTERM ends it with 0; its state is there for the next."""
    command = [sys.executable, "-m", "simulator", "serve", "--port", "0", "--state", str(tmp_path / "state")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            ready = process.stdout.readline()
            url = next(word.rstrip(";") for word in ready.split() if word.startswith("http://"))
            assert run(["book", AIRBNB, "2028-03-01", "2028-03-04", "--url", url]) == 0
            port = url.rpartition(":")[2]
            second = subprocess.run(
                [*command[:5], port, *command[6:]], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
            )
        finally:
            process.send_signal(signal.SIGTERM)
            rest, errors = process.communicate(timeout=30)

    assert (process.returncode, rest, errors) == (0, "", "")
    assert (second.returncode, len(second.stderr.splitlines())) == (2, 1)
    assert len(load_world(tmp_path / "state").stays) == 17
