"""Seeded faults of the engine, each one that a person might have made: ``python -m tests.model.mutants`` shows which are found.

Each replaces one function for a time. It counts as found when a game of the seeds fails that ends well without it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from bokit.core.bookings import guard, planning, rules
from bokit.core.bookings.evidence import Evidence
from bokit.core.bookings.feed_owner import FeedOwner
from bokit.core.bookings.guard import TRUSTED
from bokit.core.bookings.names import NameReader, NameVerdict
from bokit.core.bookings.rules import BookingRules
from bokit.core.bookings.uids import UidRoles
from bokit.core.ical.entries import EntryKind
from bokit.core.model.merge import change_action
from bokit.core.model.plan import ActionKind
from bokit.core.model.records import Record
from bokit.core.occupancy import holdings, publication
from bokit.core.occupancy.echo_verdict import EchoState
from bokit.core.occupancy.publication import PublicationRules
from bokit.engine.catalog.sources import SourceService
from bokit.engine.sync.job import context_of
from bokit.engine.sync.lease import acquire_lease
from bokit.engine.sync.sync import SourceSync
from bokit.values import replace
from tests.model.choice import choose
from tests.model.play import ModelError, replay

GAMES = 300
"""Games that a mutant must survive to count as missed."""


def names_never_differ() -> Any:
    """Another name is taken for the same guest's."""
    real = NameReader.compare

    def compare(self: NameReader, stay: Any, entry: Any, *, same_uid: bool) -> NameVerdict:
        found = real(self, stay, entry, same_uid=same_uid)
        return NameVerdict.EQUAL if found is NameVerdict.DIFFER else found

    return patch.object(NameReader, "compare", compare)


def uids_prove_nothing() -> Any:
    """A stay that moved is a new one, whatever its UID."""
    return patch.object(UidRoles, "identifies", lambda self, entry: False)


def updates_drop_edits() -> Any:
    """What the source changes, a person's edits are lost with."""
    real = change_action

    def change(before: Record, after: Record, *given: Any, **named: Any) -> Any:
        return real(before, replace(after, edits={}) if after.remote != before.remote else after, *given, **named)

    return patch.object(planning, "change_action", change)


def cancellations_drop_edits() -> Any:
    """A stay that is gone has no edits any more."""
    real = Record.as_gone
    return patch.object(Record, "as_gone", lambda self, *given: replace(real(self, *given), edits={}))


def every_fetch_is_trusted() -> Any:
    """No guard holds anything."""
    return patch.object(rules, "judge_fetch", lambda evidence: TRUSTED)


def holds_lift_at_once() -> Any:
    """Time lifts every hold in the first fetch."""
    return patch.object(guard, "is_lifted", lambda code, agreement, evidence: True)


def every_feed_is_ours() -> Any:
    """Another listing's calendar is taken for ours."""
    return patch.object(guard, "judge_owner", lambda evidence: FeedOwner.KNOWN)


def empties_release() -> Any:
    """A calendar that comes empty releases what it may release at once."""
    return patch.object(rules, "may_release_by_empty", lambda after, context: True)


def one_fetch_cancels() -> Any:
    """What one fetch misses is cancelled."""
    return patch.object(Evidence, "may_release", lambda self, record, since, context: True)


def half_the_time_cancels() -> Any:
    """What is missing is cancelled after half the time."""
    real = Evidence.may_release

    def may(self: Evidence, record: Record, since: Any, context: Any) -> bool:
        return real(self, record, since, replace(context, cancel_after=context.cancel_after / 2))

    return patch.object(Evidence, "may_release", may)


def short_stays_open_at_once() -> Any:
    """Nights that a stay gives up are opened in the same fetch."""
    return patch.object(planning, "nights_kept", lambda opened, evidence, context: {})


def held_feeds_close_nothing() -> Any:
    """What a doubtful feed newly closes is not held."""
    return patch.object(rules, "plan_provisional", lambda *given, **named: None)


def provisional_nights_are_private() -> Any:
    """What a doubtful feed newly closes is held, and published to nobody."""
    return patch.object(publication, "_window_nights", lambda booking: booking.bits if booking.state is EchoState.WINDOW else 0)


def blocks_are_private() -> Any:
    """Closures are published to nobody."""
    real = PublicationRules.judge

    def judge(self: PublicationRules, booking: Any, unit: Any, consumer: Any) -> Any:
        found = real(self, booking, unit, consumer)
        return found._replace(shown=0) if booking.kind is EntryKind.BLOCK else found

    return patch.object(PublicationRules, "judge", judge)


def guests_are_echoes() -> Any:
    """A reservation with a guest's name may repeat another one."""
    return patch.object(holdings, "may_repeat", lambda identity, kind: not identity.by_hand)


def own_nights_come_back() -> Any:
    """A channel reads its own bookings in its calendar."""
    return patch.object(publication, "_reported_nights", lambda booking, unit, consumer: 0)


def head_comes_first() -> Any:
    """The head says what was agreed before the records are written: a crash in between loses the change."""
    real = SourceSync._apply

    def apply(self: SourceSync, head: Any, job: Any, recorder: Any, lease: Any, fetched: Any) -> Any:
        context = context_of(head, job, self.clock(), {}, fetched)
        content = self.kind_of(head.source).rules.hash_content(fetched.body, context)
        self.store.save_head(replace(head, content_hash=content), lease=lease)
        again = acquire_lease(self.store, head.source, job.run_id, self.clock)
        return real(self, self.store.load_head(head.source), job, recorder, again, fetched)

    return patch.object(SourceSync, "_apply", apply)


def removal_releases() -> Any:
    """A source that is removed opens its nights."""
    real = SourceService.remove

    def remove(self: SourceService, tenant: Any, source: Any, *, release: bool = False, by: str) -> Any:
        return real(self, tenant, source, release=True, by=by)

    return patch.object(SourceService, "remove", remove)


def last_night_is_lost() -> Any:
    """A timed stay ends a night early."""
    real = BookingRules.read

    def shorten(entry: Any) -> Any:
        is_long = entry.starts_at is not None and (entry.check_out - entry.check_in).days > 1
        return replace(entry, check_out=entry.check_out - timedelta(days=1)) if is_long else entry

    def read(self: BookingRules, *given: Any) -> Any:
        seen = real(self, *given)
        return replace(seen, entries=tuple(map(shorten, seen.entries)))

    return patch.object(BookingRules, "read", read)


def updates_are_bookkeeping() -> Any:
    """A stay that changed its dates keeps the old ones."""
    real = planning._plan_pair

    def plan(pair: Any, diff: Any) -> Any:
        action = real(pair, diff)
        return None if action is not None and action.kind is ActionKind.UPDATE else action

    return patch.object(planning, "_plan_pair", plan)


MUTANTS: Mapping[str, Callable[[], Any]] = {
    mutant.__name__: mutant
    for mutant in (
        names_never_differ,
        uids_prove_nothing,
        updates_drop_edits,
        cancellations_drop_edits,
        every_fetch_is_trusted,
        holds_lift_at_once,
        every_feed_is_ours,
        empties_release,
        one_fetch_cancels,
        half_the_time_cancels,
        short_stays_open_at_once,
        held_feeds_close_nothing,
        provisional_nights_are_private,
        blocks_are_private,
        guests_are_echoes,
        own_nights_come_back,
        head_comes_first,
        removal_releases,
        last_night_is_lost,
        updates_are_bookkeeping,
    )
}


@contextmanager
def quiet() -> Iterator[None]:
    """Log nothing: mutants fail loudly."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def play_seed(seed: int) -> str | None:
    """Play a game; return what is wrong, or None."""
    specs, steps = choose(seed)
    try:
        replay(specs, [*steps, ("finish",)])
    except ModelError as error:
        return str(error).partition("\n")[0]
    except Exception as error:
        return f"0: {error!r}"
    return None


def find_mutant(name: str, games: int = GAMES) -> tuple[int, str] | None:
    """Return the seed of the first game that shows the mutant, and what it broke; None: it is missed."""
    for seed in range(games):
        with quiet(), MUTANTS[name]():
            wrong = play_seed(seed)
        if wrong is not None:
            with quiet():
                is_known = play_seed(seed) is not None
            if not is_known:
                return seed, wrong
    return None


def main() -> int:
    """Print a table of the mutants; fail where fewer than 18 of 20 are found."""
    names, found = sys.argv[1:] or list(MUTANTS), 0
    for name in names:
        shown = find_mutant(name)
        found += shown is not None
        print(f"{name:32} {f'game {shown[0]:3}: {shown[1][:80]}' if shown else 'missed'}", flush=True)
    print(f"{found} of {len(names)} found")
    return 0 if found * 10 >= len(names) * 9 else 1


if __name__ == "__main__":
    sys.exit(main())
