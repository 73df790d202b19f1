"""Start and stop a local cloud: MiniStack, the simulated platforms, and the stack."""

from __future__ import annotations

import contextlib
import fcntl
import json
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from local import gateway
from local.changes import was_deployed
from local.daemon import Daemon
from local.down import daemons_of, remove_later, stop
from local.down import down as down
from local.errors import LocalError
from local.place import REGION, Place
from local.ports import check_ports
from local.progress import Report, progress
from local.update import update


def up(place: Place, report: Report = print, command: str = "make up") -> dict[str, Any]:
    """Start everything that is not running, and return the content of `.bokit/local.json`. Idempotent.

    Where it fails, or is interrupted, what it started is stopped again; what ran before goes on.
    """
    check_ports(place, command)
    with _alone(place, report), _stopped_on_failure(place, report):
        _remove_unfinished(place)
        start_emulator(place, report)
        start_simulator(place, report)
        outputs = update(place, report)
        checkpoint(place)
        return _write_addresses(place, outputs, report)


def checkpoint(place: Place) -> None:
    """Make the emulator save its state now."""
    Daemon(name="emulator", home=place.home).signal(signal.SIGUSR1)


def is_answering(url: str) -> bool:
    """Return whether an HTTP server answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


# ── starting ──


@contextlib.contextmanager
def _alone(place: Place, report: Report) -> Iterator[None]:
    """Let one `make up` at a time work on this cloud; the lock ends with its process, however that ends."""
    (file := place.home / "run/up.lock").parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("Waiting for another `make up` or `make demo` of this folder")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _stopped_on_failure(place: Place, report: Report) -> Iterator[None]:
    before = {daemon.name for daemon in daemons_of(place) if daemon.is_running()}
    try:
        yield
    except BaseException as error:
        why = "It failed" if isinstance(error, Exception) else "Interrupted"
        started = [d for d in reversed(daemons_of(place)) if d.is_running() and d.name not in before]
        report(f"{why}. What this started is stopped:" if started else f"{why}. What ran before goes on as it was.")
        stop(place, started, report)
        raise


def start_emulator(place: Place, report: Report) -> None:
    """Start MiniStack on loopback with its saved state, unless it is running."""
    daemon = Daemon(name="emulator", home=place.home)
    if daemon.is_running():
        return
    report(f"Starting the local cloud on {place.endpoint_url}")
    remove_later(place.home / "tmp")  # what a killed one left
    script = Path(__file__).with_name("emulator.py")
    command = [str(place.tools / "cloud/bin/python"), "-P", str(script)]
    process = daemon.start(command, env=_emulator_env(place), cwd=place.home, port=place.port)
    _wait_for(f"{place.endpoint_url}/_ministack/health", daemon, process.poll)


def _remove_unfinished(place: Place) -> None:
    """Remove what a first deployment left that failed or was cut off: half a stack, which can be neither used nor updated."""
    if was_deployed(place) or Daemon(name="emulator", home=place.home).is_running():
        return
    for folder in [place.home / "state/s3", *place.home.glob("state/services*")]:
        remove_later(folder) if folder.is_dir() else folder.unlink(missing_ok=True)


def _emulator_env(place: Place) -> dict[str, str]:
    (temporary := place.home / "tmp").mkdir(parents=True, exist_ok=True)
    state = place.home / "state"
    return place.aws_env() | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(place.port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_PORT": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state / "services"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state / "s3"),
        "LAMBDA_EXECUTOR": "local",
        "TMPDIR": str(temporary),
        "LOG_LEVEL": "WARNING",
        "DOCKER_HOST": f"unix://{temporary}/no-docker.sock",
    }


def start_simulator(place: Place, report: Report) -> None:
    """Start the simulated platforms with their saved state, unless they are running."""
    daemon = Daemon(name="simulator", home=place.home)
    if daemon.is_running():
        return
    report(f"Starting the simulated platforms on {place.simulator_url}")
    (state := place.home / "state/simulator").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "simulator", "serve", "--port", str(place.simulator_port), "--state", str(state)]
    process = daemon.start(command, env=place.aws_env(), cwd=place.root, port=place.simulator_port)
    _wait_for(place.simulator_url, daemon, process.poll)


def _wait_for(url: str, daemon: Daemon, poll: Callable[[], int | None], timeout: float = 60) -> None:
    until = time.monotonic() + timeout
    while not is_answering(url):
        if poll() is not None or time.monotonic() > until:
            raise LocalError(f"the {daemon.name} did not start; {daemon.log_file} says why")
        time.sleep(0.05)


def _write_addresses(place: Place, outputs: Mapping[str, str], report: Report) -> dict[str, Any]:
    if outputs["ApiId"] != gateway.STACK:  # set when the API is created
        raise LocalError("an older Bokit made this local cloud: run `make down`, delete .bokit/state, and run `make up` again")
    url = gateway.api_url(place)
    with progress(report, lambda: "waiting for the API"):
        gateway.wait_for_api(place, url)
    token = gateway.ensure_token(place, outputs["TableName"], _read_addresses(place).get("token"))
    addresses = {
        "endpoint_url": place.endpoint_url,
        "region": REGION,
        "table_name": outputs["TableName"],
        "stack_name": gateway.STACK,
        "api_url": url,
        "ws_url": outputs["LiveUrl"],
        "live_endpoint": outputs["LiveEndpoint"],
        "page_url": gateway.page_url(url, token),
        "token": token,
        "allow_private_addresses": True,
        "calendar_key": outputs["CalendarKey"],
        "queue_url": outputs["QueueUrl"],
        "alert_topic": outputs["AlertTopicArn"],
        "dead_letters": outputs["DeadLetters"],
        "simulator_url": place.simulator_url,
    }
    _write_privately(place.home / "local.json", json.dumps(addresses, indent=2) + "\n")
    return addresses


def _read_addresses(place: Place) -> dict[str, Any]:
    try:
        return dict(json.loads((place.home / "local.json").read_text()))
    except (OSError, ValueError):
        return {}


def _write_privately(file: Path, text: str) -> None:
    """Write a file atomically, readable by its owner only: it has a token."""
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600, exist_ok=False)
    new.write_text(text)
    new.replace(file)
