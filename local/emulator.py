"""Run MiniStack and save its state regularly; MiniStack itself saves it only when it stops.

Runs in MiniStack's own environment and imports nothing of Bokit. SIGUSR1 saves at once.

    services           a file for each service: written one after the other, each replaced at once
    services.whole     the last save that was written to its end: links to the same files
    services.saving    exists while files are written: who is killed then comes back with what is whole

A deployment is saved when it has ended: half of one could be neither used nor updated.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger("checkpoint")
save_lock = threading.Lock()
wake = threading.Event()

MAX_PUT_OFF = 20
"""Regular saves that a deployment may put off; one that takes longer does not end."""
TRIES = 5
"""To read a service's state while it changes."""
AT_WORK = re.compile(r"(CREATE|UPDATE|UPDATE_ROLLBACK|ROLLBACK|DELETE)(_COMPLETE_CLEANUP)?_IN_PROGRESS")

Services = Mapping[str, Callable[[], Any]]


def collect(get: Callable[[], Any]) -> Callable[[], Any]:
    """Read a state now, to be written later: all are of one moment. One that never stands still is read when it is written."""
    for _ in range(TRIES):
        try:
            state = get()
        except RuntimeError:  # it changed while it was copied
            continue
        return lambda: state
    return get


def is_deploying(services: Services) -> bool:
    """Return whether a stack is being created, updated or deleted."""
    state = services["cloudformation"]() if "cloudformation" in services else {}
    stacks = getattr(state.get("stacks"), "_data", {})
    return any(AT_WORK.fullmatch(str(stack.get("StackStatus"))) for stack in stacks.values())


def write_whole(folder: Path, write: Callable[[], object]) -> None:
    """Write files to *folder*, and keep a copy of them once all are written."""
    folder.mkdir(parents=True, exist_ok=True)
    (mark := beside(folder, "saving")).touch()
    write()
    shutil.rmtree(beside(folder, "copy"), ignore_errors=True)
    link_all(folder, beside(folder, "copy"))
    shutil.rmtree(beside(folder, "next"), ignore_errors=True)
    beside(folder, "copy").rename(beside(folder, "next"))  # from here on it may take the place of the former one
    shutil.rmtree(beside(folder, "whole"), ignore_errors=True)
    beside(folder, "next").rename(beside(folder, "whole"))
    mark.unlink()


def recover(folder: Path) -> bool:
    """Put back what is whole, where the last save was cut off; return whether it was."""
    if not (mark := beside(folder, "saving")).exists():
        return False
    shutil.rmtree(folder, ignore_errors=True)
    if whole := next((kept for kept in (beside(folder, "next"), beside(folder, "whole")) if kept.is_dir()), None):
        link_all(whole, folder)
    mark.unlink()
    return True


def link_all(source: Path, target: Path) -> None:
    """Make *target* a folder of the same files: each is replaced by the next save, and never written to again."""
    shutil.copytree(source, target, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # not every file system can
        shutil.copy2(source, target)


def beside(folder: Path, name: str) -> Path:
    """Return what lies beside the folder under its name and another word."""
    return folder.with_name(f"{folder.name}.{name}")


def end_updates(text: str) -> str:
    """Return CloudFormation's state in which no update is under way: nobody goes on with one after a restart.

    >>> end_updates('{"StackStatus": "UPDATE_IN_PROGRESS"}')
    '{"StackStatus": "UPDATE_COMPLETE"}'
    """
    return re.sub(r'"StackStatus": "UPDATE\w*_IN_PROGRESS"', '"StackStatus": "UPDATE_COMPLETE"', text)


def rewind_streams(text: str) -> str:
    """Return Lambda's state in which streams are read from their beginning.

    MiniStack keeps how far each was read, and not what was in it: after a restart the first records count from nought again, and
    a function would sleep until as many as ever before had come.

    >>> rewind_streams('{"payload": {"dynamodb_stream_positions": {"data": {"a mapping": 1680}}}}')
    '{"payload": {"dynamodb_stream_positions": {"data": {"a mapping": 0}}}}'
    """
    state = json.loads(text)
    positions = state["payload"]["dynamodb_stream_positions"]["data"]
    positions.update(dict.fromkeys(positions, 0))
    return json.dumps(state)


REPAIRS: Mapping[str, Callable[[str], str]] = {"cloudformation.json": end_updates, "lambda.json": rewind_streams}
"""What MiniStack's state of a service lacks after a restart, by file."""


def repair(folder: Path) -> None:
    """Put the saved state of each service right, in place."""
    for name, fix in REPAIRS.items():
        if (file := folder / name).exists():
            fixed = file.with_suffix(".fixed")
            fixed.write_text(fix(file.read_text()))
            fixed.replace(file)


def main() -> None:
    """Serve until stopped."""
    folder = Path(os.environ["STATE_DIR"])
    if recover(folder):
        logging.warning("the last save was cut off: this is the state of the one before")
    repair(folder)

    from ministack import app  # type: ignore[import-not-found]

    save_unguarded = app.save_all

    def save(services: Services) -> None:
        with save_lock:
            states = {name: collect(get) for name, get in services.items()}
            write_whole(folder, lambda: save_unguarded(states))

    def save_regularly(seconds: float) -> None:
        put_off = 0
        while True:
            wake.wait(seconds)
            wake.clear()
            services = app._build_persistence_save_dict()
            if put_off < MAX_PUT_OFF and is_deploying(services):
                put_off += 1
                continue
            put_off = 0
            save(services)

    app.save_all = save
    signal.signal(signal.SIGUSR1, lambda *_: wake.set())
    seconds = float(os.environ.get("CHECKPOINT_SECONDS", "30"))
    threading.Thread(target=save_regularly, args=[seconds], daemon=True, name="checkpoint").start()
    app.main()


if __name__ == "__main__":
    main()
