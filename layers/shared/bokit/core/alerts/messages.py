"""Messages about what happened: plain words, one message for one cause.

what happened                                       message
conflicts opened, or closed, by the same write      one
calendars with the same trouble and code            one, which names them
anything else                                       one each
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bokit.core.alerts.catalogs import Catalog
from bokit.core.alerts.forms import cut
from bokit.core.alerts.limits import (
    MAX_ALERT_TEXT,
    MAX_ALERT_TITLE,
    MAX_BOOKINGS_NAMED,
    MAX_NAMED,
    MIN_QUIET_BEFORE_ARRIVAL,
)
from bokit.core.alerts.news import BookingName, ConflictNews, DayNews, News, OtherNews, SourceNews, UnreadNews, Visit
from bokit.core.model.alerts import PendingAlert, Severity
from bokit.core.model.events import EventType
from bokit.core.model.readers import round_span
from bokit.values import replace


class AlertWriter:
    """Writes a tenant's messages, in its language and its timezone."""

    def __init__(self, words: Catalog, zone: ZoneInfo) -> None:
        self.words, self.zone = words, zone

    def write(self, news: Iterable[News]) -> list[PendingAlert]:
        """Return the messages about *news*, in the order in which their causes began."""
        groups: dict[tuple[str, ...], list[News]] = {}
        for item in news:
            groups.setdefault(_cause_of(item), []).append(item)
        return [self._write_group(group) for group in groups.values()]

    def _write_group(self, group: Sequence[News]) -> PendingAlert:
        first = group[0]
        if isinstance(first, ConflictNews):
            return self._write_conflicts([n for n in group if isinstance(n, ConflictNews)])
        if isinstance(first, SourceNews):
            return self._write_sources([n for n in group if isinstance(n, SourceNews)])
        return self._write_unread(first) if isinstance(first, UnreadNews) else self._write_other(first)

    # ── conflicts ──

    def _write_conflicts(self, found: Sequence[ConflictNews]) -> PendingAlert:
        first = found[0]
        type_ = EventType.CONFLICT_CLOSED if first.is_over else EventType.CONFLICT_OPENED
        severity = Severity.CRITICAL if any(n.is_certain for n in found) else Severity.WARNING
        title, text = self._describe_one(first) if len(found) == 1 else self._describe_many(found)
        urgent = [self._quiet_no_more(n) for n in found if n.is_certain and not n.is_over and n.nights]
        return make_alert(_ids(found), str(type_), severity, title, text, first.at, min(urgent, default=None))

    def _quiet_no_more(self, news: ConflictNews) -> datetime:
        """Return from when on the double booking is too near for quiet hours; its day begins at midnight."""
        begins = datetime.combine(min(news.nights), time(), self.zone).astimezone(UTC)
        return begins - MIN_QUIET_BEFORE_ARRIVAL

    def _describe_one(self, news: ConflictNews) -> tuple[str, str]:
        key = _conflict_key(news)
        unit = self._join(news.units)
        bookings = self._join([self._name_booking(b) for b in news.bookings], MAX_BOOKINGS_NAMED)
        facts = {"unit": unit, "nights": self._name_nights(news.nights), "bookings": bookings}
        return self.words[f"{key}.title"].format(**facts), self.words[f"{key}.text"].format(**facts)

    def _describe_many(self, found: Sequence[ConflictNews]) -> tuple[str, str]:
        key = "conflicts_over" if found[0].is_over else "conflicts"
        items = self._list([self._item_of(n) for n in sorted(found, key=lambda n: n.nights[:1])])
        return self._say(key, count=len(found), items=items)

    def _item_of(self, news: ConflictNews) -> str:
        return self.words["conflict_item"].format(unit=self._join(news.units), nights=self._name_nights(news.nights))

    # ── sources ──

    def _write_sources(self, found: Sequence[SourceNews]) -> PendingAlert:
        first = found[0]
        what = str(first.type).removeprefix("source.")
        facts = {
            "name": first.name,
            "source_id": first.source_id,
            "detail": first.detail.rstrip(".") + "." * (what == "held") if first.detail else self.words["unknown_detail"],
            "since": self._name_time(min((n.since for n in found if n.since), default=None)),
            "opens": self._say_opening(min((n.opens_at for n in found if n.opens_at), default=None)),
            "count": len(found),
            "items": self._join([n.name for n in found], MAX_NAMED),
        }
        key = f"source.{what}" if len(found) == 1 else f"sources.{what}"
        title, text = self._say(key, **facts)
        alert = make_alert(_ids(found), str(first.type), Severity.WARNING, title, text, first.at)
        return replace(alert, holds=tuple(n.hold for n in found if n.hold))

    def _say_opening(self, opens_at: datetime | None) -> str:
        return self.words["source.held.opens"].format(opens_at=self._name_time(opens_at)) if opens_at else ""

    def _write_other(self, news: OtherNews) -> PendingAlert:
        why = self.words.get(f"webhook.{news.reason}", self.words["webhook.failing"])
        title, text = self._say(news.type, name=news.name, detail=why)
        return make_alert(news.event_id, news.type, Severity.WARNING, title, text, news.at)

    def _write_unread(self, news: UnreadNews) -> PendingAlert:
        late, usual = self._name_span(news.late), self._name_span(news.usual)
        title, text = self._say("calendar.unread", reader=news.reader, unit=news.unit, late=late, usual=usual)
        return make_alert(news.event_id, str(news.type), Severity.WARNING, title, text, news.at)

    # ── digest, test ──

    def write_digest(self, news: DayNews, at: datetime) -> PendingAlert:
        """Return the digest of a day."""
        weekday = self.words["weekdays"].split()[news.day.weekday()]
        title = self.words["digest.title"].format(weekday=weekday, day=self._name_day(news.day))
        lines = [self._list_visits("arrivals", news.arrivals), self._list_visits("departures", news.departures)]
        if news.open_conflicts:
            lines.append(self.words["digest.conflicts"].format(count=news.open_conflicts))
        if news.troubled:
            lines.append(self.words["digest.troubled"].format(items=self._join(news.troubled, MAX_NAMED)))
        return make_alert(f"digest/{news.day.isoformat()}", "digest", Severity.INFO, title, "\n".join(lines), at)

    def _list_visits(self, what: str, visits: Sequence[Visit]) -> str:
        if not visits:
            return self.words[f"digest.no_{what}"]
        return self.words[f"digest.{what}"].format(items=", ".join(map(self._name_visit, visits)))

    def _name_visit(self, visit: Visit) -> str:
        """Return a visit by its source's full name, which has the unit's; what was entered by hand by its unit's."""
        key, source = ("visit", visit.booking.source) if visit.booking.source else ("visit_by_hand", self.words["by_hand"])
        return self.words[f"digest.{key}"].format(unit=visit.unit, source=source, nights=self._count_nights(visit.nights))

    def _count_nights(self, count: int) -> str:
        return self.words["digest.nights.one" if count == 1 else "digest.nights.more"].format(count=count)

    def write_test(self, test_id: str, at: datetime) -> PendingAlert:
        """Return the message that tests a channel."""
        title, text = self._say("test")
        return make_alert(test_id, "test", Severity.INFO, title, text, at)

    def write_lost(self, seq: int, count: int, at: datetime) -> PendingAlert:
        """Return the message that *count* events up to *seq* left the log before the channel could read them."""
        title, text = self._say("lost", count=count)
        return make_alert(f"lost/{seq}", "lost", Severity.WARNING, title, text, at)

    # ── words ──

    def _say(self, key: str, **facts: object) -> tuple[str, str]:
        return self.words[f"{key}.title"].format(**facts), self.words[f"{key}.text"].format(**facts)

    def _join(self, names: Sequence[str], most: int = MAX_NAMED) -> str:
        """Return *names* as a person lists them, at most so many."""
        shown = list(names[:most])
        if len(names) > most:
            shown.append(self.words["more"].format(count=len(names) - most))
        return self.words["and"].join(filter(None, [", ".join(shown[:-1]), shown[-1]])) if shown else ""

    def _list(self, items: Sequence[str]) -> str:
        shown = [f"– {item}" for item in items[:MAX_NAMED]]
        if len(items) > MAX_NAMED:
            shown.append("– " + self.words["more"].format(count=len(items) - MAX_NAMED))
        return "\n".join(shown)

    def _name_booking(self, booking: BookingName) -> str:
        source = booking.source or self.words["by_hand"]
        if booking.check_in is None or booking.check_out is None:
            return self.words["stay_without_days"].format(source=source)
        days = {"check_in": self._name_day(booking.check_in), "check_out": self._name_day(booking.check_out)}
        return self.words["stay"].format(source=source, **days)

    def _name_nights(self, nights: Sequence[date]) -> str:
        """Return nights by their dates; between the first and the last there may be others."""
        if not nights:
            return ""
        first, last = min(nights), max(nights)
        if first == last:
            return self.words["one_night"].format(first=self._name_day(first, with_year=True))
        key = "nights" if (last - first).days + 1 == len(set(nights)) else "nights_apart"
        last_day = self._name_day(last, with_year=True)
        return self.words[key].format(count=len(set(nights)), first=self._name_day(first), last=last_day)

    def _name_day(self, day: date, *, with_year: bool = False) -> str:
        month = self.words["months"].split()[day.month - 1]
        return self.words["day_with_year" if with_year else "day"].format(day=day.day, month=month, year=day.year)

    def _name_span(self, span: timedelta) -> str:
        count, unit = round_span(span)
        return self.words[f"span.{unit}"].format(count=count)

    def _name_time(self, at: datetime | None) -> str:
        if at is None:
            return self.words["unknown_time"]
        local = at.astimezone(self.zone)
        return f"{self._name_day(local.date())}, {local:%H:%M}"


def make_alert(
    identity: str,
    type_: str,
    severity: Severity,
    title: str,
    text: str,
    at: datetime,
    not_quiet_from: datetime | None = None,
) -> PendingAlert:
    """Return a message whose id is the same whenever it is made of the same events, cut to what any channel takes."""
    return PendingAlert(
        id="alr_" + hashlib.sha256(f"{type_}/{identity}".encode("utf-8", "surrogatepass")).hexdigest()[:20],
        type=type_,
        severity=severity,
        title=cut(" ".join(title.split()), MAX_ALERT_TITLE),
        text=cut(text, MAX_ALERT_TEXT),
        at=at,
        not_quiet_from=not_quiet_from,
    )


def _ids(found: Sequence[News]) -> str:
    return "/".join(n.event_id for n in found)


def _cause_of(news: News) -> tuple[str, ...]:
    """Return what *news* has in common with other news of its cause."""
    if isinstance(news, ConflictNews):
        return "conflict", news.at.isoformat(), "over" if news.is_over else "open"
    if isinstance(news, SourceNews):
        return str(news.type), news.code
    return str(news.type), news.event_id


def _conflict_key(news: ConflictNews) -> str:
    if news.is_over:
        return "conflict_over"
    if news.is_turnover:
        return "conflict_turnover"
    return "conflict" if news.is_certain else "conflict_possible"
