"""Run the score: each seed's world once, played to every policy, seeds side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from simulator.score.counting import Score, score
from simulator.score.registry import find_entry, open_policy
from simulator.score.worlds import record_tape

Scores = Mapping[str, Score]
"""By the name of the policy."""


@dataclass(frozen=True, slots=True)
class Job:
    """One seed's world, and the policies to play it to."""

    seed: int
    days: int
    policies: tuple[str, ...]


def run_job(job: Job) -> dict[str, Score]:
    """Return the score of each policy on one world."""
    tape = record_tape(job.seed, job.days)
    return {name: score(tape, open_policy(find_entry(name))) for name in job.policies}


def run_score(seeds: Sequence[int], days: int, policies: Sequence[str], on_end: Callable[[int], None]) -> dict[str, Score]:
    """Return the scores of all *seeds* together; *on_end* is called with each seed as it ends."""
    jobs = [Job(seed, days, tuple(policies)) for seed in seeds]
    total = {name: Score() for name in policies}
    for job, found in zip(jobs, _results(jobs), strict=True):
        for name, one in found.items():
            total[name].add(one)
        on_end(job.seed)
    return total


def _results(jobs: Sequence[Job]) -> Iterator[dict[str, Score]]:
    """Run the jobs, in as many processes as there are processors; a single one in this process."""
    workers = min(len(jobs), os.cpu_count() or 1)
    if workers == 1:
        yield from map(run_job, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(run_job, jobs)
