"""Which steps there are, how often each is chosen, and its numbers; and games that a seed chooses. Imports nothing of Bokit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from tests.model.styles import STYLES
from tests.model.world import FAULTS

Spec = tuple[int, bool, int]
"""A channel: its style, whether it imports our calendar, and how many guests have booked before."""
Step = tuple[Any, ...]
"""The name of a step, and its numbers."""
CHANNEL, ANY = range(3), range(40)
CHOICES: Mapping[str, tuple[int, tuple[Sequence[int], ...]]] = {
    "book": (8, (CHANNEL, range(60), range(1, 8))),
    "close": (3, (CHANNEL, range(2, 50), range(1, 6))),
    "cancel": (5, (ANY,)),
    "swap": (2, (ANY,)),
    "move": (3, (ANY, (1, -1, 2, -3, 10, -9))),
    "resize": (2, (ANY, (1, -1, -2, 3))),
    "link": (1, (CHANNEL, CHANNEL)),
    "edit": (5, (ANY,)),
    "hand": (1, (range(1, 60), range(1, 6))),
    "unhand": (1, (range(4),)),
    "apply": (2, (CHANNEL,)),
    "discard": (1, (CHANNEL,)),
    "pause": (1, (CHANNEL,)),
    "address": (1, (CHANNEL,)),
    "remove": (1, (CHANNEL,)),
    "option": (1, (range(4),)),
    "hours": (10, ((0, 0, 1, 2, 3, 3, 4),)),
    "sync": (4, (CHANNEL,)),
    "again": (2, (CHANNEL,)),
    "fault": (3, (CHANNEL, range(len(FAULTS)), (1, 4, 13, 20))),
    "crash": (2, (CHANNEL, ANY)),
}
NAMES = [name for name, (often, _) in CHOICES.items() for _ in range(often)]
BOOKED = (0, 1, 2, 4)


def choose(seed: int, steps: int = 40) -> tuple[list[Spec], list[Step]]:
    """Return the channels and the steps of a game; those of even seeds import nothing."""
    luck = Random(seed)
    imports = seed % 2 == 1
    count = luck.choice((1, 2, 2, 3))
    specs = [(luck.randrange(len(STYLES)), imports and luck.random() < 0.8, luck.choice(BOOKED)) for _ in range(count)]
    chosen: list[Step] = []
    for _ in range(steps):
        name = luck.choice(NAMES)
        if imports or name != "link":
            chosen.append((name, *(luck.choice(numbers) for numbers in CHOICES[name][1])))
    return specs, chosen
