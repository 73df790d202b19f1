"""The policies by name. Programs have their adapters outside of the simulator, which imports none of them by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from simulator.model import SimulatorError
from simulator.score.model import Policy


@dataclass(frozen=True, slots=True)
class Entry:
    """A policy that may be compared."""

    name: str
    title: str
    place: str
    """``module:class``, called without arguments."""


ENTRIES = (
    Entry("diff", "diff by UID", "simulator.score.policies:DiffByUid"),
    Entry("ignore-empty", "diff, ignores empty feeds", "simulator.score.policies:IgnoringEmpty"),
    Entry("two-empties", "diff, second empty counts", "simulator.score.policies:TwoEmpties"),
    Entry("overlap", "matches by overlap", "simulator.score.policies:OverlapMatcher"),
    Entry("vdirsyncer", "vdirsyncer", "bench.compare.vdirsyncer_policy:VdirsyncerPolicy"),
    Entry("bokit", "Bokit", "bench.compare.bokit_policy:BokitPolicy"),
)


def find_entry(name: str) -> Entry:
    """Return the policy of this name, or the one at ``module:class``."""
    known = next((entry for entry in ENTRIES if entry.name == name), None)
    if known is None and ":" not in name:
        names = ", ".join(entry.name for entry in ENTRIES)
        raise SimulatorError(f"no such policy: {name}; policies are {names}, or write module:class for your own")
    return known or Entry(name, name.rpartition(":")[2], name)


def open_policy(entry: Entry) -> Policy:
    """Import the policy and start it."""
    module, _, name = entry.place.partition(":")
    try:
        make: Callable[[], Policy] = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SimulatorError(
            f"the policy {entry.place} cannot be imported ({error}); run this in the project's folder"
        ) from error
    return make()
