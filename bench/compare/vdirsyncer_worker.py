"""Runs in vdirsyncer's own environment: ``vdirsyncer_worker.py CONFIG``, then a command on each line of standard input.

A line such as ``sync PAIR`` is answered with the exit code of ``vdirsyncer --config CONFIG sync PAIR``, and the seconds of CPU
that the process has taken so far. One process runs them all, since the start of one takes half a second.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module


def main() -> None:
    """Run what the lines name."""
    answers, sys.stdout = sys.stdout, sys.stderr
    command = import_module("vdirsyncer.cli").app
    config = ["--config", sys.argv[1]]
    for line in sys.stdin:
        try:
            command.main([*config, *line.split()], standalone_mode=False)
            code: object = 0
        except SystemExit as end:
            code = end.code
        print(code, time.process_time(), file=answers, flush=True)


if __name__ == "__main__":
    main()
