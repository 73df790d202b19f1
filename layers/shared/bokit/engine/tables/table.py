"""One table in a sync: its state, and its rows made into records."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bokit.core.items.planning import RecordContext, plan_shown
from bokit.core.items.rules import is_foreign
from bokit.core.model.collections import OnMissing, make_id, read_record_settings
from bokit.core.model.field_changes import FieldDrift, FieldVerdict
from bokit.core.model.json_schema import SchemaCheck
from bokit.core.model.plan import Action
from bokit.core.model.records import Json, Presence, Record, RecordId
from bokit.core.model.runs import COUNTS
from bokit.core.model.source_rules import Problem
from bokit.core.tables.agreement import is_former, read_meaning, read_rules
from bokit.core.tables.chunks import TableState
from bokit.core.tables.progress import PassProgress
from bokit.core.tables.spec import TableSpec
from bokit.core.tables.values import SeenRow, pack_key
from bokit.engine.base.retry import retry_on_conflict
from bokit.engine.sync.limits import MAX_PASS_PROBLEMS
from bokit.engine.tables.limits import MAX_PLAN_TRIES
from bokit.engine.tables.session import TableSyncSession
from bokit.errors import BokitError, InputError
from bokit.sources.sql.protocols import DatabaseSnapshot
from bokit.values import replace

BATCH = 200
"""Rows that are compared with their records at a time."""
MARK = "table"
"""In a record's memory: the fingerprint of the table that shows it, where several feed its collection."""
OTHER_SOURCE, OTHER_TABLE = "another source feeds the record of this id", "another table feeds the record of this id"


@dataclass(slots=True)
class RowFaults:
    """What could not be read of some rows."""

    problems: list[Problem] = field(default_factory=list)
    rejected: int = 0
    unknown: int = 0
    """Rejected rows whose key cannot be read."""
    values: int = 0
    """Values that were left out of rows."""

    def add(self, row: SeenRow) -> None:
        """Add what could not be read of *row*."""
        if not row.problems:
            return
        self.problems = [*self.problems, *row.problems][:MAX_PASS_PROBLEMS]
        self.rejected += not row.is_usable
        self.unknown += not row.key and row.problems[0].code != "null-key"
        self.values += len(row.left_out)


class SyncedTable:
    """A table, as one sync of its source reads and writes it."""

    def __init__(self, session: TableSyncSession, spec: TableSpec, name: str | None = None) -> None:
        self.session, self.spec, self.name = session, spec, name or spec.name
        self.verdict, self.column_hold = FieldVerdict(), session.memory.holds.get(self.name)
        self.lost: list[FieldDrift] = []
        """Columns that are gone."""
        source = session.head.source
        copies = source.settings.get("collections") or {}
        self.meaning, self.rules = read_meaning(spec, source), read_rules(copies.get(spec.collection))
        # a person decides about what a former table leaves, where nobody said what becomes of it
        policy = OnMissing.DELETE if is_former(self.name) and self.policy is OnMissing.KEEP else self.policy
        settings = {"collection": copies.get(spec.collection), "on_missing": str(policy), "volatile": spec.volatile}
        others = session.other_sources.get(spec.collection, frozenset())
        context = replace(session.context, collection=spec.collection, other_sources=others)
        self.is_shared = spec.collection in session.shared
        mark = {MARK: self.state.fingerprint} if self.is_shared or self.state.marks_records else {}
        self.context = RecordContext(fetch=context, settings=read_record_settings(settings), mark=mark)

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

    # ── what was agreed on ──

    @property
    def is_read_alike(self) -> bool:
        """Return whether the last whole pass read the table as it is read now; a former release did not note how it did."""
        return self.state.meaning == self.meaning

    @property
    def is_recheck_due(self) -> bool:
        """Return whether each row is to be compared with its record, though it is the same: the record may have to differ."""
        state = self.state
        other_rules = bool(state.rules) and state.rules != self.rules
        return state.recheck or other_rules or (self.is_shared and not state.marks_records)

    def agree(self) -> None:
        """Note that a whole pass has read the table as it is read now."""
        marks = self.state.marks_records or self.is_shared
        self.state = replace(self.state, meaning=self.meaning, rules=self.rules, marks_records=marks, recheck=False)

    # ── progress ──

    @property
    def is_finished(self) -> bool:
        """Return whether this pass has read the table before."""
        progress = self.session.memory.part
        return bool(progress and self.name in progress.finished)

    def begin(self) -> None:
        """Begin the table's pass, or go on with it; from scratch where an earlier worker read the table in another way."""
        progress, meaning = self.session.memory.part or PassProgress(), f"{self.state.fingerprint}/{self.meaning}/{self.rules}"
        if progress.meanings.get(self.name, meaning) != meaning:
            progress = progress.restarted(self.name)
        progress = replace(progress, meanings={**progress.meanings, self.name: meaning})
        self.session.memory = replace(self.session.memory, part=progress)

    def note_watermark(self, database: DatabaseSnapshot) -> Json:
        """Return the watermark of the snapshot in which this pass began, packed: later ones show more than was read."""
        progress = self.session.memory.part or PassProgress()
        if self.name not in progress.marks:
            found = database.fetch_watermark(self.spec, self.session.at)
            packed = None if found is None else pack_key((found,))[0]
            progress = replace(progress, marks={**progress.marks, self.name: packed})
            self.session.memory = replace(self.session.memory, part=progress)
        return progress.marks[self.name]

    def finish(self) -> None:
        """Note that this pass has read the table."""
        progress = self.session.memory.part
        if progress and self.name not in progress.finished:
            progress = replace(progress, finished=(*progress.finished, self.name))
            self.session.memory = replace(self.session.memory, part=progress)

    def fail(self, error: BokitError) -> None:
        """Note that the table could not be read; what was written of it is compared again by the next pass."""
        self.session.failed[self.name] = error
        if self.session.memory.part and self.session.memory.part.is_open:
            self.state = replace(self.state, recheck=True)
        self.finish()

    def count(self, name: str, rows: int) -> None:
        """Count rows of the table alone."""
        self.session.counts[f"{name}:{self.name}"] += rows

    def counted(self, name: str) -> int:
        """Return how many rows were counted so."""
        return self.session.counts[f"{name}:{self.name}"]

    @property
    def counts(self) -> dict[str, int]:
        """The counts of the table in this pass, without those that are zero."""
        found = {name: self.counted(name) for name in COUNTS}
        found["unchanged"] = max(0, found["seen"] - self.counted("seen_changed") - found["refused"])
        return {name: n for name, n in found.items() if n}

    def note_faults(self, faults: RowFaults) -> None:
        """Count and list what could not be read of some rows."""
        self.session.add_problems(faults.problems)
        for name, rows in (("refused", faults.rejected), ("unknown", faults.unknown), ("left_out", faults.values)):
            self.count(name, rows)

    def advise(self, code: str, message: str) -> None:
        """Report what is odd about the table: in the run, and in the status as long as it lasts."""
        self.session.add_problems([Problem(code=code, message=message, field=self.spec.updated_at)])
        self.session.advice.append(f"table {self.spec.table!r}: {message}")

    # ── records ──

    def make_id(self, key: str) -> RecordId:
        """Return the id of the record with this key."""
        return make_id(self.spec.collection, key, self.context.settings.buckets)

    def find_records(self, ids: Iterable[RecordId]) -> Mapping[RecordId, Record]:
        """Return the stored records among *ids*."""
        return self.session.store.find_records(self.session.context.tenant, self.spec.collection, ids)

    def owns(self, record: Record) -> bool:
        """Return whether the record is a row of this table: marked so, or not marked as another one's."""
        if record.source_id != self.session.head.source.id or record.presence is Presence.GONE:
            return False
        mark = record.memory.get(MARK)
        return mark is None or mark not in {state.fingerprint for state in self.session.others_of(self.name).values()}

    def save_rows(self, rows: Sequence[SeenRow], *, only_new: bool = False, known: Container[str] = ()) -> set[str]:
        """Make the records of *rows* agree with them; return the keys of rows that cannot become records.

        *known*: keys that the table's chunks have, whose records are its own.
        """
        rejected = self._check_schema(rows)
        valid = [row for row in rows if row.key not in rejected]
        try:
            refused = self._save_valid(valid, known, only_new=only_new)
        except InputError as error:
            if error.stable_code != "too-large":
                raise
            refused = self._save_one_by_one(valid, known, only_new=only_new)
        self.session.add_problems(refused)
        return rejected | {str(problem.uid) for problem in refused}

    def _save_valid(self, rows: Sequence[SeenRow], known: Container[str], *, only_new: bool) -> list[Problem]:
        """Save rows, planned again where somebody changed their records meanwhile; return those that are another's."""

        def save() -> dict[str, str]:
            actions, foreign = self._plan_rows(rows, known, only_new=only_new)
            self.session.apply(actions)
            self.session.counts["seen_changed"] += len(actions)
            return foreign

        foreign = retry_on_conflict(save, MAX_PLAN_TRIES)
        return [Problem(code="other-source", message=why, uid=key) for key, why in foreign.items()]

    def _save_one_by_one(self, rows: Sequence[SeenRow], known: Container[str], *, only_new: bool) -> list[Problem]:
        """Save each row for itself, where the store cannot hold what one of them and the edits of its record come to."""
        refused = list[Problem]()
        for row in rows:
            try:
                refused += self._save_valid([row], known, only_new=only_new)
            except InputError as error:
                if error.stable_code != "too-large":
                    raise
                message = "the row is too large for its record, with what people changed in it; accept what the source says"
                refused.append(Problem(code="row-size", message=message, uid=row.key))
        return refused

    def _check_schema(self, rows: Sequence[SeenRow]) -> set[str]:
        if self.context.settings.schema is None:
            return set()
        check = SchemaCheck(self.context.settings.schema)
        found = {row.key: check.find_problems(row.fields, row.key) for row in rows}
        self.session.add_problems(problem for problems in found.values() for problem in problems)
        return {key for key, problems in found.items() if problems}

    def _plan_rows(
        self, rows: Sequence[SeenRow], known_keys: Container[str], *, only_new: bool
    ) -> tuple[list[Action], dict[str, str]]:
        """Return the actions for *rows*, and why others may not be planned: whose records they are."""
        ids = {row.key: self.make_id(row.key) for row in rows}
        records = self.find_records(ids.values())
        known = {key: records.get(record_id) for key, record_id in ids.items()}
        if only_new:
            rows, foreign = [row for row in rows if known[row.key] is None], dict[str, str]()
        else:
            others = [state for name, state in self.session.others_of(self.name).items() if not is_former(name)]
            whose = {key: self._find_owner(record, others, is_known=key in known_keys) for key, record in known.items()}
            foreign = {key: why for key, why in whose.items() if why}
        planned = (self._plan_row(known[row.key], row) for row in rows if row.key not in foreign)
        return [action for action in planned if action], foreign

    def _plan_row(self, known: Record | None, row: SeenRow) -> Action | None:
        """Return the action for one row; a field that could not be read keeps the value that it had."""
        kept = {name: known.remote[name] for name in row.left_out if name in known.remote} if known else {}
        fields = {**row.fields, **kept} if kept else row.fields
        return plan_shown(known, row.key, self.verdict.keep(known.remote, fields) if known else fields, self.context)

    def _find_owner(self, record: Record | None, others: Sequence[TableState], *, is_known: bool) -> str | None:
        """Return why a record is not this table's to change; None: it is.

        another source's, which feeds the collection         not ours
        marked as that of another table, which shows it      not ours
        not marked, and another table may have made it       not ours, unless our own chunks have it
        else                                                 ours
        """
        if record is None or not self.is_shared:
            return OTHER_SOURCE if is_foreign(record, self.context.fetch) else None
        if is_foreign(record, self.context.fetch):
            return OTHER_SOURCE
        mark = record.memory.get(MARK)
        if record.source_id != self.session.head.source.id or record.presence is not Presence.PRESENT:
            return None
        if mark is None:
            is_open = not is_known and any(state.rows and not state.marks_records for state in others)
            return OTHER_TABLE if is_open else None
        return OTHER_TABLE if mark in {state.fingerprint for state in others} else None
