"""Fields that vanish, or change their type, on a page of a long list: held in the rest of the pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bokit.core.items.reader import SeenItem
from bokit.core.model.field_changes import TYPE_CHANGED, FieldDrift, FieldVerdict, find_field_changes, judge_field_changes
from bokit.core.model.records import Fields, Presence, Record
from bokit.engine.lists.session import ListSession
from bokit.values import replace


class FieldGuard:
    """Judges the fields of one pass, batch by batch."""

    def __init__(self, session: ListSession) -> None:
        self.session, self.source, self.rules = session, session.head.source, session.record_context.settings
        self.verdict = FieldVerdict()
        self._drifts: dict[str, FieldDrift] = {}
        without = self.source.settings.get("without") or ()
        self._left_out = frozenset([*self.rules.preserve, *self.rules.volatile, *without])

    def judge(self, rows: Sequence[SeenItem], records: Mapping[str, Record], unchanged: int) -> None:
        """Judge items that differ from their records; *unchanged*: how many items beside them do not."""
        pairs = list(self._pair(rows, records))
        mapped = self.source.settings.get("fields")
        for drift in find_field_changes(pairs, mapped=mapped, left_out=self._left_out, unchanged=unchanged):
            if self.rules.schema is None or drift.code != TYPE_CHANGED:
                self._add(drift)
        memory = self.session.memory
        self.verdict = judge_field_changes(
            list(self._drifts.values()), self.rules.schema_policy, memory.rules.fields, self.session.at, memory.approved
        )

    def keep(self, record: Record | None, row: SeenItem) -> Fields:
        """Return an item's fields, the held ones as its record has them."""
        if record is None or record.source_id != self.source.id:
            return row.fields
        return self.verdict.keep(record.remote, row.fields)

    def _pair(self, rows: Sequence[SeenItem], records: Mapping[str, Record]) -> Iterable[tuple[Fields, Fields]]:
        for row in rows:
            record = records.get(row.key)
            if record and record.source_id == self.source.id and record.presence is not Presence.GONE:
                yield record.remote, row.fields

    def _add(self, drift: FieldDrift) -> None:
        if before := self._drifts.get(drift.key):
            drift = replace(drift, records=drift.records + before.records, known=drift.known + before.known)
        self._drifts[drift.key] = drift
