"""Runs in vdirsyncer's own environment: ``vdirsyncer_worker.py CONFIG``, then a command on each line of standard input.

A line such as ``sync PAIR`` is answered with the exit code of ``vdirsyncer --config CONFIG sync PAIR``. One process runs them
all, since the start of one takes half a second.
"""

from __future__ import annotations

import sys
from importlib import import_module


def main() -> None:
    """Run what the lines name."""
    answers, sys.stdout = sys.stdout, sys.stderr
    command = import_module("vdirsyncer.cli").app
    config = ["--config", sys.argv[1]]
    for line in sys.stdin:
        word, _, pair = line.strip().partition(" ")
        try:
            command.main([*config, word, pair], standalone_mode=False)
            code: object = 0
        except SystemExit as end:
            code = end.code
        print(code, file=answers, flush=True)


if __name__ == "__main__":
    main()
