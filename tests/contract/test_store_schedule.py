"""What every store does with heads, shards, claims and leases."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest

from bokit.core.model.catalog import ShardId
from bokit.core.model.records import RunId, SourceId
from bokit.core.model.scheduling import Failure, Shard
from bokit.errors import StaleFenceError, StoreConflictError, UnknownIdError
from bokit.store.limits import MAX_RECENT_BATCHES
from bokit.store.protocols import Snapshot, Store
from bokit.values import replace
from tests.support.builders import DAY, HOUR, NOW, a_batch_run, a_change, a_head, a_record, a_schedule, a_source
from tests.support.steps import add_source, claim, lease_of

MINUTE = timedelta(minutes=1)


def due_at(store: Store, due: datetime | None) -> ShardId:
    """Make a shard that is due at *due*."""
    shard = store.pick_shard(1)
    store.save_source(a_head(a_source(shard_id=shard)), a_schedule(due_at=due))
    return shard


def test_due_shards_come_earliest_first(store: Store) -> None:
    """What is due now is found, the earliest first, up to the limit; what is not due, or never, is not."""
    late, early, exact = due_at(store, NOW - HOUR), due_at(store, NOW - DAY), due_at(store, NOW)
    due_at(store, NOW + timedelta(microseconds=1))
    due_at(store, None)

    assert [shard.id for shard in store.load_due(NOW).shards] == [early, late, exact]
    assert [shard.id for shard in store.load_due(NOW, limit=2).shards] == [early, late]
    assert store.load_due(NOW - 2 * DAY).shards == ()


def test_what_is_due_comes_page_by_page(store: Store) -> None:
    """Each page goes on where the one before ended, also among equal times, and whatever was completed meanwhile."""
    ids = [due_at(store, NOW - n // 2 * HOUR) for n in range(7)]
    due_at(store, NOW + HOUR)
    pages = [store.load_due(NOW, 3)]
    store.complete_batch(pages[0].shards[0].id, fence=0, schedules={}, next_due=NOW + HOUR, run=None)
    while pages[-1].cursor is not None:
        pages.append(store.load_due(NOW, 3, pages[-1].cursor))

    found = [shard.id for page in pages for shard in page.shards]
    assert sorted(found) == sorted(ids)
    assert [len(page.shards) for page in pages][:3] == [3, 3, 1]
    assert store.load_due(NOW, 50).cursor is None


def test_a_due_shard_comes_whole(store: Store) -> None:
    """A shard that the index finds has all that the shard itself has."""
    source = add_source(store)

    assert (
        list(store.load_due(NOW + DAY).shards) == store.load_shards([source.shard_id]) == [store.load_heads(source.shard_id)[0]]
    )


def test_shards_come_in_the_order_asked_for(store: Store) -> None:
    """Shards come in the order of the ids given, once each; unknown ones are left out."""
    ids = [due_at(store, NOW) for _ in range(3)]

    asked = [ids[2], ShardId("shard_none"), ids[0], ids[2]]
    assert [shard.id for shard in store.load_shards(asked)] == [ids[2], ids[0]]


def test_a_claim_raises_the_fence(store: Store) -> None:
    """A claimed shard says who holds it and how long, and carries a fence of its own."""
    source = add_source(store)
    before = store.load_shards([source.shard_id])[0]
    claimed = store.claim_shard(before, holder="a", now=NOW, until=NOW + MINUTE)

    assert claimed == replace(before, holder="a", claimed_until=NOW + MINUTE, fence=before.fence + 1)
    assert store.load_shards([source.shard_id]) == [claimed]


def test_a_claim_of_what_has_moved_on_is_none(store: Store) -> None:
    """Of two who read the same shard, one claims it, even when the first has already ended."""
    source = add_source(store)
    read = store.load_shards([source.shard_id])[0]
    mine = claim(store, source)
    store.complete_batch(mine.id, fence=mine.fence, schedules={}, next_due=NOW, run=None)

    assert store.claim_shard(read, holder="tick_1", now=NOW + DAY, until=NOW + 2 * DAY) is None


def test_a_claim_holds_until_it_expires(store: Store) -> None:
    """Another may claim from the very moment on at which the claim ends, not before; its holder may at any time."""
    source = add_source(store)
    held = claim(store, source, "a")
    end = held.claimed_until
    assert end is not None

    assert store.claim_shard(held, holder="b", now=end - timedelta(microseconds=1), until=end + HOUR) is None
    again = store.claim_shard(held, holder="a", now=NOW, until=end)
    assert again is not None
    taken = store.claim_shard(again, holder="b", now=end, until=end + HOUR)
    assert taken is not None
    assert (taken.holder, taken.fence) == ("b", held.fence + 2)


def test_a_shard_that_is_not_there_is_not_claimed(store: Store) -> None:
    """Nobody claims what does not exist."""
    assert store.claim_shard(Shard(id=ShardId("shard_9")), holder="a", now=NOW, until=NOW + HOUR) is None


def test_a_completed_batch_ends_the_claim(store: Store) -> None:
    """It writes its schedules, leaves the others, releases the claim, and sets the next due time."""
    one, other = add_source(store), add_source(store)
    shard = claim(store, one)
    schedule, run = a_schedule(due_at=NOW + DAY, failures=2), a_batch_run(sources=(one.id, other.id))
    store.complete_batch(shard.id, fence=shard.fence, schedules={one.id: schedule}, next_due=NOW + 2 * HOUR, run=run)

    after = store.load_shards([shard.id])[0]
    assert after == replace(
        shard,
        schedules={one.id: schedule, other.id: a_schedule()},
        holder=None,
        claimed_until=None,
        next_due=NOW + 2 * HOUR,
        recent=(run,),
    )
    assert store.load_due(NOW + HOUR).shards == ()


def test_a_completed_batch_without_a_next_time_takes_the_shard_out_of_the_index(store: Store) -> None:
    """A shard of which nothing is ever due is found no more, until a line says otherwise."""
    source = add_source(store)
    shard = claim(store, source)
    store.complete_batch(shard.id, fence=shard.fence, schedules={}, next_due=None, run=None)
    assert store.load_due(NOW + 900 * DAY).shards == ()

    store.save_source_schedule(shard.id, source.id, a_schedule(due_at=NOW))
    assert [found.id for found in store.load_due(NOW).shards] == [shard.id]


def test_a_completed_batch_that_comes_twice_changes_nothing_more(store: Store) -> None:
    """The same message delivered again leaves the same shard."""
    source = add_source(store)
    shard, run = claim(store, source), a_batch_run()
    for _ in range(2):
        store.complete_batch(shard.id, fence=shard.fence, schedules={source.id: a_schedule()}, next_due=NOW + DAY, run=run)

    assert store.load_shards([shard.id])[0].recent == (run,)


def test_a_completed_batch_after_the_claim_was_taken_over_writes_nothing(store: Store) -> None:
    """A worker whose claim was taken over is refused as a whole."""
    source = add_source(store)
    late = claim(store, source, "late")
    taken = store.claim_shard(late, holder="b", now=NOW + 2 * HOUR, until=NOW + 3 * HOUR)

    with pytest.raises(StaleFenceError):
        store.complete_batch(
            late.id, fence=late.fence, schedules={source.id: a_schedule(failures=9)}, next_due=None, run=a_batch_run()
        )
    assert store.load_shards([late.id]) == [taken]


def test_a_completed_batch_of_no_shard_is_stale(store: Store) -> None:
    """No batch of a shard that does not exist is completed."""
    with pytest.raises(StaleFenceError):
        store.complete_batch(ShardId("shard_9"), fence=0, schedules={}, next_due=None, run=None)


@pytest.mark.parametrize("ending", [NOW + DAY, None])
def test_what_comes_due_during_a_claim_is_not_put_off(store: Store, ending: datetime | None) -> None:
    """A source that was added or made due while a batch ran is due on time, though the batch knew nothing of it."""
    one, other = add_source(store), add_source(store)
    shard = claim(store, one)
    store.save_source_schedule(shard.id, other.id, a_schedule(due_at=NOW + MINUTE))
    store.save_source_schedule(shard.id, other.id, a_schedule(due_at=NOW + 2 * MINUTE))
    store.complete_batch(shard.id, fence=shard.fence, schedules={one.id: a_schedule(due_at=ending)}, next_due=ending, run=None)

    after = store.load_shards([shard.id])[0]
    assert after.next_due == NOW + MINUTE
    assert (after.holder, after.schedules[other.id].due_at) == (None, NOW + 2 * MINUTE)


def test_what_came_due_before_a_claim_is_the_batchs_own(store: Store) -> None:
    """A batch that saw the line decides itself when the shard is due again."""
    source = add_source(store)
    store.save_source_schedule(source.shard_id, source.id, a_schedule(due_at=NOW))
    shard = claim(store, source)
    store.complete_batch(shard.id, fence=shard.fence, schedules={source.id: a_schedule()}, next_due=NOW + DAY, run=None)

    assert store.load_shards([shard.id])[0].next_due == NOW + DAY


def test_a_line_never_puts_the_shard_off(store: Store) -> None:
    """The next due time is a lower bound: a later line leaves it, an earlier one lowers it."""
    source = add_source(store)
    for due, bound in ((NOW + DAY, NOW + HOUR), (None, NOW + HOUR), (NOW, NOW), (NOW + MINUTE, NOW)):
        store.save_source_schedule(source.shard_id, source.id, a_schedule(due_at=due))

        assert store.load_shards([source.shard_id])[0].next_due == bound


def test_a_shard_remembers_its_last_unchanged_batches(store: Store) -> None:
    """The last few unchanged batches are kept, newest first, each whole."""
    source = add_source(store)
    runs = [a_batch_run(started_at=NOW + n * HOUR, sources=tuple(SourceId(f"src_{m}") for m in range(n * 20))) for n in range(7)]
    for run in runs:
        shard = claim(store, source)
        store.complete_batch(shard.id, fence=shard.fence, schedules={}, next_due=NOW, run=run)

    assert store.load_shards([source.shard_id])[0].recent == tuple(reversed(runs[-MAX_RECENT_BATCHES:]))


def test_a_full_shard_is_completed_in_one_write(store: Store) -> None:
    """A hundred schedules, and a run of a hundred sources, fit one write."""
    source = add_source(store)
    shard = claim(store, source)
    schedules = {SourceId(f"src_{n:016d}"): a_schedule(failures=n) for n in range(100)}
    run = a_batch_run(run_id=RunId("run_" + "x" * 18), sources=tuple(schedules))
    store.complete_batch(shard.id, fence=shard.fence, schedules=schedules, next_due=NOW, run=run)

    after = store.load_shards([shard.id])[0]
    assert after.schedules == {source.id: a_schedule()} | schedules
    assert after.recent == (run,)


def test_a_lease_is_free_taken_and_given_back(store: Store) -> None:
    """A free lease is taken with a fence raised; another gets none until it is given back."""
    source = add_source(store)
    mine = lease_of(store, source, "a")

    assert (mine.holder, mine.fence, mine.until) == ("a", 1, NOW + HOUR)
    assert store.acquire_lease(source, holder="b", now=NOW, until=NOW + HOUR) is None
    store.release_lease(mine)
    assert lease_of(store, source, "b").fence == 2


def test_a_lease_that_is_mine_is_taken_again(store: Store) -> None:
    """Its holder may acquire it again, with a new fence that ends the old one."""
    source = add_source(store)
    first, second = lease_of(store, source, "a"), lease_of(store, source, "a")

    assert second.fence == first.fence + 1
    with pytest.raises(StaleFenceError):
        store.save_snapshot(Snapshot(), lease=first)


def test_a_lease_is_taken_over_from_the_moment_it_ends(store: Store) -> None:
    """A lease holds to its last microsecond, and not one longer."""
    source = add_source(store)
    end = lease_of(store, source, "a").until

    assert store.acquire_lease(source, holder="b", now=end - timedelta(microseconds=1), until=end + HOUR) is None
    assert store.acquire_lease(source, holder="b", now=end, until=end + HOUR) is not None


def test_giving_back_what_is_another_s_changes_nothing(store: Store) -> None:
    """A lease that was taken over is not given back by its old holder."""
    source = add_source(store)
    old = lease_of(store, source, "a")
    store.acquire_lease(source, holder="b", now=old.until, until=old.until + HOUR)
    store.release_lease(old)

    assert store.acquire_lease(source, holder="c", now=old.until, until=old.until + HOUR) is None


def test_a_stale_fence_writes_nothing(store: Store) -> None:
    """Once another took the lease, no write of the old holder passes, and what is stored stays as it was."""
    source = add_source(store)
    old = lease_of(store, source, "a")
    new = store.acquire_lease(source, holder="b", now=old.until, until=old.until + HOUR)
    assert new is not None
    head, record = store.load_head(source), a_record()
    writes = [
        lambda: store.apply_records([record], [a_change(record)], lease=old),
        lambda: store.save_snapshot(Snapshot(content=random.Random(1).randbytes(900_000)), lease=old),
        lambda: store.save_head(replace(head, etag="late"), lease=old),
    ]

    for write in writes:
        with pytest.raises(StaleFenceError):
            write()
    assert list(store.load_records(record.tenant, record.collection, record.scope)) == []
    assert store.load_changes(record.tenant, record.id).items == ()
    assert store.load_snapshot(source) == Snapshot()
    assert store.load_head(source) == head


def test_an_expired_lease_that_nobody_took_still_writes(store: Store) -> None:
    """Expiry alone ends nothing: the fence decides, and a slow run may finish if no other has started."""
    source = add_source(store)
    lease = store.acquire_lease(source, holder="a", now=NOW - DAY, until=NOW - HOUR)
    assert lease is not None

    assert store.save_snapshot(Snapshot(content=b"x"), lease=lease).version == 1


def test_a_saved_head_comes_back_and_gives_the_lease_back(store: Store) -> None:
    """What a slow sync learned is stored whole, and the next may begin."""
    source = add_source(store)
    lease = lease_of(store, source)
    learned = replace(
        store.load_head(source),
        etag="new",
        content_hash="h2",
        settle_at=NOW + DAY,
        snapshot_version=4,
        changed_at=NOW,
        failure=Failure(code="source-refused", message="404"),
    )
    store.save_head(learned, lease=lease)

    assert store.load_head(source) == replace(learned, version=learned.version + 1)
    assert store.acquire_lease(source, holder="b", now=NOW, until=NOW + HOUR) is not None


def test_a_head_that_the_owner_changed_meanwhile_is_not_overwritten(store: Store) -> None:
    """A sync that began before the source was edited does not undo the edit."""
    source = add_source(store)
    lease = lease_of(store, source)
    head = store.load_head(source)
    paused = store.save_source(replace(head, source=replace(source, enabled=False)), a_schedule(due_at=None))

    with pytest.raises(StoreConflictError) as caught:
        store.save_head(replace(head, etag="late"), lease=lease)
    assert not isinstance(caught.value, StaleFenceError)
    assert store.load_head(source).source == paused


def test_what_is_unset_in_a_head_is_unset_in_the_store(store: Store) -> None:
    """A failure that is over is forgotten."""
    source = add_source(store)
    for failure in (Failure(code="c", message="m"), None):
        lease = lease_of(store, source)
        store.save_head(replace(store.load_head(source), failure=failure), lease=lease)

        assert store.load_head(source).failure == failure


def test_a_head_says_until_when_its_lease_is_held(store: Store) -> None:
    """A run that saves the head which it read keeps no lease by that."""
    source = add_source(store)
    assert store.load_head(source).leased_until is None
    lease = store.acquire_lease(source, holder="run_1", now=NOW, until=NOW + HOUR)
    assert lease is not None
    held = store.load_head(source)
    assert (held.leased_until, store.load_heads(source.shard_id)[1][0].leased_until) == (NOW + HOUR, NOW + HOUR)

    store.save_head(held, lease=lease)

    assert store.load_head(source).leased_until is None


def test_leases_that_nobody_ended_are_counted(store: Store) -> None:
    """A release takes its own off, a failure too, a success all; a renewal adds none, and an edit of the owner changes none."""
    source = add_source(store)

    def count() -> int:
        return store.load_head(source).open_leases

    for number in (1, 2, 3):
        lease = store.acquire_lease(source, holder=f"dies_{number}", now=NOW + number * DAY, until=NOW + number * DAY + HOUR)
        assert (count(), store.load_heads(source.shard_id)[1][0].open_leases) == (number, number)
    assert lease is not None
    renewed = store.acquire_lease(source, holder="dies_3", now=NOW + 3 * DAY, until=NOW + 4 * DAY, renewal=True)
    assert renewed is not None
    assert count() == 3
    store.release_lease(renewed)
    assert count() == 2
    first, second = (lease_of(store, source, "message that comes twice") for _ in "12")
    assert count() == 4
    store.release_lease(first)
    assert count() == 3  # it was taken over, and its process is alive
    store.release_lease(second)
    assert count() == 2
    failed = lease_of(store, source, "fails")
    store.save_head(replace(store.load_head(source), failure=Failure(code="c", message="m")), lease=failed)
    assert count() == 2
    source = store.save_source(replace(store.load_head(source), source=replace(source, name="Other")), a_schedule())
    assert count() == 2
    lease = lease_of(store, source, "reads")
    store.save_head(replace(store.load_head(source), failure=None), lease=lease)
    assert count() == 0
    store.release_lease(lease_of(store, source, "edits"))
    assert count() == 0


def test_several_schedules_are_written_outside_a_claim(store: Store) -> None:
    """The claim stays, the due time falls to the earliest, and the batch that ends later must not raise it."""
    one, two, other = add_source(store), add_source(store), add_source(store)
    shard = claim(store, one)
    lines = {one.id: a_schedule(due_at=NOW + 2 * HOUR, failures=1), two.id: a_schedule(due_at=NOW + MINUTE)}
    store.save_schedules(shard.id, lines)

    after = store.load_shards([shard.id])[0]
    assert after == replace(shard, schedules={**shard.schedules, **lines}, next_due=NOW + MINUTE)
    store.complete_batch(shard.id, fence=shard.fence, schedules={other.id: a_schedule()}, next_due=NOW + DAY, run=None)
    assert store.load_shards([shard.id])[0].next_due == NOW + MINUTE
    with pytest.raises(UnknownIdError):
        store.save_schedules(ShardId("shard_9"), lines)


def test_a_hundred_schedules_are_written_outside_a_claim_at_once(store: Store) -> None:
    """As many as a shard has."""
    source = add_source(store)
    lines = {SourceId(f"src_{n:016d}"): a_schedule(failures=n) for n in range(100)}

    store.save_schedules(source.shard_id, lines)

    assert store.load_shards([source.shard_id])[0].schedules == {source.id: a_schedule()} | lines


def test_a_source_that_is_not_there_has_no_lease(store: Store) -> None:
    """A source that nobody saved is unknown, and no lease of it can be given back."""
    source = a_source()
    with pytest.raises(UnknownIdError):
        store.acquire_lease(source, holder="a", now=NOW, until=NOW + HOUR)
    with pytest.raises(UnknownIdError):
        store.load_head(source)


def test_of_many_claimers_exactly_one_wins(shared_store: Store) -> None:
    """Eight workers that read the same shard claim it at the same moment: one has it."""
    source = add_source(shared_store)
    for _ in range(5):
        shard = shared_store.load_shards([source.shard_id])[0]
        gate = Barrier(8)

        def race(n: int, shard: Shard = shard, gate: Barrier = gate) -> Shard | None:
            gate.wait(timeout=20)
            return shared_store.claim_shard(shard, holder=f"tick_{n}", now=NOW, until=NOW + HOUR)

        with ThreadPoolExecutor(8) as pool:
            won = [claimed for claimed in pool.map(race, range(8)) if claimed]
        assert len(won) == 1
        assert shared_store.load_shards([shard.id]) == won
        shared_store.complete_batch(shard.id, fence=won[0].fence, schedules={}, next_due=NOW, run=None)


def test_of_many_leaseholders_exactly_one_wins(shared_store: Store) -> None:
    """Eight runs want one source at the same moment: one has it, and only its writes pass."""
    source = add_source(shared_store)
    gate = Barrier(8)

    def race(n: int) -> int | None:
        gate.wait(timeout=20)
        lease = shared_store.acquire_lease(source, holder=f"run_{n}", now=NOW, until=NOW + HOUR)
        return lease.fence if lease else None

    with ThreadPoolExecutor(8) as pool:
        assert [fence for fence in pool.map(race, range(8)) if fence] == [1]


def test_lines_written_side_by_side_are_all_kept(shared_store: Store) -> None:
    """Eight writers of eight lines lose none, and the earliest due time stands."""
    source = add_source(shared_store)
    gate = Barrier(4)

    def write(n: int) -> None:
        gate.wait(timeout=20)
        shared_store.save_source_schedule(source.shard_id, SourceId(f"src_{n}"), a_schedule(due_at=NOW - n * MINUTE))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    shard = shared_store.load_shards([source.shard_id])[0]
    assert len(shard.schedules) == 5
    assert shard.next_due == NOW - 3 * MINUTE
