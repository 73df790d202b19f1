"""What `make check` says of speed: which ratios of the short benchmarks are worse than the last ones. It never fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench.history import History, Loss, describe_machine, find_losses
from bench.suite import QUICK, Outcome, run_bench


def compare(history: History, run: Callable[[str, int], Outcome] = run_bench) -> list[str]:
    """Run the short benchmarks that the history knows; return a line for each loss and for each that was not run, or one line."""
    last = history.last_ratios(*describe_machine())
    names = [name for name in QUICK if any(known.startswith(f"{name}.") for known in last)]
    outcomes = [run(name, QUICK[name]) for name in names]
    lines = [str(loss) for outcome in outcomes for loss in confirm(outcome, last, run)]
    compared = sum(row.name in last for outcome in outcomes for row in outcome.rows)
    if not lines:
        well = f"bench: none of {compared} ratios is worse than the last by more than a fifth"
        lines.append(well if compared else "bench: nothing to compare with was measured by this Python and machine")
    for outcome in outcomes:
        if why := outcome.broken or outcome.lacking:
            lines.append(f"bench: {outcome.name} was not compared: {why}")
    return lines


def confirm(outcome: Outcome, last: Mapping[str, float], run: Callable[[str, int], Outcome]) -> list[Loss]:
    """Return the losses that a second measurement shows too: other work on the machine disturbs a single one."""
    seen = {loss.name for loss in find_losses(outcome.rows, last)}
    if not seen:
        return []
    return [loss for loss in find_losses(run(outcome.name, QUICK[outcome.name]).rows, last) if loss.name in seen]
