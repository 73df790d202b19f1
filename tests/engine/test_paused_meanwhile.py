"""What a person decides while a batch is under way."""

from __future__ import annotations

from bokit.values import replace
from tests.support.queued_work import run_queue
from tests.support.rows_app import TestApp


def test_a_pause_during_a_batch_is_not_undone_by_its_beat():
    """The batch's beat may make the source due once more; the next batch puts that right without a fetch."""
    app = TestApp(queue=True)
    source = app.add_source("a", {"1": {"n": 1}})

    def pause_meanwhile():
        paused = replace(app.head(source), source=replace(app.head(source).source, enabled=False))
        app.store.save_source(paused, replace(app.schedule(source), due_at=None))
        return {"1": {"n": 1}}

    app.show(source, pause_meanwhile)
    app.bokit.tick()
    run_queue(app)
    for _ in range(5):
        app.clock.move(hours=2)
        app.bokit.tick()
        run_queue(app)

    assert len(app.fetcher.asked) == 1
    assert app.schedule(source).due_at is None
    assert app.queue.bodies == []
