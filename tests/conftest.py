"""What all tests share: which sockets they may open, and a feed on loopback."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pytest_socket import disable_socket, enable_socket, socket_allow_hosts

import bokit.net.adapter  # noqa: F401 - its sockets derive from the real ones, before any is disabled
from tests.support.aws_rules.watch import WATCH
from tests.support.chosen_examples import choose_examples
from tests.support.emulator import aws, emulated_store, emulator  # noqa: F401 - fixtures, one emulator for all folders
from tests.support.loopback import keep_to_loopback
from tests.support.required import fail_what_is_not_run, is_all_required
from tests.support.scheduling import UnitScheduling, sort_items

os.environ["POWERTOOLS_SERVICE_NAME"] = "bokit"  # Lambda has it ready before any handler is imported
WATCH.install()
keep_to_loopback()

PURE = ("unit", "engine")
"""Folders whose tests open no socket, unless a test is marked ``enable_socket``."""

FEED = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Tests//Feed//EN
BEGIN:VEVENT
UID:stay-1@feeds.example
DTSTART;VALUE=DATE:{start:%Y%m%d}
DTEND;VALUE=DATE:{end:%Y%m%d}
SUMMARY:Reserved
END:VEVENT
END:VCALENDAR
"""


def pytest_configure(config: pytest.Config) -> None:
    """Try the same examples in each run, unless others are asked for."""
    choose_examples(config.getoption("--hypothesis-profile", None))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what takes longest first."""
    sort_items(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Trace the fast tests of the core alone: they should cover every branch of it, and tracing doubles what a test costs.

    The mark ``no_cover`` is not enough: a worker of pytest-xdist has two recorders of pytest-cov, and it stops one.
    """
    tracer, of_threads = sys.gettrace(), threading.gettrace()
    if tracer is None or (_folder(item) == "unit" and not item.get_closest_marker("slow")):
        return (yield)
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type] # as the library documents
    try:
        return (yield)
    finally:
        threading.settrace(of_threads)  # type: ignore[arg-type]
        sys.settrace(tracer)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> UnitScheduling:
    """Divide the tests among the workers as tests/support/scheduling.py says."""
    return UnitScheduling(config, log)


def _folder(item: pytest.Item) -> str:
    """Return the folder of tests that one is in."""
    return item.path.relative_to(Path(__file__).parent).parts[0]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let no test speak to anything but loopback, and those of pure code to nothing at all."""
    enable_socket()
    if _folder(item) in PURE and not item.get_closest_marker("enable_socket"):
        disable_socket(allow_unix_socket=True)
    else:
        socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let nothing be left out where everything is required."""
    report = yield
    return fail_what_is_not_run(report) if is_all_required() else report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Nor a whole file of tests."""
    report = yield
    return fail_what_is_not_run(report) if is_all_required() else report


@pytest.fixture(autouse=True)
def held_against_the_wire(request: pytest.FixtureRequest) -> Iterator[None]:
    """No request to AWS breaks a rule of its service, unless the test is marked to send what does; then it must.

    What a wider fixture sends as it is made, or a thread that outlives its test, counts for the next test to end.
    """
    yield
    count, broken = WATCH.take()
    meant = {rule for mark in request.node.iter_markers("breaks") for rule in mark.args}
    assert not [str(each) for each in broken if each.rule not in meant]
    assert not count or meant <= {each.rule for each in broken}


@pytest.fixture(scope="session")
def feed_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a feed with one stay, served on loopback."""
    folder = tmp_path_factory.mktemp("feeds")
    start = datetime.now(UTC).date() + timedelta(days=30)
    body = FEED.format(start=start, end=start + timedelta(days=3)).replace("\n", "\r\n")
    (folder / "stay.ics").write_text(body, newline="")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietFiles, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/stay.ics"
    server.shutdown()
    server.server_close()


class QuietFiles(SimpleHTTPRequestHandler):
    """Serves files without logging."""

    def log_message(self, *args: Any) -> None: ...
