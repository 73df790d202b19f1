"""One pass over a long list, part by part: items whose digest is not the agreed one are compared with their records."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence

from bokit.core.items.long_lists import TOMBSTONE, UNKNOWN, digest_item
from bokit.core.items.planning import find_type_changes, plan_shown
from bokit.core.items.reader import SeenItem
from bokit.core.items.rules import SHADOWED, WITHOUT_ID, is_foreign, read_items
from bokit.core.model.documents import RESERVED
from bokit.core.model.plan import Action
from bokit.core.model.records import Fields, Record
from bokit.core.model.runs import Trigger
from bokit.core.model.source_rules import FIELD_NOT_FOUND, Problem
from bokit.engine.base.retry import retry_on_conflict
from bokit.engine.lists.fields import FieldGuard
from bokit.engine.lists.limits import MAX_PLAN_TRIES
from bokit.engine.lists.records import BATCH, ListRecords
from bokit.engine.lists.session import ListSession
from bokit.sources.protocols import LongList

SLICE = 2000
"""Items that are read at a time, however many a page has."""
RESERVE = 45.0
"""Seconds that a worker keeps for saving its progress."""
BY_HAND = (Trigger.CLI, Trigger.MANUAL)
Row = tuple[SeenItem, str, str | None]
"""An item, its digest, and the digest that was agreed on."""
OTHER_SOURCE = "another source feeds the record of this id"


class ListPass:
    """A pass over one list."""

    def __init__(self, session: ListSession, listed: LongList) -> None:
        self.session, self.listed, self.context = session, listed, session.record_context
        self.records, self.fields = ListRecords(session), FieldGuard(session)
        self.source = session.head.source
        self.mapped: Fields | None = self.source.settings.get("fields")
        self.force = session.job.force and session.job.trigger in BY_HAND
        self._noted = 0
        """Problems of the fetch that are noted already."""

    def run(self) -> bool:
        """Read the parts that this pass has not read yet; return whether there was time for all."""
        for lines in self.listed.parts():
            for start in range(0, len(lines), SLICE):
                self._take(lines[start : start + SLICE])
            self._note_fetch_problems()
            is_late = self.session.seconds_left() < RESERVE and self.listed.token(0) is not None
            self.session.keep_up(self.listed, is_late=is_late)
            if is_late:
                return False
        self._note_fetch_problems()
        return True

    def _take(self, lines: Sequence[bytes]) -> None:
        seen = read_items([json.loads(line) for line in lines], self.source.settings, whole=True)
        self._note_item_problems(seen.problems)
        self._note_names(seen.entries)
        changed = [row for entry in seen.entries if (row := self._compare(entry))]
        unchanged = len(seen.entries) - len(changed)
        for start in range(0, len(changed), BATCH):
            if not self.fields.verdict.stops:
                self._save(changed[start : start + BATCH], unchanged)

    # ── what is noted ──

    def _note_item_problems(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            if problem.code != FIELD_NOT_FOUND:  # one part says nothing of the whole list
                self.session.note_problem(problem, identified=problem.code not in WITHOUT_ID)

    def _note_fetch_problems(self) -> None:
        """Note items that the fetch itself could not keep; what concerns the list as a whole is judged at its end."""
        found = list(self.listed.problems)
        for problem in found[self._noted :]:
            if problem.uid is not None or problem.code in WITHOUT_ID:
                self.session.note_problem(problem, identified=problem.uid is not None)
        self._noted = len(found)

    def _note_names(self, rows: Sequence[SeenItem]) -> None:
        """Note which mapped fields are found, and names that records need themselves."""
        session = self.session
        session.found |= self._find_mapped(rows)
        noted = {p.field for p in session.problems if p.code == "reserved-name"}
        for name in RESERVED:
            if name not in noted and any(name in row.fields for row in rows):
                session.add_problems([Problem(code="reserved-name", message=SHADOWED.format(name=name), field=name)])

    def _find_mapped(self, rows: Sequence[SeenItem]) -> set[str]:
        missing = [name for name in self.mapped or () if name not in self.session.found]
        return {name for name in missing if any(row.fields.get(name) is not None for row in rows)}

    # ── digests ──

    def _compare(self, row: SeenItem) -> Row | None:
        """Return an item that is to be compared with its record; None: its digest is the agreed one, or it is deleted."""
        digest = digest_item(row, self.session.salt, self.context.settings.volatile)
        if self._came_before(row.key, digest):
            return None
        self.session.counts["seen"] += 1
        before = self.session.known.pop(row.key, None)
        if row.is_deleted:
            self._note_deleted(row.key, before)
        elif self.session.job.new_only and before is not None:
            self.session.seen[row.key] = before
        elif before == digest and not self.force:
            self.session.note_seen(row.key, digest, before)
        else:
            return row, digest, before
        return None

    def _came_before(self, key: str, digest: str) -> bool:
        """Return whether an earlier part has shown this item: pages shift while they are read. The first one counts."""
        session = self.session
        if key not in session.seen and key not in session.tombstones:
            return False
        if session.seen.get(key) not in (digest, UNKNOWN):
            session.add_problems([Problem(code="duplicate-id", message="several items have this id", uid=key)])
        return True

    def _note_deleted(self, key: str, before: str | None) -> None:
        """Note an item that is shown as deleted; one that is not known never was here."""
        if before is None:
            return
        if self.session.job.new_only:
            self.session.seen[key] = before
        else:
            self.session.tombstones[key] = before
            self.session.log[key] = TOMBSTONE

    # ── records ──

    def _save(self, rows: Sequence[Row], unchanged: int) -> None:
        """Make the records of *rows* agree with them; *unchanged*: how many items of the part are the agreed ones."""
        ids = self.records.make_ids(row.key for row, _, _ in rows)
        loaded = [self.records.find(ids)]
        self.fields.judge([row for row, _, _ in rows], loaded[0], unchanged)

        def write() -> tuple[set[str], set[str]]:
            return self._write([row for row, _, _ in rows], loaded.pop() if loaded else self.records.find(ids))

        foreign, kept = retry_on_conflict(write, MAX_PLAN_TRIES)
        self.session.add_problems(Problem(code="other-source", message=OTHER_SOURCE, uid=key) for key in sorted(foreign))
        if not self.fields.verdict.stops:
            self._note_written([row for row in rows if row[0].key not in foreign], kept)

    def _note_written(self, rows: Sequence[Row], kept: Container[str]) -> None:
        """Note what was written; an item of which a field is held is compared again by the next pass."""
        for row, digest, before in rows:
            self.session.note_seen(row.key, UNKNOWN if row.key in kept else digest, before)

    def _write(self, rows: Sequence[SeenItem], records: Mapping[str, Record]) -> tuple[set[str], set[str]]:
        """Write what differs; return the keys that another source feeds, and those of which a guard holds a field."""
        foreign = {key for key, record in records.items() if is_foreign(record, self.context.fetch)}
        kept, actions = set[str](), list[Action]()
        for row in (row for row in rows if row.key not in foreign):
            fields = self.fields.keep(records.get(row.key), row)
            kept |= {row.key} if fields is not row.fields else set()
            action = self._plan(records.get(row.key), row.key, fields)
            actions += [action] if action else []
        if not self.fields.verdict.stops:
            self._apply(actions)
        return foreign, kept

    def _apply(self, actions: Sequence[Action]) -> None:
        self.session.apply(actions)
        self.session.counts["seen_changed"] += len(actions)
        self.session.written += len(actions)

    def _plan(self, record: Record | None, key: str, fields: Fields) -> Action | None:
        if record is not None and self.session.job.new_only:
            return None
        if record is not None and self.context.settings.schema is None:
            self.session.add_problems(find_type_changes(record, key, fields))
        return plan_shown(record, key, fields, self.context)
