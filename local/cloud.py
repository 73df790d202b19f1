"""Start and stop a local cloud: MiniStack, the simulated platforms, and the stack."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local import gateway, stack
from local.daemon import Daemon
from local.errors import LocalError
from local.place import REGION, Place

Report = Callable[[str], None]


def up(place: Place, report: Report = print) -> dict[str, Any]:
    """Start everything that is not running, and return the content of `.bokit/local.json`. Idempotent."""
    start_emulator(place, report)
    start_simulator(place, report)
    outputs = _deploy_if_changed(place, report)
    return _write_addresses(place, outputs)


def down(place: Place) -> None:
    """Stop everything; the data stays in `.bokit`."""
    for name in ("simulator", "emulator"):
        Daemon(name=name, home=place.home).stop()
    shutil.rmtree(place.home / "tmp", ignore_errors=True)


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


def start_emulator(place: Place, report: Report) -> None:
    """Start MiniStack on loopback with its saved state, unless it is running."""
    daemon = Daemon(name="emulator", home=place.home)
    if daemon.is_running():
        _require_same_port(place)
        return
    _require_free_port(place.port, "BOKIT_PORT")
    report(f"Starting the local cloud on {place.endpoint_url}")
    script = Path(__file__).with_name("emulator.py")
    command = [str(place.tools / "cloud/bin/python"), "-P", str(script)]
    process = daemon.start(command, env=_emulator_env(place), cwd=place.home)
    _wait_for(f"{place.endpoint_url}/_ministack/health", daemon, process.poll)
    (place.home / "run/port").write_text(str(place.port))


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
    _require_free_port(place.simulator_port, "BOKIT_SIMULATOR_PORT")
    report(f"Starting the simulated platforms on {place.simulator_url}")
    (state := place.home / "state/simulator").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "simulator", "serve", "--port", str(place.simulator_port), "--state", str(state)]
    process = daemon.start(command, env=place.aws_env(), cwd=place.root)
    _wait_for(place.simulator_url, daemon, process.poll)


def _deploy_if_changed(place: Place, report: Report) -> Mapping[str, str]:
    deployed, wanted = place.home / "run/deployed", stack.fingerprint(place)
    outputs = stack.load_outputs(place)
    if outputs and deployed.exists() and deployed.read_text() == wanted:
        return outputs
    report("Building the stack (sam build)")
    built = stack.build_stack(place)
    report("Deploying the stack (sam deploy)")
    stack.deploy_stack(place, built)
    deployed.write_text(wanted)
    checkpoint(place)
    return stack.load_outputs(place) or {}


def _write_addresses(place: Place, outputs: Mapping[str, str]) -> dict[str, Any]:
    if outputs["ApiId"] != gateway.API_ID:  # set when the API is created
        raise LocalError("an older Bokit made this local cloud: run `make down`, delete .bokit/state, and run `make up` again")
    url = gateway.api_url(place)
    gateway.wait_for_api(place, url)
    token = gateway.ensure_token(place, url, outputs["TableName"], _read_addresses(place).get("token"))
    addresses = {
        "endpoint_url": place.endpoint_url,
        "region": REGION,
        "table_name": outputs["TableName"],
        "stack_name": stack.STACK,
        "api_url": url,
        "ws_url": None,
        "page_url": None,
        "token": token,
        "allow_private_addresses": True,
        "calendar_key": outputs["CalendarKey"],
        "queue_url": outputs["QueueUrl"],
        "alert_topic": outputs["AlertTopicArn"],
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


def _wait_for(url: str, daemon: Daemon, poll: Callable[[], int | None], timeout: float = 60) -> None:
    until = time.monotonic() + timeout
    while not is_answering(url):
        if poll() is not None or time.monotonic() > until:
            daemon.stop()
            raise LocalError(f"the {daemon.name} did not start; see {daemon.log_file}")
        time.sleep(0.05)


def _require_free_port(port: int, variable: str) -> None:
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise LocalError(f"port {port} is in use; choose another one: `{variable}={port + 100} make up`") from None


def _require_same_port(place: Place) -> None:
    with contextlib.suppress(FileNotFoundError):
        running = (place.home / "run/port").read_text()
        if running != str(place.port):
            raise LocalError(f"the local cloud is running on port {running}; run `make down` first to use {place.port}")
