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

from local import door, stack
from local.daemon import Daemon
from local.errors import LocalError
from local.place import REGION, Place

Say = Callable[[str], None]


def up(place: Place, say: Say = print) -> dict[str, Any]:
    """Bring everything up that is not, and return what `.bokit/local.json` holds. Twice is as good as once."""
    start_emulator(place, say)
    start_simulator(place, say)
    outputs = _deploy_if_changed(place, say)
    return _write_addresses(place, outputs)


def down(place: Place) -> None:
    """Stop everything; what the cloud holds is kept in `.bokit`."""
    for name in ("simulator", "emulator"):
        Daemon(name=name, home=place.home).stop()
    shutil.rmtree(place.home / "tmp", ignore_errors=True)


def checkpoint(place: Place) -> None:
    """Make the emulator save its state now."""
    Daemon(name="emulator", home=place.home).signal(signal.SIGUSR1)


def is_answering(url: str) -> bool:
    """Whether something speaks HTTP there."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def start_emulator(place: Place, say: Say) -> None:
    """Start MiniStack on loopback with the state that it saved last, unless it runs."""
    daemon = Daemon(name="emulator", home=place.home)
    if daemon.is_running():
        _require_same_port(place)
        return
    _require_free_port(place.port, "BOKIT_PORT")
    say(f"Starting the local cloud on {place.endpoint_url}")
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


def start_simulator(place: Place, say: Say) -> None:
    """Start the simulated platforms where they left off, unless they run."""
    daemon = Daemon(name="simulator", home=place.home)
    if daemon.is_running():
        return
    _require_free_port(place.simulator_port, "BOKIT_SIMULATOR_PORT")
    say(f"Starting the simulated platforms on {place.simulator_url}")
    (state := place.home / "state/simulator").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "simulator", "serve", "--port", str(place.simulator_port), "--state", str(state)]
    process = daemon.start(command, env=place.aws_env(), cwd=place.root)
    _wait_for(place.simulator_url, daemon, process.poll)


def _deploy_if_changed(place: Place, say: Say) -> Mapping[str, str]:
    note, wanted = place.home / "run/deployed", stack.fingerprint(place)
    outputs = stack.load_outputs(place)
    if outputs and note.exists() and note.read_text() == wanted:
        return outputs
    say("Building the stack (sam build)")
    built = stack.build_stack(place)
    say("Deploying the stack (sam deploy)")
    stack.deploy_stack(place, built)
    note.write_text(wanted)
    checkpoint(place)
    return stack.load_outputs(place) or {}


def _write_addresses(place: Place, outputs: Mapping[str, str]) -> dict[str, Any]:
    if outputs["ApiId"] != door.API_ID:  # an id is given once
        raise LocalError("this local cloud is an older Bokit's; `make down`, remove .bokit/state, and `make up` again")
    url = door.api_url(place)
    door.wait_for_api(place, url)
    token = door.keep_token(place, url, outputs["TableName"], _read_addresses(place).get("token"))
    told = {
        "endpoint_url": place.endpoint_url,
        "region": REGION,
        "table_name": outputs["TableName"],
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
    _write_privately(place.home / "local.json", json.dumps(told, indent=2) + "\n")
    return told


def _read_addresses(place: Place) -> dict[str, Any]:
    try:
        return dict(json.loads((place.home / "local.json").read_text()))
    except (OSError, ValueError):
        return {}


def _write_privately(file: Path, text: str) -> None:
    """Write a file that its owner alone may read, at once: it holds a token."""
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text(text)
    draft.replace(file)


def _wait_for(url: str, daemon: Daemon, poll: Callable[[], int | None], patience: float = 60) -> None:
    until = time.monotonic() + patience
    while not is_answering(url):
        if poll() is not None or time.monotonic() > until:
            daemon.stop()
            raise LocalError(f"the {daemon.name} did not come up; {daemon.log_file} tells why")
        time.sleep(0.05)


def _require_free_port(port: int, variable: str) -> None:
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise LocalError(f"port {port} is in use; choose another: `{variable}={port + 100} make up`") from None


def _require_same_port(place: Place) -> None:
    with contextlib.suppress(FileNotFoundError):
        running = (place.home / "run/port").read_text()
        if running != str(place.port):
            raise LocalError(f"the local cloud runs on port {running} already; `make down` first, to move it to {place.port}")
