"""One turn of an alert channel: it reads its tenant's event log from where it stopped, and sends what needs a person.

A message leaves the channel's state only after it was accepted, or given up, which the status says.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bokit.core.alerts.catalogs import find_catalog
from bokit.core.alerts.messages import AlertWriter
from bokit.core.alerts.news import ALERTED
from bokit.core.alerts.quiet_hours import find_digest_day, find_quiet_end, may_send_at, next_digest
from bokit.core.model.alerts import AlertChannel, AlertState, PendingAlert
from bokit.core.model.notices import AlertNote
from bokit.core.model.options import Options
from bokit.core.model.webhooks import WebhookFailure
from bokit.engine.base.clock import Clock
from bokit.engine.base.reconcile import earliest
from bokit.engine.live.alert_news import NewsReader, find_new_failures, read_failures
from bokit.engine.live.day_summary import SummaryParts, load_day
from bokit.engine.live.gaps import count_lost, find_gap_end
from bokit.engine.live.limits import (
    ALERT_CLAIM,
    MAX_ALERT_AGE,
    MAX_ALERT_READS,
    MAX_ALERT_RETRY,
    MAX_ALERT_RETRY_AFTER,
    MAX_ALERT_TURN,
    MAX_ALERT_UNREAD,
    MAX_ALERTS_PER_TURN,
    MAX_EVENTS_PER_PAGE,
    MAX_PENDING_ALERTS,
    MAX_REFUSED_AT_ONCE,
)
from bokit.errors import BokitError, NeverError, SourceUnavailableError
from bokit.observability import log_event
from bokit.outlets.protocols import AlertSender
from bokit.store.protocols import Store
from bokit.values import replace

log = logging.getLogger("bokit.alerts")


class AlertTurn:
    """One turn of a channel."""

    def __init__(
        self, store: Store, clock: Clock, sender: AlertSender, digest: SummaryParts, channel: AlertChannel, options: Options
    ) -> None:
        self.store, self.clock, self.sender, self.digest, self.channel = store, clock, sender, digest, channel
        self.zone = ZoneInfo(options["timezone"])
        self.writer = AlertWriter(find_catalog(str(options["locale"])), self.zone)
        self.state = AlertState(tenant=channel.tenant, channel_id=channel.id)
        self._left, self._refused = MAX_ALERTS_PER_TURN, 0
        self._ends = self.clock() + MAX_ALERT_TURN

    def take(self, state: AlertState) -> bool:
        """Take the turn; return whether there is more to read at once. Raises StoreConflictError where another took it."""
        now = self.clock()
        if state.held_until and state.held_until > now:
            return False
        self.state = state
        if not self.channel.enabled:
            self._save(due_at=None)
            return False
        failures = find_new_failures(self.store.load_webhook_failures(self.channel.tenant), state.failures_read)
        if not failures and self._skip_log(now):
            return False
        self._save(held_until=now + ALERT_CLAIM, due_at=now + ALERT_CLAIM)
        self._add_failures(failures)
        self._read_log()
        self._add_digest()
        wait = self._send_pending()
        self._save(held_until=None, due_at=self._next_due(wait))
        return self._may_go_on and self.store.load_last_seq(self.channel.tenant) > self.state.seq

    @property
    def _may_go_on(self) -> bool:
        """Return whether the turn has messages and time left: what happened meanwhile may have woken nobody."""
        return self._left > 0 and self.clock() < self._ends and len(self.state.pending) < MAX_PENDING_ALERTS

    def _skip_log(self, now: datetime) -> bool:
        """Return whether nothing is to be sent, and then only store how far the log was read: most events need nobody."""
        after, last = self.state.seq, self.store.load_last_seq(self.channel.tenant)
        is_digest_due = self.channel.digest and find_digest_day(self.state.digest_on, now, self.zone) is not None
        if self.state.pending or is_digest_due or not 0 <= last - after <= MAX_EVENTS_PER_PAGE:
            return False
        events = self.store.load_events(self.channel.tenant, after=after, until=last)
        if len(events) < last - after or any(event.type in ALERTED for event in events):
            return False
        self._save(seq=last, due_at=self._next_due(None))
        return True

    def _save(self, **changes: Any) -> None:
        self.state = self.store.save_alert_state(replace(self.state, **changes))

    # ── reading ──

    def _read_log(self) -> None:
        """Read on, page by page: the messages and the position are stored together, before anything is sent."""
        for _ in range(MAX_ALERT_READS):
            last = self.store.load_last_seq(self.channel.tenant)
            if self.state.seq > last:  # the table was restored to an earlier time
                self._save(seq=last)
            if self.state.seq == last or len(self.state.pending) >= MAX_PENDING_ALERTS:
                return
            self._read_page(last)

    def _read_page(self, last: int) -> None:
        """Read up to the last event of a page, or over a gap: what was lost in it is counted once."""
        tenant, after = self.channel.tenant, self.state.seq
        until = min(last, after + MAX_EVENTS_PER_PAGE)
        events = self.store.load_events(tenant, after=after, until=until)
        until = events[-1].seq if events else find_gap_end(self.store, tenant, until, last)
        alerts = self.writer.write(NewsReader(self.store, tenant, events).read())
        if lost := count_lost(until - after - len(events)):
            alerts.insert(0, self.writer.write_lost(until, lost, self.clock()))
        self._save(pending=self._queue(alerts), seq=until)

    def _add_failures(self, failures: Sequence[WebhookFailure]) -> None:
        """Add a message for each delivery that was given up; that it was read is stored in the same write."""
        if failures:
            alerts = self.writer.write(read_failures(self.store, self.channel.tenant, failures))
            read = dict(self.state.failures_read)
            read.update({str(f.webhook_id): f.at for f in failures})
            self._save(pending=self._queue(alerts), failures_read=read)

    def _queue(self, alerts: Iterable[PendingAlert]) -> tuple[PendingAlert, ...]:
        """Return what is pending with *alerts* that are severe enough for the channel."""
        now, least = self.clock(), self.channel.severity.rank
        new = (replace(a, queued_at=now) for a in alerts if a.severity.rank >= least or a.type == "digest")
        return (*self.state.pending, *new)

    def _add_digest(self) -> None:
        day = find_digest_day(self.state.digest_on, self.clock(), self.zone) if self.channel.digest else None
        if day is not None:
            alert = self.writer.write_digest(load_day(self.digest, self.channel.tenant, day), self.clock())
            self._save(pending=self._queue([alert]), digest_on=day.isoformat())

    # ── sending ──

    def _send_pending(self) -> datetime | None:
        """Send what may be sent; return until when the rest waits, None: nothing does."""
        waits: list[datetime] = []
        if self.state.retry_at and self.state.retry_at > self.clock():
            return self.state.retry_at
        for alert in self.state.pending:
            now = self.clock()
            held = may_send_at(alert, find_quiet_end(self.channel.quiet_hours, now, self.zone))
            if self._is_over(alert):
                self._give_up(alert)
            elif held is not None and held > now:
                waits.append(held)
            elif self._left <= 0 or now >= self._ends:
                return now
            elif (retry_at := self._send_one(alert)) is not None:
                waits.append(retry_at)
                if not 0 < self._refused < MAX_REFUSED_AT_ONCE:
                    break
        return min(waits, default=None)

    def _is_over(self, alert: PendingAlert) -> bool:
        """Return whether the message was tried for long enough; one that only waited is tried once more."""
        is_old = alert.queued_at is not None and self.clock() - alert.queued_at > MAX_ALERT_AGE
        return is_old and self.state.failures > 0

    def _give_up(self, alert: PendingAlert) -> None:
        log_event(log, "alert given up", channel=self.channel.id, alert=alert.id, type=alert.type)
        self._save(pending=self._without(alert), given_up=self.state.given_up + 1, given_up_at=self.clock())

    def _without(self, alert: PendingAlert) -> tuple[PendingAlert, ...]:
        return tuple(a for a in self.state.pending if a.id != alert.id)

    def _send_one(self, alert: PendingAlert) -> datetime | None:
        """Send one message; return when to try it again, None: it was accepted, which is stored at once.

        later               the service is down or busy: all messages of the channel wait
        refused for good    it may be this message alone: the others are tried too, some times
        """
        self._left -= 1
        try:
            self.sender.send(self.channel, alert)
        except BokitError as error:
            return self._fail(error)
        except Exception:
            log.exception("an alert could not be sent", extra={"facts": {"channel": self.channel.id}})
            return self._fail(BokitError("an unexpected error; the log has its details", code="unexpected"))
        self._refused = 0
        self._note_holds(alert)
        self.state = self.state.as_accepted(self.clock())
        self._save(pending=self._without(alert))
        return None

    def _note_holds(self, alert: PendingAlert) -> None:
        """Note that a person was notified of the holds: time lifts some of them only after that."""
        for hold in alert.holds:
            note = AlertNote(tenant=self.channel.tenant, source_id=hold.source_id, hold=hold.cause, at=self.clock())
            self.store.save_alert_note(note)

    def _fail(self, error: BokitError) -> datetime:
        now, failures = self.clock(), self.state.failures + 1
        self._refused = self._refused + 1 if isinstance(error, NeverError) else 0
        asked = error.retry_after if isinstance(error, SourceUnavailableError) else None
        retry_at = now + retry_after(failures, self.channel.id, asked)
        self.state = self.state.as_refused(now, error.message)
        self._save(failures=failures, retry_at=retry_at)
        log_event(log, "alert not accepted", channel=self.channel.id, code=error.stable_code, failures=failures)
        return retry_at

    def _next_due(self, wait: datetime | None) -> datetime | None:
        now = self.clock()
        digest = next_digest(now, self.zone) if self.channel.digest else None
        return earliest(wait, digest, now + MAX_ALERT_UNREAD)


def retry_after(failures: int, channel_id: str, asked: float | None = None) -> timedelta:
    """Return how long to wait after so many failures in a row: twice as long each time, up to MAX_ALERT_RETRY.

    What the service asks for counts where it is longer. Some seconds that differ by channel keep those of one service apart.
    """
    own = min(timedelta(seconds=30 << min(failures - 1, 16)), MAX_ALERT_RETRY)
    wanted = min(timedelta(seconds=asked or 0), MAX_ALERT_RETRY_AFTER)
    return max(own, wanted) + timedelta(seconds=zlib.crc32(channel_id.encode()) % 10)
