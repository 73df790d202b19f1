"""The engine beside a model of nights that did not write it: Hypothesis chooses the steps, ``play`` compares.

The same sequences each time here: 600 where every test is required, as in CI, and a sample elsewhere. ``make model`` plays
20,000, others each time, and every mutant. A sequence that once failed is kept in ``kept.py``.
"""

from __future__ import annotations

import pytest

from tests.model.kept import KEPT, STRICT, read_steps
from tests.model.machine import PARTS, play_part
from tests.model.mutants import find_mutant, quiet
from tests.model.play import replay
from tests.support.required import is_all_required

EXAMPLES = 60 if is_all_required() else 12
"""Games of each part."""
SAMPLE = ("one_fetch_cancels", "updates_drop_edits", "held_feeds_close_nothing")
"""Mutants that are found soon."""


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_the_engine_agrees_with_the_model(part):
    """No night opens, no edit is lost, nothing is cancelled without evidence, and all comes to rest."""
    play_part(part, EXAMPLES, is_random=False)


@pytest.mark.parametrize("name", sorted(KEPT))
def test_a_sequence_that_once_failed(name):
    """It ends well now."""
    specs, steps = KEPT[name]
    with quiet():
        replay(specs, read_steps(steps))


@pytest.mark.parametrize("name", sorted(STRICT))
def test_a_sequence_that_once_failed_in_strict_play(name):
    """It ends well now; in strict play, only what must be an imported night may be left out of a calendar."""
    specs, steps = STRICT[name]
    with quiet():
        replay(specs, read_steps(steps), is_strict=True)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", SAMPLE)
def test_a_seeded_fault_is_found(mutant):
    """The model bites; ``python -m tests.model.mutants`` shows all of them."""
    assert find_mutant(mutant, games=4)
