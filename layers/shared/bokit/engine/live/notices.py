"""Publishes the outbox's notices, until the alert topic has accepted them.

a notice      │ an outbox item of its own, written with what it is about
accepted      │ ──► the item is deleted; a crash before that publishes it twice, under one id
refused       │ ──► it stays, and each tick tries it again
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from bokit.core.model.events import OutboxItem
from bokit.core.model.notices import AlertNote, Notice
from bokit.core.model.records import SourceId
from bokit.engine.base.clock import Clock
from bokit.engine.live.limits import MAX_PUBLISHING
from bokit.outlets.protocols import Alerts
from bokit.store.event_protocol import EventStore
from bokit.store.limits import EVENT_TTL

log = logging.getLogger("bokit.events")


class NoticePublisher:
    """Publishes notices; without a topic it leaves them to a process that has one."""

    def __init__(self, store: EventStore, clock: Clock, alerts: Alerts | None) -> None:
        self.store, self.clock, self.alerts = store, clock, alerts

    def publish(self, items: Sequence[OutboxItem]) -> tuple[int, Exception | None]:
        """Publish notices, each on its own; return how many were accepted, and why the first was not.

        What a topic that does not answer leaves of the time, the next drain goes on with.
        """
        began, published, first = self.clock(), 0, None
        for item in items:
            if self.clock() - began > MAX_PUBLISHING:
                break
            try:
                published += self._publish_one(item)
            except Exception as error:
                log.exception("a notice was not published", extra={"facts": {"notice": item.id, "tenant": item.tenant}})
                first = first or error
        return published, first

    def _publish_one(self, item: OutboxItem) -> bool:
        """Publish a notice, and only then delete it. One that nobody accepted is deleted when events of its age are."""
        notice, now = item.notice, self.clock()
        is_old = item.at + EVENT_TTL <= now
        if notice is None or (self.alerts is None and not is_old):
            return False
        if is_old:
            log.error("a notice was accepted nowhere", extra={"facts": {"notice": item.id, "tenant": item.tenant}})
        elif self.alerts:
            self.alerts.publish([notice])
            self._note_alert(notice, now)
        self.store.delete_outbox(item)
        return not is_old

    def _note_alert(self, notice: Notice, now: datetime) -> None:
        """Note that a notice of a hold was accepted where a person gets it: time may lift some holds a day later."""
        source_id = str(notice.facts.get("source_id", ""))
        if self.alerts and self.alerts.delivers and notice.hold:
            note = AlertNote(tenant=notice.tenant, source_id=SourceId(source_id), hold=notice.hold, at=now)
            self.store.save_alert_note(note)
