"""``python -m local.restore STAGE --to TABLE [--from NAME] [--at TIME] [--key ARN]``, called by ``make restore``.

Prints the parameters of ``make deploy`` on standard output, and the steps on standard error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from local.deploy.stages import find_stage
from local.errors import DeployError, RestoreError
from local.restore.flow import Request, restore


def read_time(text: str) -> datetime | None:
    """Return a time with its zone, to the second; None for the latest. Raises RestoreError."""
    if text in ("", "latest"):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise RestoreError(f"AT is not a time: {text}; write 2026-11-29T12:00:00Z") from None
    if at.tzinfo is None:
        raise RestoreError(f"AT has no zone: {text}; write {text}Z for UTC")
    return at.astimezone(UTC).replace(microsecond=0)


def _read_request(arguments: Sequence[str]) -> Request:
    parser = argparse.ArgumentParser(prog="make restore")
    parser.add_argument("stage")
    parser.add_argument("--from", dest="origin", default="")
    parser.add_argument("--to", dest="table", required=True)
    parser.add_argument("--at", default="")
    parser.add_argument("--key", default="")
    parser.add_argument("--keep-tokens", action="store_true")
    options = parser.parse_args(arguments)
    if not options.table:
        raise RestoreError("name the table to be made: NEW=bokit-restored-1")
    return Request(
        origin=options.origin or find_stage(options.stage).stack,
        table=options.table,
        at=read_time(options.at),
        key=options.key or None,
        keeps_tokens=options.keep_tokens,
    )


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main(arguments: Sequence[str]) -> int:
    """Restore; what is wrong is one line on standard error, and 2."""
    try:
        found = restore(_read_request(arguments), _say)
    except (DeployError, RestoreError) as error:
        _say(f"bokit: {error}")
        return 2
    except KeyboardInterrupt:
        _say("interrupted; run the same command again: it goes on where it stopped")
        return 130
    sys.stdout.write(" ".join(f"{name}={value}" for name, value in found.items()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
