"""``make model``: 20,000 sequences of 40 steps, others each time, in as many processes as there are processors.

``python -m tests.model 100`` plays 100 of each part.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor

from tests.model.machine import PARTS, play_part

EXAMPLES = 2000


def play(part: int, examples: int) -> str | None:
    """Play one part; return what failed, with the steps that lead there."""
    try:
        play_part(part, examples, is_random=True)
    except Exception as error:
        return f"part {part}: {error}"
    return None


def main() -> int:
    """Play every part, and print what failed."""
    examples = int(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLES
    with ProcessPoolExecutor() as pool:
        found = [wrong for wrong in pool.map(play, range(PARTS), [examples] * PARTS) if wrong]
    print(*found, f"{PARTS * examples} sequences in {PARTS} parts, {len(found)} parts failed", sep="\n\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
