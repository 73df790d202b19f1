"""The kinds of source: how each is fetched, and what its content means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bokit.core.model.records import CollectionName
from bokit.core.model.runs import SourceReport
from bokit.core.model.scheduling import Head
from bokit.core.model.source_rules import AnyRules
from bokit.engine.base.reconcile import ReconcilerFactory
from bokit.engine.sync.finish import Finisher
from bokit.engine.sync.job import StepRecorder, SyncJob, SyncResult
from bokit.sources.protocols import Fetcher, LongList
from bokit.values import Value


class TableSyncer(Protocol):
    """Syncs the tables of a database range by range, since they are too much for one body."""

    def run(self, head: Head, job: SyncJob, recorder: StepRecorder, *, exclusive: bool) -> SyncResult:
        """Sync the tables that *job* asks for."""
        ...

    def apply_held(self, head: Head, job: SyncJob, recorder: StepRecorder) -> SourceReport:
        """Apply or discard what is held, as *job* says, without reading the database."""
        ...


class ListSyncer(Protocol):
    """Syncs lists that are too long for one body, part by part."""

    def run(
        self, head: Head, job: SyncJob, recorder: StepRecorder, *, exclusive: bool, pages: LongList | None = None
    ) -> SyncResult:
        """Sync a list; *pages*: it was opened already."""
        ...

    def apply_held(self, head: Head, job: SyncJob, recorder: StepRecorder) -> SourceReport:
        """Apply or discard what is held, as *job* says, without reading the list."""
        ...


class SourceKind(Value):
    """A kind of source."""

    fetcher: Fetcher
    rules: AnyRules
    collection: CollectionName | None = None
    """The collection whose records people edit by these rules."""
    reconciler: ReconcilerFactory | None = None
    """Makes the reconciler of *collection*; None: nothing derives from its records."""
    tables: Callable[[Finisher], TableSyncer] | None = None
    """Makes the syncer of a database's tables; *fetcher* then shows their first rows alone, for a preview."""
    lists: Callable[[Finisher], ListSyncer] | None = None
    """Makes the syncer of lists that the *fetcher* found too long for one body."""
    is_shared: bool = False
    """Several sources, and people, may make records of one scope: the rules see all of them."""
    check_url: Callable[[str], object] | None = None
    """Checks its URLs; None: as the stack checks those that are fetched over HTTP."""
