"""Conflicts of linked units: found after bookings were written, kept as records, and reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from bokit.core.bookings.night_history import record_night_history
from bokit.core.model.catalog import BOOKINGS
from bokit.core.model.records import Fields, Record, Scope
from bokit.core.occupancy.conflict_records import CONFLICTS, ConflictAuthor, ConflictChange, list_known, plan_conflicts
from bokit.core.occupancy.conflicts import find_conflicts
from bokit.engine.base.reconcile import ReconcileRequest, earliest
from bokit.engine.base.retry import retry_on_conflict
from bokit.engine.base.tenant_options import days_kept
from bokit.engine.bookings.calendar_reads import Pages
from bokit.engine.bookings.conflict_notices import notice_conflicts
from bokit.engine.bookings.door_code_books import DoorCodeBooks
from bokit.engine.bookings.pages import CalendarPublisher
from bokit.engine.bookings.unit_groups import UnitGroup, UnitGroupReader, UnitGroupView, recent_records
from bokit.store.protocols import Store
from bokit.values import Value

MAX_TRIES = 5
"""How often conflicts are planned again where another run wrote them meanwhile, or may have."""


class _Gathered(Value):
    """What one reconciliation works on, each part loaded once."""

    group: UnitGroup
    records: Sequence[Record]
    conflicts: Sequence[Record]
    pages: Pages


class _Planned(Value):
    """What must be written of the conflicts of what was gathered."""

    gathered: _Gathered
    view: UnitGroupView
    changes: Sequence[ConflictChange]


class BookingReconciler:
    """Finds conflicts after bookings were written, stores and reports them, follows door codes, publishes outgoing calendars."""

    def __init__(
        self,
        store: Store,
        defaults: Fields,
        *,
        publisher: CalendarPublisher | None = None,
        observe: Callable[[UnitGroupView], object] | None = None,
    ) -> None:
        self.store, self.defaults = store, defaults
        self.reader = UnitGroupReader(store, defaults)
        self.publisher, self.observe, self.books = publisher, observe, DoorCodeBooks(store)

    def record_history(self, before: Record | None, after: Record, at: datetime) -> Record:
        """Return *after* with the nights that a person gained and released; what a person adds was not there before."""
        return record_night_history(before, after, at=at, last_read=at)

    def reconcile(self, request: ReconcileRequest) -> datetime | None:
        """Open, change and close the conflicts of the unit and of those linked to it, then publish their calendars.

        Everything is read after the run's own writes, strongly consistent: of two runs that end at the same time, the
        later one sees both. Where both write the same conflict, the slower one starts again. What it writes may come
        after another run has looked, so it looks once more itself:

            slower run   │ reads: no conflict ·                 ·              │ closes  │ reads: there is one, opens it
            faster run   ·                    │ writes a booking │ reads: open  ·
        """
        return retry_on_conflict(lambda: self._reconcile(request), MAX_TRIES)

    def _reconcile(self, request: ReconcileRequest) -> datetime | None:
        planned = self._write_conflicts(request)
        found, view = planned.gathered, planned.view
        self.books.follow(view)
        if self.publisher and found.pages.calendars:
            self.publisher.publish_view(found.pages, view, found.records)
        if self.observe:
            self.observe(view)
        return earliest(self._held_again_at(view, request), view.settle_at, view.watch_at)

    def _write_conflicts(self, request: ReconcileRequest) -> _Planned:
        """Write what changed of the conflicts until nothing does, and return what was read last."""
        for _ in range(MAX_TRIES):
            planned = self._plan(request)
            if not planned.changes:
                break
            self._write(planned.gathered.group, planned.changes)
        return planned

    def _plan(self, request: ReconcileRequest) -> _Planned:
        found = self._gather(request)
        reads = self.reader.load_reads(found.group, found.pages) if self.publisher else None
        view = self.reader.load_view(found.group, recent_records(found.records, found.group.today), reads, request.held)
        author = ConflictAuthor(
            tenant=request.tenant, at=request.at, today=found.group.today, by=request.by, run_id=request.run_id
        )
        conflicts = find_conflicts(view.occupancy, found.group.turnover, list_known(found.conflicts))
        return _Planned(gathered=found, view=view, changes=plan_conflicts(found.conflicts, conflicts, author))

    def _gather(self, request: ReconcileRequest) -> _Gathered:
        """Load everything once. Pages come before what they are made from (see ``pages``), so first those of the unit itself;
        the group is loaded again only where a linked unit has a page.
        """
        tenant, scope = request.tenant, request.scope
        pages = self._load_pages(request, [scope])
        group = self.reader.load_group(tenant, scope, request.at)
        linked = self._load_pages(request, [s for s in group.scopes if s != scope])
        if linked.calendars:
            pages, group = pages | linked, self.reader.load_group(tenant, scope, request.at)
        found = self.store.load_scopes(tenant, (BOOKINGS, CONFLICTS), group.scopes)
        return _Gathered(group=group, records=found[BOOKINGS], conflicts=found[CONFLICTS], pages=pages)

    def _load_pages(self, request: ReconcileRequest, scopes: Sequence[Scope]) -> Pages:
        return self.publisher.load_pages(request.tenant, scopes) if self.publisher else Pages()

    def _held_again_at(self, view: UnitGroupView, request: ReconcileRequest) -> datetime | None:
        """Return the time of *request* where a hold just ended, None elsewhere: another run is needed at once.

        Runs that read the head before this run writes it still see the hold.
        """
        ended = {source for source, since in request.held.items() if since is None} & view.occupancy.doubtable
        is_seen = ended and any(self.reader.load_held(request.tenant, frozenset(ended)).values())
        return request.at if is_seen else None

    def _write(self, group: UnitGroup, changes: Sequence[ConflictChange]) -> None:
        """Write what changed, and one notice of it with the first of them."""
        news = [c for c in changes if c.news]
        records, lines = [c.record for c in changes], [c.line for c in changes]
        notices = [notice_conflicts(news, group)] if news else []
        days = days_kept(self.store, records, self.defaults)
        self.store.apply_records(records, lines, lease=None, kept_days=days, notices=notices)
