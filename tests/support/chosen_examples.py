"""Which examples Hypothesis tries: in the gate the same ones each time, on every machine; others on demand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from hypothesis import settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

settings.register_profile("same", derandomize=True, database=None)
settings.register_profile("random", derandomize=False, print_blob=True)


def choose_examples(profile: str | None) -> None:
    """Let each run of the tests try the same examples: what fails is then a change's doing, never a throw of the dice.

    ``pytest --hypothesis-profile=random`` looks for new ones.
    """
    if profile is None:
        settings.load_profile("same")
        _forget_numbers()
        mock.patch.object(providers, "_get_local_constants", Constants).start()


@contextmanager
def leave_out_our_numbers() -> Iterator[None]:
    """Keep the numbers of the loaded code from Hypothesis, which mixes them in.

    Each changed constant would change every example, and so would the order in which a worker imports its tests.
    """
    _forget_numbers()
    with mock.patch.object(providers, "_get_local_constants", Constants):
        yield
    _forget_numbers()


def _forget_numbers() -> None:
    providers.CONSTANTS_CACHE.cache.clear()
