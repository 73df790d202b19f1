"""The records of a long list, found by the keys of its items, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from bokit.core.items.planning import removable_at
from bokit.core.model.collections import make_id
from bokit.core.model.plan import Action
from bokit.core.model.records import Presence, Record, RecordId
from bokit.engine.lists.session import ListSession

BATCH = 500
"""Items that are compared with their records at a time."""


class ListRecords:
    """The records of one source's list."""

    def __init__(self, session: ListSession) -> None:
        self.session, self.source = session, session.head.source

    def make_id(self, key: str) -> RecordId:
        """Return the id of the record of this key."""
        return make_id(self.source.collection, key, self.session.record_context.settings.buckets)

    def make_ids(self, keys: Iterable[str]) -> dict[str, RecordId]:
        """Return the ids of the records of these keys."""
        return {key: self.make_id(key) for key in keys}

    def find(self, ids: Mapping[str, RecordId]) -> dict[str, Record]:
        """Return the stored records of these keys, by key, also those of other sources."""
        found = self.session.store.find_records(self.source.tenant, self.source.collection, ids.values())
        return {key: found[record_id] for key, record_id in ids.items() if record_id in found}

    def remove(self, keys: Iterable[str], plan: Callable[[Record], Action | None]) -> set[str]:
        """Apply *plan* to this source's records of these keys; return the keys of those that are not gone by then."""
        waiting, wanted = set[str](), list(keys)
        for start in range(0, len(wanted), BATCH):
            waiting |= self._remove_batch(wanted[start : start + BATCH], plan)
        self.session.dirty = self.session.dirty or bool(wanted)
        return waiting

    def _remove_batch(self, keys: Iterable[str], plan: Callable[[Record], Action | None]) -> set[str]:
        records = self._find_own(keys)
        planned = {key: action for key, record in records.items() if (action := plan(record))}
        after = {key: planned[key].after if key in planned else record for key, record in records.items()}
        self.session.apply(list(planned.values()))
        return {key for key, record in after.items() if self._is_waiting(record)}

    def _find_own(self, keys: Iterable[str]) -> dict[str, Record]:
        found = self.find(self.make_ids(keys))
        return {k: r for k, r in found.items() if r.source_id == self.source.id and r.presence is not Presence.GONE}

    def _is_waiting(self, record: Record) -> bool:
        """Return whether a record is not gone, and note when time alone may remove it."""
        if record.presence is Presence.GONE:
            return False
        self.session.ask_again_at(removable_at(record, self.session.record_context))
        return True
