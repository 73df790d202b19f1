"""One table in a sync: its state, and its rows made into records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bokit.core.items.planning import RecordContext, plan_shown
from bokit.core.items.rules import is_foreign
from bokit.core.model.collections import OnMissing, make_id, read_record_settings
from bokit.core.model.json_schema import SchemaCheck
from bokit.core.model.plan import Action
from bokit.core.model.records import Record, RecordId
from bokit.core.model.source_rules import Problem
from bokit.core.tables.chunks import KeyRange, TableState
from bokit.core.tables.spec import TableSpec
from bokit.core.tables.values import SeenRow, pack_key
from bokit.engine.base.retry import retry_on_conflict
from bokit.engine.tables.limits import MAX_PLAN_TRIES
from bokit.engine.tables.session import TableSyncSession
from bokit.sources.sql.protocols import DatabaseSnapshot

BATCH = 200
"""Rows that are compared with their records at a time."""


class SyncedTable:
    """A table, as one sync of its source reads and writes it."""

    def __init__(self, session: TableSyncSession, spec: TableSpec) -> None:
        self.session, self.spec, self.name = session, spec, spec.name
        copies = session.head.source.settings.get("collections") or {}
        settings = {"collection": copies.get(spec.collection), "on_missing": str(self.policy)}
        others = session.other_sources.get(spec.collection, frozenset())
        context = replace(session.context, collection=spec.collection, other_sources=others)
        self.context = RecordContext(fetch=context, settings=read_record_settings(settings))

    @property
    def policy(self) -> OnMissing:
        """What becomes of rows that the table no longer shows."""
        return self.session.settings.policy_of(self.spec)

    @property
    def state(self) -> TableState:
        """What is agreed on for the table."""
        return self.session.states[self.name]

    @state.setter
    def state(self, state: TableState) -> None:
        self.session.states[self.name] = state

    def save_watermark(self, watermark: object) -> None:
        """Keep the last updated-at value seen; None: none yet."""
        self.state = replace(self.state, watermark=None if watermark is None else pack_key((watermark,))[0])

    def name_chunk(self) -> str:
        """Return a name that no chunk of the table has had yet."""
        self.state = replace(self.state, last_number=self.state.last_number + 1)
        return f"{self.state.fingerprint}/{self.state.last_number:06d}"

    # ── progress ──

    @property
    def is_finished(self) -> bool:
        """Return whether this pass has read the table before."""
        progress = self.session.memory.part
        return bool(progress and self.name in progress.finished)

    def finish(self) -> None:
        """Note that this pass has read the table."""
        if progress := self.session.memory.part:
            progress = replace(progress, finished=(*progress.finished, self.name))
            self.session.memory = replace(self.session.memory, part=progress)

    def count_rejected(self, rows: int) -> None:
        """Count rows that could not become records."""
        self.session.counts[f"refused:{self.name}"] += rows

    @property
    def has_rejected(self) -> bool:
        """Return whether rows of the table could not become records."""
        return self.session.counts[f"refused:{self.name}"] > 0

    # ── records ──

    def make_id(self, key: str) -> RecordId:
        """Return the id of the record with this key."""
        return make_id(self.spec.collection, key, self.context.settings.buckets)

    def find_records(self, ids: Iterable[RecordId]) -> Mapping[RecordId, Record]:
        """Return the stored records among *ids*."""
        return self.session.store.find_records(self.session.context.tenant, self.spec.collection, ids)

    def save_all(self, database: DatabaseSnapshot, *, since: object = None, only_new: bool = False) -> None:
        """Save rows without reading or writing chunks: those updated from *since* on, or those without a record."""
        batch: list[SeenRow] = []
        for row in database.fetch_rows(self.spec, KeyRange(), since):
            self.session.counts["seen"] += 1
            batch.append(row)
            if len(batch) >= BATCH:
                self.count_rejected(len(self.save_rows(batch, only_new=only_new)))
                batch.clear()
        self.count_rejected(len(self.save_rows(batch, only_new=only_new)))

    def save_rows(self, rows: Sequence[SeenRow], *, only_new: bool = False) -> set[str]:
        """Make the records of *rows* agree with them; return the keys of rows that cannot become records."""
        rejected = self._check_schema(rows)
        valid = [row for row in rows if row.key not in rejected]

        def save() -> set[str]:
            actions, foreign = self._plan_rows(valid, only_new=only_new)
            self.session.apply(actions)
            self.session.counts["seen_changed"] += len(actions)
            return foreign

        foreign = retry_on_conflict(save, MAX_PLAN_TRIES)
        message = "another source feeds the record of this id"
        self.session.add_problems(Problem(code="other-source", message=message, uid=key) for key in foreign)
        return rejected | foreign

    def _check_schema(self, rows: Sequence[SeenRow]) -> set[str]:
        if self.context.settings.schema is None:
            return set()
        check = SchemaCheck(self.context.settings.schema)
        found = {row.key: check.find_problems(row.fields, row.key) for row in rows}
        self.session.add_problems(problem for problems in found.values() for problem in problems)
        return {key for key, problems in found.items() if problems}

    def _plan_rows(self, rows: Sequence[SeenRow], *, only_new: bool) -> tuple[list[Action], set[str]]:
        """Return the actions for *rows*, and the keys of records that another source feeds."""
        ids = {row.key: self.make_id(row.key) for row in rows}
        records = self.find_records(ids.values())
        known = {key: records.get(record_id) for key, record_id in ids.items()}
        if only_new:
            rows, foreign = [row for row in rows if known[row.key] is None], set[str]()
        else:
            foreign = {key for key, record in known.items() if is_foreign(record, self.context.fetch)}
        planned = (plan_shown(known[r.key], r.key, r.fields, self.context) for r in rows if r.key not in foreign)
        return [action for action in planned if action], foreign
