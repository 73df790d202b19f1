"""``python -m local up|checkpoint|demo``, called by the Makefile."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from botocore.exceptions import BotoCoreError, ClientError

from local import cloud
from local.errors import LocalError
from local.place import Place


def main(arguments: list[str]) -> int:
    """Run a command; on LocalError print one line and return 2."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return _run(arguments[0] if arguments else "", Place.from_env())
    except LocalError as error:
        print(f"bokit: {error}", file=sys.stderr)
        return 2
    except (BotoCoreError, ClientError) as error:
        print(
            f"bokit: the local cloud does not answer as it should; .bokit/log/emulator.log may say why: {error}", file=sys.stderr
        )
        return 2
    except KeyboardInterrupt:
        return 130


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End as at an interrupt, so that what was started is stopped."""
    raise KeyboardInterrupt


def _run(command: str, place: Place) -> int:
    if command == "up":
        addresses = cloud.up(place.enter(), _print)
        print(f"The local cloud is up. Its API: {addresses['api_url']}")
        print(f"Its page, signed in: {addresses['page_url']}")
        print("Addresses and an admin token are in .bokit/local.json, readable by your user only.")
    elif command == "checkpoint":
        cloud.checkpoint(place)
    elif command == "demo":
        from local.demo import run_demo

        run_demo(place.enter())
    else:
        raise LocalError("use `python -m local up`, `checkpoint` or `demo`")
    return 0


def _print(line: str) -> None:
    """Print a line at once: a reader of a pipe sees that it goes on, too."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
