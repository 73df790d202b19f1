"""Run MiniStack and save its state regularly; MiniStack itself saves it only when it stops.

Runs in MiniStack's own environment and imports nothing of Bokit. SIGUSR1 saves at once.
"""

from __future__ import annotations

import logging
import os
import signal
import threading

from ministack import app  # type: ignore[import-not-found]

log = logging.getLogger("checkpoint")
save_lock = threading.Lock()
wake = threading.Event()
save_unguarded = app.save_all


def save(services: dict) -> None:  # type: ignore[type-arg]
    """Save the state of each service; a service that changes during it keeps its last good file."""
    with save_lock:
        save_unguarded(services)


def save_regularly(seconds: float) -> None:
    """Save every *seconds*, and when woken."""
    while True:
        wake.wait(seconds)
        wake.clear()
        save(app._build_persistence_save_dict())


def main() -> None:
    """Serve until stopped."""
    app.save_all = save
    signal.signal(signal.SIGUSR1, lambda *_: wake.set())
    seconds = float(os.environ.get("CHECKPOINT_SECONDS", "30"))
    threading.Thread(target=save_regularly, args=[seconds], daemon=True, name="checkpoint").start()
    app.main()


if __name__ == "__main__":
    main()
