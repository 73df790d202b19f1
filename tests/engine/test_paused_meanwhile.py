"""What a person decides while a batch is under way."""

from __future__ import annotations

from dataclasses import replace

from tests.engine.house import House
from tests.engine.test_sync import run_queue


def test_a_pause_during_a_batch_is_not_undone_by_its_beat():
    """The batch's beat may make the source due once more; the next batch puts that right without a fetch."""
    house = House(queue=True)
    source = house.add_source("a", {"1": {"n": 1}})

    def pause_meanwhile():
        paused = replace(house.head(source), source=replace(house.head(source).source, enabled=False))
        house.store.save_source(paused, replace(house.schedule(source), due_at=None))
        return {"1": {"n": 1}}

    house.show(source, pause_meanwhile)
    house.bokit.tick()
    run_queue(house)
    for _ in range(5):
        house.clock.move(hours=2)
        house.bokit.tick()
        run_queue(house)

    assert len(house.fetcher.asked) == 1
    assert house.schedule(source).due_at is None
    assert house.queue.bodies == []
