"""The outbox and the event logs in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from bokit.core.model.codec import read_document, write_document
from bokit.core.model.events import Event, OutboxItem
from bokit.core.model.notices import AlertNote
from bokit.core.model.records import SourceId, TenantId
from bokit.store.event_protocol import StaleNote
from bokit.store.limits import MAX_OUTBOX_ITEMS
from bokit.store.memory.state import MemoryState


class MemoryEvents(MemoryState):
    """``EventStore`` in memory."""

    def put_outbox(self, item: OutboxItem) -> None:
        with self._lock:
            self._put_outbox(item)

    def load_outbox(
        self, partition: int, *, limit: int = MAX_OUTBOX_ITEMS, after: OutboxItem | None = None
    ) -> Sequence[OutboxItem]:
        begin = "" if after is None else after.sort_key
        with self._lock:
            items = [self._outbox[key] for key in sorted(self._outbox) if key[0] == partition and key[1] > begin]
            return [read_document(OutboxItem, write_document(item)) for item in items[:limit]]

    def number_events(self, item: OutboxItem, *, expires_at: datetime, unread_at: datetime | None = None) -> int | None:
        with self._lock:
            if self._outbox.pop((item.partition, item.sort_key), None) is None:
                return None
            log = self._events.setdefault(item.tenant, {})
            last = self._last_seq.get(item.tenant, 0)
            log.update({event.seq: event for event in item.numbered(last)})
            self._last_seq[item.tenant] = last + len(item.events)
            if unread_at is not None:
                self._unread[item.tenant] = unread_at
            return self._last_seq[item.tenant]

    def delete_outbox(self, item: OutboxItem) -> None:
        with self._lock:
            self._outbox.pop((item.partition, item.sort_key), None)

    def save_alert_note(self, note: AlertNote) -> None:
        with self._lock:
            before = self.load_alert_note(note.tenant, note.source_id)
            if before is None or before.hold != note.hold:
                self._alert_notes[note.tenant, note.source_id] = note

    def load_alert_note(self, tenant: TenantId, source_id: SourceId) -> AlertNote | None:
        with self._lock:
            return self._alert_notes.get((tenant, source_id))

    def load_stale_notes(self, sources: Iterable[tuple[TenantId, SourceId]]) -> Mapping[SourceId, datetime]:
        with self._lock:
            return {source_id: self._stale[t, source_id] for t, source_id in sources if (t, source_id) in self._stale}

    def save_stale_note(self, note: StaleNote, item: OutboxItem) -> bool:
        with self._lock:
            key = note.tenant, note.source_id
            if self._stale.get(key) == note.since:
                return False
            self._stale[key] = note.since
            self._put_outbox(item)
            return True

    def find_next_event(self, tenant: TenantId, *, after: int) -> int | None:
        with self._lock:
            return min((seq for seq in self._events.get(tenant, {}) if seq > after), default=None)

    def raise_last_seq(self, tenant: TenantId, *, by: int, stamp: str) -> bool:
        with self._lock:
            if self._seq_stamps.get(tenant) == stamp:
                return False
            self._seq_stamps[tenant] = stamp
            self._last_seq[tenant] = self._last_seq.get(tenant, 0) + by
            return True

    def clear_unread(self, tenant: TenantId, seq: int) -> None:
        with self._lock:
            if self._last_seq.get(tenant, 0) == seq:
                self._unread.pop(tenant, None)

    def load_last_seq(self, tenant: TenantId) -> int:
        with self._lock:
            return self._last_seq.get(tenant, 0)

    def load_events(self, tenant: TenantId, *, after: int, until: int) -> Sequence[Event]:
        with self._lock:
            log = self._events.get(tenant, {})
            return [log[seq] for seq in range(after + 1, until + 1) if seq in log]
