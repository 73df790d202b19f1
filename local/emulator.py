"""Run MiniStack, and save its state now and then: by itself it saves only when it is stopped.

It runs in MiniStack's own environment and imports nothing of ours. SIGUSR1 saves at once.
"""

from __future__ import annotations

import logging
import os
import signal
import threading

from ministack import app  # type: ignore[import-not-found]

log = logging.getLogger("checkpoint")
one_at_a_time = threading.Lock()
wake = threading.Event()
save_unguarded = app.save_all


def save(services: dict) -> None:  # type: ignore[type-arg]
    """Save what each service keeps; a service that changes meanwhile keeps its last good file."""
    with one_at_a_time:
        save_unguarded(services)


def keep_saving(seconds: float) -> None:
    """Save every so many seconds, or when woken, for ever."""
    while True:
        wake.wait(seconds)
        wake.clear()
        save(app._build_persistence_save_dict())


def main() -> None:
    """Serve until stopped."""
    app.save_all = save
    signal.signal(signal.SIGUSR1, lambda *_: wake.set())
    seconds = float(os.environ.get("CHECKPOINT_SECONDS", "30"))
    threading.Thread(target=keep_saving, args=[seconds], daemon=True, name="checkpoint").start()
    app.main()


if __name__ == "__main__":
    main()
