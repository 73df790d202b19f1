"""Chooses the steps: a Hypothesis state machine over channels of ten kinds of feed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.model.choice import BOOKED, CHOICES, NAMES, Spec, Step
from tests.model.mutants import quiet
from tests.model.play import Play
from tests.model.styles import STYLES
from tests.support.chosen_examples import leave_out_our_numbers

PARTS, COUNT = 10, 40
"""Parts of the games, and steps of a game."""
STEPS = st.sampled_from(NAMES).flatmap(lambda name: st.tuples(st.just(name), *map(st.sampled_from, CHOICES[name][1])))
SPECS = st.lists(st.tuples(st.integers(0, len(STYLES) - 1), st.booleans(), st.sampled_from(BOOKED)), min_size=1, max_size=3)


class Nights(RuleBasedStateMachine):
    """One game; it ends with the time of rest."""

    part = 0
    """Which part of the sequences this is: in the even ones, channels import nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.play: Play | None = None
        self.has_failed = False

    @initialize(specs=SPECS)
    def open(self, specs: list[Spec]) -> None:
        """Open the channels, and add their sources."""
        chosen = [((style + self.part) % len(STYLES), imports and self.part % 2 == 1, count) for style, imports, count in specs]
        self._try(lambda: self._open(chosen))

    @rule(step=STEPS)
    def step(self, step: Step) -> None:
        """Play one step."""
        if (play := self.play) and not (self.part % 2 == 0 and step[0] == "link"):
            self._try(lambda: play.do(*step))

    def teardown(self) -> None:
        """Let the world stand still."""
        if self.play is not None and not self.has_failed:
            self.play.finish()

    def _open(self, specs: list[Spec]) -> None:
        self.play = Play(specs)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except BaseException:
            self.has_failed = True
            raise


def play_part(part: int, examples: int, *, is_random: bool) -> None:
    """Play one part of the sequences."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=COUNT,
        deadline=None,
        database=None,
        derandomize=not is_random,
        print_blob=is_random,
        suppress_health_check=list(HealthCheck),
    )
    with quiet(), nullcontext() if is_random else leave_out_our_numbers():
        run_state_machine_as_test(type(f"Nights{part}", (Nights,), {"part": part}), settings=chosen)
