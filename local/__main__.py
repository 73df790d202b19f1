"""``python -m local up|down|checkpoint|demo``, called by the Makefile."""

from __future__ import annotations

import sys

from local import cloud
from local.errors import LocalError
from local.place import Place


def main(arguments: list[str]) -> int:
    """Run a command; on LocalError print one line and return 2."""
    try:
        return _run(arguments[0] if arguments else "", Place.from_env())
    except LocalError as error:
        print(f"bokit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _run(command: str, place: Place) -> int:
    if command == "up":
        addresses = cloud.up(place)
        print(f"The local cloud is up. Its API: {addresses['api_url']}")
        print("Addresses and an admin token are in .bokit/local.json, readable by your user only.")
    elif command == "down":
        cloud.down(place)
        print("The local cloud is down. Its data is kept.")
    elif command == "checkpoint":
        cloud.checkpoint(place)
    elif command == "demo":
        from local.demo import run_demo

        run_demo(place)
    else:
        raise LocalError("use `python -m local up`, `down`, `checkpoint` or `demo`")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
