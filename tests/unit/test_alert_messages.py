"""The words of alerts, quiet hours, and the hour of the digest."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from string import Formatter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bokit.core.alerts.catalogs import CATALOGS, ENGLISH, find_catalog
from bokit.core.alerts.limits import MAX_ALERT_TEXT, MAX_ALERT_TITLE, MAX_NAMED
from bokit.core.alerts.messages import AlertWriter
from bokit.core.alerts.news import ALERTED, WEBHOOK_FAILED, BookingName, ConflictNews, OtherNews, SourceNews, UnreadNews
from bokit.core.alerts.quiet_hours import find_digest_day, find_quiet_end, next_digest, read_quiet_hours
from bokit.core.model.events import EventType
from bokit.errors import InputError

ROME = ZoneInfo("Europe/Rome")
AT = datetime(2026, 7, 1, 12, tzinfo=UTC)


def words_of(text: str) -> set[str]:
    """Return the placeholders of a text."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("locale", sorted(CATALOGS))
def test_every_language_says_everything(locale: str) -> None:
    """The keys of English, with placeholders of English; twelve months, seven days."""
    catalog = CATALOGS[locale]
    assert catalog.keys() == ENGLISH.keys()
    assert {key: words_of(text) - words_of(ENGLISH[key]) for key, text in catalog.items()} == {key: set() for key in ENGLISH}
    assert (len(catalog["months"].split()), len(catalog["weekdays"].split())) == (12, 7)


def test_a_language_without_a_catalog_is_sent_in_english() -> None:
    """A region without its own in its language's."""
    assert [find_catalog(name) for name in ("en", "en-GB", "th")] == [ENGLISH] * 3


def conflict(**given: object) -> ConflictNews:
    """Return news of a double booking."""
    booking = BookingName(source="Flat / Airbnb", check_in=date(2026, 8, 1), check_out=date(2026, 8, 3))
    values = {
        "event_id": "evt_1",
        "at": AT,
        "units": ("Flat",),
        "nights": (date(2026, 8, 1), date(2026, 8, 2)),
        "bookings": (booking, BookingName(source=None, check_in=date(2026, 8, 1), check_out=date(2026, 8, 9))),
        "certainty": "certain",
    }
    return ConflictNews(**values | given)


def source(type_: EventType = EventType.SOURCE_FAILING, **given: object) -> SourceNews:
    """Return news of a calendar."""
    values = {
        "event_id": "evt_2",
        "type": type_,
        "at": AT,
        "source_id": "src_1",
        "name": "Flat / Airbnb",
        "code": "http-500",
        "detail": "the server answered HTTP 500; Bokit will retry",
    }
    return SourceNews(**values | given)


UNREAD = UnreadNews(
    event_id="evt_4",
    type=EventType.CALENDAR_UNREAD,
    at=AT,
    unit="Rose room",
    reader="Airbnb",
    late=timedelta(hours=9, seconds=40),
    usual=timedelta(hours=3),
)
ALL = [
    conflict(),
    conflict(certainty="possible", at=AT + timedelta(1)),
    conflict(is_turnover=True, at=AT + timedelta(2)),
    conflict(is_over=True, at=AT + timedelta(3)),
    *[source(t) for t in EventType if t.startswith("source.")],
    OtherNews(event_id="evt_3", type=EventType.WEBHOOK_DISABLED, at=AT, name="hooks.example"),
    UNREAD,
    OtherNews(event_id="whk_1/2026", type=WEBHOOK_FAILED, at=AT, name="hooks.example"),
]


def test_everything_that_is_sent_has_words() -> None:
    """One message each; its text says what to do, or that there is nothing to do."""
    alerts = AlertWriter(ENGLISH, ROME).write(ALL)

    assert {alert.type for alert in alerts} == {*ALERTED, WEBHOOK_FAILED}
    assert len(alerts) == len(ALL)
    assert all("What to do:" in alert.text or "nothing left to do" in alert.text for alert in alerts)
    assert not any("{" in alert.title + alert.text for alert in alerts)


def test_a_calendar_that_is_no_longer_read_names_the_platform_the_flat_and_the_times() -> None:
    """In words that a host understands at a glance."""
    (alert,) = AlertWriter(ENGLISH, ROME).write([UNREAD])

    assert alert.title == "Airbnb no longer reads the calendar of Rose room"
    said = "Airbnb has not read the calendar of Rose room for 9 h; it usually reads it every 3 h."
    assert alert.text.splitlines()[0] == said


def test_a_double_booking_names_the_flat_the_nights_and_the_bookings() -> None:
    """From when quiet hours do not hold it back is three days before its first night begins, in the tenant's timezone."""
    (alert,) = AlertWriter(ENGLISH, ROME).write([conflict()])

    assert alert.text.splitlines()[0] == (
        "Flat is booked twice for 2 nights, from 1 August to 2 August 2026. These bookings share them: Flat / Airbnb, 1 "
        "August to 3 August and entered by hand, 1 August to 9 August."
    )
    assert alert.not_quiet_from == datetime(2026, 7, 28, 22, tzinfo=UTC)
    for other in (conflict(certainty="possible"), conflict(is_turnover=True), conflict(is_over=True)):
        assert AlertWriter(ENGLISH, ROME).write([other])[0].not_quiet_from is None


def test_a_held_calendar_says_when_time_decides() -> None:
    """The hour at which its nights open if nobody does anything, in the tenant's timezone; nothing where it waits for ever."""
    held = {"code": "empty-feed", "detail": "The calendar is empty."}
    opens = source(EventType.SOURCE_HELD, **held, opens_at=datetime(2026, 7, 4, 12, tzinfo=UTC))
    waits = source(EventType.SOURCE_HELD, **held)

    (first,), (second,) = AlertWriter(ENGLISH, ROME).write([opens]), AlertWriter(ENGLISH, ROME).write([waits])

    assert "If you do nothing, the nights that it frees open on 4 July, 14:00." in first.text
    assert "If you do nothing" not in second.text


def test_many_of_one_cause_are_one_message_that_stays_short() -> None:
    """It names some, and says how many more there are."""
    many = [source(event_id=f"evt_{n}", source_id=f"src_{n}", name=f"Calendar {n}") for n in range(30)]

    (alert,) = AlertWriter(ENGLISH, ROME).write(many)

    assert alert.title == "30 calendars cannot be read"
    assert alert.text.count("Calendar ") == MAX_NAMED
    assert f"and {30 - MAX_NAMED} more" in alert.text


@given(st.text(max_size=3000), st.text(max_size=3000))
def test_no_name_breaks_a_message(name: str, unit: str) -> None:
    """Whatever it holds: braces, line ends, half characters."""
    news = [
        source(name=f"{unit} / {name}"),
        conflict(units=(unit,)),
        OtherNews(event_id="e", type=EventType.WEBHOOK_DISABLED, at=AT, name=name),
    ]

    alerts = AlertWriter(ENGLISH, ROME).write(news)

    assert len(alerts) == 3
    assert all(len(a.title) <= MAX_ALERT_TITLE and len(a.text) <= MAX_ALERT_TEXT and "\n" not in a.title for a in alerts)


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        ("22:00-07:00", "2026-07-01T21:59", None),
        ("22:00-07:00", "2026-07-01T22:00", "2026-07-02T07:00"),
        ("22:00-07:00", "2026-07-02T06:59", "2026-07-02T07:00"),
        ("22:00-07:00", "2026-07-02T07:00", None),
        ("13:00-15:00", "2026-07-02T14:00", "2026-07-02T15:00"),
        ("13:00-15:00", "2026-07-02T15:00", None),
        ("01:00-02:30", "2026-03-29T01:30", "2026-03-29T03:30"),  # the hour that the clocks skip
        (None, "2026-07-02T03:00", None),
    ],
)
def test_quiet_hours_end_in_the_tenants_timezone(hours: str | None, now: str, end: str | None) -> None:
    """Their end is when the message is sent."""
    found = find_quiet_end(hours, datetime.fromisoformat(now).replace(tzinfo=ROME), ROME)

    assert (found and found.astimezone(ROME).replace(tzinfo=None)) == (end and datetime.fromisoformat(end))


@pytest.mark.parametrize("text", ["", "22-7", "22:00–07:00", "24:00-07:00", "07:00-07:00", "22:00-07:00 "[:-2]])
def test_what_are_no_quiet_hours_is_refused(text: str) -> None:
    """A line says how they are written."""
    with pytest.raises(InputError, match="22:00-07:00"):
        read_quiet_hours(text)


def test_the_digest_is_due_once_a_day_at_eight() -> None:
    """In the tenant's timezone, also where the clocks change."""
    night, morning = (datetime(2026, 7, 1, hour, tzinfo=UTC) for hour in (5, 6))

    assert find_digest_day(None, night, ROME) is None
    assert find_digest_day(None, morning, ROME) == date(2026, 7, 1)
    assert find_digest_day("2026-07-01", morning, ROME) is None
    assert (next_digest(night, ROME), next_digest(morning, ROME)) == (morning, morning + timedelta(days=1))
    before_change = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert next_digest(before_change, ROME) == datetime(2026, 3, 29, 6, tzinfo=UTC)
