"""Alerts end to end: the real rules and engine, and real servers on loopback that take the messages."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT, Tenant
from bokit.core.model.events import EventType, NewEvent, fill_outbox
from bokit.core.model.limits import EVENT_JUMP, RETRY_WAITS
from bokit.core.model.notices import name_hold
from bokit.core.model.quotas import QuotaName, QuotaOwner, Quotas
from bokit.core.model.records import TenantId
from bokit.core.model.runs import Trigger
from bokit.core.model.scheduling import HoldNote
from bokit.core.model.webhooks import Endpoint, Webhook, WebhookFailure, WebhookId
from bokit.engine.live.alert_delivery import read_place
from bokit.engine.live.events import EventLog
from bokit.engine.live.limits import MAX_ALERT_AGE, MAX_ALERT_UNREAD, MAX_PENDING_ALERTS
from bokit.engine.runs.manual import SyncRequest
from bokit.errors import InputError, QuotaError, StateError, UnknownIdError
from bokit.outlets.memory import MemoryQueue
from bokit.store.limits import EVENT_TTL
from bokit.values import replace
from tests.support.alert_home import Home
from tests.support.alert_server import AlertServer, serve_alerts
from tests.support.apartment import AIRBNB, VRBO
from tests.support.builders import DAY
from tests.support.rows_app import CallCounter, Died, Receivers

OTHER = TenantId("other")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def server() -> Iterator[AlertServer]:
    """A service that takes messages."""
    with serve_alerts() as state:
        yield state


@pytest.fixture
def home() -> Home:
    """A flat on two platforms, both read once."""
    home = Home(AIRBNB, VRBO)
    for feed in (AIRBNB, VRBO):
        home.book(feed, 200 if feed == AIRBNB else 220, 205 if feed == AIRBNB else 225)
    home.sync()
    home.bokit.events.drain()
    return home


def test_a_double_booking_is_sent_in_words_that_a_host_understands(home: Home, server: AlertServer) -> None:
    """What happened, which flat, which nights, by whom, and what to do; no guest."""
    home.notify(server)

    home.double_book(30, 33)

    (message,) = server.accepted
    assert (message["type"], message["severity"]) == ("conflict.opened", "critical")
    assert message["title"] == "Double booking: Flat"
    first, last = (home.today + timedelta(days=n) for n in (30, 32))
    assert f"Flat is booked twice for 3 nights, from {first:%-d %B} to {last:%-d %B %Y}." in message["text"]
    assert AIRBNB in message["text"]
    assert VRBO in message["text"]
    assert "What to do: keep one booking." in message["text"]


def test_a_service_that_is_down_for_an_hour_loses_nothing(home: Home, server: AlertServer) -> None:
    """What the schedule's runs found and what a person's `bokit sync` found: all arrives afterwards, each once."""
    channel = home.notify(server)
    server.status = 503
    home.double_book(30, 33)
    home.wait(minutes=20)
    home.fail()
    person = home.open(queue=None)
    home.book(AIRBNB, 60, 63)
    home.book(VRBO, 60, 64)
    home.move(minutes=40)
    person.sync(SyncRequest(tenant=DEFAULT_TENANT, trigger=Trigger.CLI, everything=True))

    assert server.accepted == []
    down = home.look_at(channel)
    assert (down["pending"], down["given_up"], down["error"]) == (3, 0, "the service answered HTTP 503; Bokit will retry")
    server.status = 200
    home.wait(minutes=31)

    assert server.titles() == ["Double booking: Flat", f"Flat / {AIRBNB} cannot be read", "Double booking: Flat"]
    assert len({body["id"] for body in server.accepted}) == 3
    well = home.look_at(channel)
    assert (well["pending"], well["failing_since"], well["error"]) == (0, None, None)
    home.wait(hours=2)
    assert len(server.accepted) == 3


def test_a_channel_that_is_down_delays_no_other(home: Home, server: AlertServer) -> None:
    """The other one hears at once, and the first one's service is asked at most as often as its waits allow."""
    with serve_alerts() as down:
        down.status = 500
        home.notify(down)
        home.notify(server)
        for _ in range(10):
            home.fail()

        assert len(server.accepted) == 10
        assert len(down.posted) == 1


def test_what_a_service_asks_to_wait_is_waited(home: Home, server: AlertServer) -> None:
    """Retry-After, where it is longer than our own wait."""
    home.notify(server)
    server.status, server.headers = 429, {"Retry-After": "3600"}
    home.fail()
    server.status, server.headers = 200, {}

    home.wait(minutes=59)
    assert server.accepted == []
    home.wait(minutes=2)
    assert len(server.accepted) == 1


def test_a_message_that_is_refused_does_not_stop_the_others_and_is_given_up_after_days(home: Home, server: AlertServer) -> None:
    """It is tried again all that time; then the status says that it was given up."""
    channel = home.notify(server)
    server.refuse = {f"Flat / {AIRBNB} cannot be read"}
    home.fail()
    home.double_book(30, 33)
    home.wait(hours=1)
    assert server.titles() == ["Double booking: Flat"]
    assert home.look_at(channel)["pending"] == 1

    for _ in range(80):
        home.wait(hours=1)
    doc = home.look_at(channel)

    assert (doc["pending"], doc["given_up"], doc["error"][:8]) == (0, 1, "HTTP 400")
    assert home.bokit.status.load_status(DEFAULT_TENANT)["alerts"]["channels"] == [doc]
    assert len(server.posted) > 70


def test_quiet_hours_hold_back_what_can_wait(home: Home, server: AlertServer) -> None:
    """A failing calendar is reported at their end, in the tenant's timezone; so is a double booking in a month."""
    home.bokit.catalog.options.set(DEFAULT_TENANT, "timezone", "Europe/Rome")
    home.notify(server, quiet_hours="22:00-07:00")
    home.clock.at = home.clock.at.replace(hour=22, minute=30)  # 23:30 in Rome, in winter
    home.fail()
    home.double_book(30, 33)
    assert server.posted == []

    home.clock.at = (home.clock.at + timedelta(days=home.clock.at.hour > 12)).replace(hour=5, minute=59)
    home.wait()
    assert server.posted == []
    home.wait(minutes=2)
    sent = [title for title in server.titles() if "out of date" not in title]  # the night passed without a sync
    assert sent == [f"Flat / {AIRBNB} cannot be read", "Double booking: Flat"]


def test_quiet_hours_never_hold_back_a_double_booking_within_three_days(home: Home, server: AlertServer) -> None:
    """It is sent in the middle of the night."""
    home.notify(server, quiet_hours="22:00-07:00")
    home.clock.at = home.clock.at.replace(hour=22, minute=30)

    home.double_book(3, 5)

    assert server.titles() == ["Double booking: Flat"]


def test_a_channel_is_sent_what_is_severe_enough(home: Home, server: AlertServer) -> None:
    """A phone that rings for double bookings alone."""
    home.notify(server, severity="critical")
    home.fail()
    home.double_book(30, 33)

    assert server.titles() == ["Double booking: Flat"]


def test_one_cause_is_one_message(home: Home, server: AlertServer) -> None:
    """Calendars that fail alike, and double bookings of one write; others are reported apart."""
    home.notify(server)
    for source in (AIRBNB, VRBO):
        data = {"source_id": home.sources[source].id, "code": "http-500"}
        (item,) = fill_outbox(DEFAULT_TENANT, home.clock(), [NewEvent(type=EventType.SOURCE_FAILING, data=data)])
        home.store.put_outbox(item)
    home.bokit.events.drain()
    home.book(AIRBNB, 30, 33)
    home.book(VRBO, 30, 34)
    home.book(AIRBNB, 40, 43)
    home.book(VRBO, 40, 44)
    home.sync()
    home.bokit.events.drain()

    assert server.titles() == ["2 calendars cannot be read", "2 double bookings"]
    assert f"Flat / {AIRBNB} and Flat / {VRBO}" in server.accepted[0]["text"]
    assert server.accepted[1]["text"].count("– Flat: ") == 2


def test_the_end_of_a_double_booking_and_of_a_failure_is_sent(home: Home, server: AlertServer) -> None:
    """A real failure of a real feed, and its recovery."""
    home.notify(server)
    stays = [home.book(AIRBNB, 30, 33), home.book(VRBO, 30, 34)]
    home.sync()
    home.bokit.events.drain()
    home.world.cancel(stays[1])
    for _ in range(30):
        home.sync()
    home.bokit.events.drain()
    home.put(EventType.SOURCE_RECOVERED, {"source_id": home.sources[AIRBNB].id, "from": "failing"})

    assert server.titles() == ["Double booking: Flat", "Solved: Flat", f"Flat / {AIRBNB} works again"]


def test_a_digest_comes_at_eight_with_arrivals_and_departures(home: Home, server: AlertServer) -> None:
    """Once a day, in the tenant's timezone, whatever the threshold; none for a day whose morning is over."""
    home.bokit.catalog.options.set(DEFAULT_TENANT, "timezone", "Europe/Rome")
    home.book(AIRBNB, 1, 4)
    home.sync()
    home.notify(server, severity="critical", digest=True)
    home.wait(minutes=1)
    assert server.posted == []
    day, leaving = home.today + timedelta(days=1), home.today + timedelta(days=4)

    for today, minutes in ((day, (-1, 1, 30)), (leaving, (5,))):
        for minute in minutes:
            home.clock.at = datetime.combine(today, time(7), UTC) + minute * MINUTE
            home.world.now = home.clock.at
            home.sync(minutes=0)
            home.wait()

    arrival, departure = server.accepted
    assert (arrival["type"], arrival["title"]) == ("digest", f"{day:%A}, {day.day} {day:%B}")
    assert arrival["text"] == f"Arrivals: Flat / {AIRBNB} (3 nights).\nNo departures."
    assert departure["title"] == f"{leaving:%A}, {leaving.day} {leaving:%B}"
    assert departure["text"].splitlines()[:2] == ["No arrivals.", f"Departures: Flat / {AIRBNB} (3 nights)."]


@pytest.mark.parametrize(
    ("status", "why"), [(410, "it answered that it is gone for good"), (500, "it accepted nothing for days")]
)
def test_a_webhook_that_bokit_switched_off_is_named_by_its_host(home: Home, server: AlertServer, status: int, why: str) -> None:
    """With the reason; its address is a secret."""
    reason = "gone" if status == 410 else "failing"
    hook = Webhook(
        id=WebhookId("whk_1"), tenant=DEFAULT_TENANT, url="https://erp.example/sentinel", secret="whsec_", created_at=home.clock()
    )
    home.store.add_webhook(hook, Endpoint(tenant=DEFAULT_TENANT, webhook_id=hook.id), due_at=home.clock() + timedelta(days=9))
    home.notify(server)

    home.put(EventType.WEBHOOK_DISABLED, {"webhook_id": hook.id, "reason": reason})

    assert server.accepted[0]["text"].startswith(f"Bokit sends nothing more to erp.example: {why}.")
    assert "sentinel" not in server.accepted[0]["text"]


def test_a_held_calendar_is_noted_as_notified_once_a_channel_accepted_it(home: Home, server: AlertServer) -> None:
    """Not before: time lifts some holds only after a person was notified."""
    home.notify(server)
    server.status = 503
    source = home.sources[AIRBNB]
    lease = home.store.acquire_lease(source, holder="test", now=home.clock(), until=home.clock() + timedelta(minutes=1))
    assert lease is not None
    hold = HoldNote(code="empty-feed", message="The calendar is empty.", since=home.clock(), plan_hash="a")
    home.store.save_head(replace(home.store.load_head(source), hold=hold), lease=lease)
    home.put(EventType.SOURCE_HELD, {"source_id": source.id, "code": "empty-feed", "plan": "a"})
    assert home.store.load_alert_note(DEFAULT_TENANT, source.id) is None
    server.status = 200
    home.wait(minutes=31)

    note = home.store.load_alert_note(DEFAULT_TENANT, source.id)

    assert server.titles() == [f"Flat / {AIRBNB}: a change waits for you"]
    assert note is not None
    assert note.hold == name_hold("empty-feed", hold.since)


def test_nothing_crosses_tenants(home: Home, server: AlertServer) -> None:
    """Neither messages nor channels."""
    home.store.save_tenant(Tenant(id=OTHER, name="Other", created_at=home.clock()))
    mine, theirs = home.notify(server, "/mine"), home.notify(server, "/theirs", tenant=OTHER)

    home.double_book(30, 33)
    home.fail(tenant=OTHER)  # a source of the other tenant, named in an event of this one's log: nobody's
    home.put(EventType.WEBHOOK_DISABLED, {"name": "their hook"}, tenant=OTHER)
    home.wait(hours=1)

    assert [(p.path, p.body["title"]) for p in server.posted] == [
        ("/mine", "Double booking: Flat"),
        ("/theirs", "A webhook was switched off"),
    ]
    for tenant, channel in ((OTHER, mine), (DEFAULT_TENANT, theirs)):
        for act in (home.bokit.alerts.find, home.bokit.alerts.test, home.bokit.alerts.remove):
            with pytest.raises(UnknownIdError):
                act(tenant, channel.id)


def test_a_channel_sends_what_happens_after_it_was_added(home: Home, server: AlertServer) -> None:
    """Nothing from before; the same where it was off for a while."""
    home.fail()
    channel = home.notify(server)
    home.bokit.alerts.edit(DEFAULT_TENANT, channel.id, {"enabled": False})
    home.fail()
    home.wait(hours=1)
    home.bokit.alerts.edit(DEFAULT_TENANT, channel.id, {"enabled": True})
    home.wait(hours=1)
    assert server.posted == []

    home.fail()

    assert len(server.accepted) == 1


def test_events_that_need_nobody_cost_a_channel_one_write(home: Home, server: AlertServer) -> None:
    """Nothing is claimed; the next one that does need a person is sent."""
    channel = home.notify(server)
    before = home.store.load_alert_state(DEFAULT_TENANT, channel.id)
    for _ in range(3):
        home.put(EventType.BOOKING_CHANGED, {"id": "a"})

    after = home.store.load_alert_state(DEFAULT_TENANT, channel.id)
    assert (after.version - before.version, after.seq - before.seq) == (3, 3)
    home.fail()
    assert len(server.accepted) == 1


def test_a_channel_that_nobody_wakes_looks_by_itself(home: Home, server: AlertServer) -> None:
    """Every hour."""
    home.notify(server)
    (item,) = fill_outbox(DEFAULT_TENANT, home.clock(), [NewEvent(type=EventType.WEBHOOK_DISABLED, data={"name": "a"})])
    home.store.put_outbox(item)
    EventLog(home.store, home.clock).drain()  # and nobody is woken

    home.move(minutes=61)
    home.bokit.tick()

    assert timedelta(minutes=61) > MAX_ALERT_UNREAD
    assert server.titles() == ["A webhook was switched off"]


def test_what_left_the_log_unread_is_said(home: Home, server: AlertServer) -> None:
    """A channel that was down for longer than the log keeps events learns how many it missed; none is silent."""
    channel = home.notify(server)
    state = home.store.load_alert_state(DEFAULT_TENANT, channel.id)
    last = home.store.load_last_seq(DEFAULT_TENANT)
    home.store.save_alert_state(replace(state, seq=0))
    for seq in range(1, last):
        home.store._events[DEFAULT_TENANT].pop(seq)

    home.wait(minutes=61)

    assert EVENT_TTL > MAX_ALERT_AGE
    assert f"that {last - 1} events are no longer" in server.accepted[0]["text"]


def test_the_jump_of_a_restored_table_loses_nothing(home: Home, server: AlertServer) -> None:
    """What was unread before the restore and what comes after it is sent; the numbers between them are missed by nobody."""
    channel = home.notify(server)
    for name in ("before", "after"):
        (item,) = fill_outbox(DEFAULT_TENANT, home.clock(), [NewEvent(type=EventType.WEBHOOK_DISABLED, data={"name": name})])
        home.store.put_outbox(item)
        EventLog(home.store, home.clock).drain()  # and nobody is woken
        home.bokit.events.jump([DEFAULT_TENANT], "restored")

    home.wait(minutes=61)

    assert server.titles() == ["A webhook was switched off"] * 2
    assert home.store.load_alert_state(DEFAULT_TENANT, channel.id).seq == home.store.load_last_seq(DEFAULT_TENANT) > EVENT_JUMP


def test_a_table_that_was_restored_to_an_earlier_time_goes_on(home: Home, server: AlertServer) -> None:
    """The channel's place is beyond the log's end: it goes on from there."""
    channel = home.notify(server)
    state = home.store.load_alert_state(DEFAULT_TENANT, channel.id)
    home.store.save_alert_state(replace(state, seq=state.seq + 1000))
    home.wait(minutes=61)

    home.fail()

    assert len(server.accepted) == 1


def test_a_channel_that_cannot_send_reads_no_further_than_it_can_keep(home: Home, server: AlertServer) -> None:
    """The log keeps the rest: all of it arrives afterwards, in its order."""
    home.notify(server)
    server.status = 503
    for number in range(MAX_PENDING_ALERTS + 30):
        home.put(EventType.WEBHOOK_DISABLED, {"name": f"hook {number:03}"})
    (channel,) = home.bokit.alerts.describe_all(DEFAULT_TENANT)
    assert channel["pending"] == MAX_PENDING_ALERTS
    server.status = 200

    for _ in range(10):
        home.wait(minutes=31)

    assert [body["text"].split(":")[0][-8:] for body in server.accepted] == [
        f"hook {n:03}" for n in range(MAX_PENDING_ALERTS + 30)
    ]


HOOK = "https://hooks.example/a"


def give_up(home: Home, status: int = 503) -> Webhook:
    """Add a webhook whose only delivery has one attempt left, which is due; its receiver answers *status*."""
    receivers = Receivers()
    receivers.shelf[HOOK] = 503
    home.bokit = home.open(open_sender=lambda: receivers, check_url=lambda url: None)
    webhook = home.bokit.webhooks.add(DEFAULT_TENANT, {"url": HOOK})
    home.put(EventType.RECORD_CHANGED, {"id": "a"})
    (delivery,) = home.store.load_deliveries(DEFAULT_TENANT, webhook.id).items
    home.move(minutes=20)
    receivers.shelf[HOOK] = status
    last = replace(delivery, attempts=len(RETRY_WAITS), next_at=home.clock())
    home.store.save_delivery(last, before=delivery, expires_at=home.clock() + 9 * DAY)
    return webhook


def test_a_delivery_that_is_given_up_is_one_message_a_day(server: AlertServer) -> None:
    """Each channel gets it, one that is added later does not; the webhook stays on, and the topic has its notice."""
    home = Home()
    home.notify(server, "/one")
    quiet = home.notify(server, "/two", severity="critical")
    webhook = give_up(home)

    home.bokit.tick()
    home.bokit.tick()
    home.bokit.events.drain()

    assert server.titles() == ["A webhook missed an event"]
    (message,) = server.accepted
    assert (message["type"], message["severity"]) == ("webhook.failed", "warning")
    assert "send an event to hooks.example, and has given it up" in message["text"]
    assert home.look_at(quiet)["pending"] == 0
    assert home.store.load_webhook(DEFAULT_TENANT, webhook.id).enabled
    assert [n.type for n in home.alerts.notices.values() if n.type.startswith("webhook")] == ["webhook.failed"]

    home.notify(server, "/late")
    for _ in range(30):
        home.wait(hours=1)
    assert len(server.posted) == 1
    later = WebhookFailure(tenant=DEFAULT_TENANT, webhook_id=webhook.id, at=home.clock())
    home.store.save_webhook_failure(later, expires_at=home.clock() + DAY)
    home.wait(hours=2)
    assert sorted(posted.path for posted in server.posted) == ["/late", "/one", "/one"]


def test_a_channel_hears_nothing_of_what_a_webhook_missed_while_it_was_off(server: AlertServer) -> None:
    """Nor of a webhook that was removed since."""
    home = Home()
    channel = home.notify(server)
    home.bokit.alerts.edit(DEFAULT_TENANT, channel.id, {"enabled": False})
    webhook = give_up(home)
    home.bokit.tick()
    home.bokit.alerts.edit(DEFAULT_TENANT, channel.id, {"enabled": True})
    home.wait(hours=2)
    removed = WebhookFailure(tenant=DEFAULT_TENANT, webhook_id=WebhookId("whk_gone"), at=home.clock())
    home.store.save_webhook_failure(removed, expires_at=home.clock() + DAY)
    home.wait(hours=2)

    assert {f.webhook_id for f in home.store.load_webhook_failures(DEFAULT_TENANT)} == {"whk_gone", webhook.id}
    assert server.posted == []


def test_a_webhook_that_is_turned_off_is_one_message_of_its_own(server: AlertServer) -> None:
    """What is given up because it is off is not another."""
    home = Home()
    home.notify(server)
    give_up(home, status=410)

    for _ in range(3):
        home.move(minutes=5)
        home.bokit.tick()

    assert server.titles() == ["A webhook was switched off"]


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_whatever_dies_when_a_delivery_is_given_up_there_is_one_message(server: AlertServer, after: bool) -> None:
    """A crash at every call of the store, before and after it: one message, sent at most once more, with the same id."""
    deaths = 0
    for number in range(1, 60):
        home = Home()
        home.notify(server, f"/{number}")
        give_up(home)
        store = CallCounter(home.store)
        store.die_at, store.die_after = number, after
        receivers = Receivers()
        receivers.shelf[HOOK] = 503
        dying = home.open(store, open_sender=lambda receivers=receivers: receivers)
        try:
            dying.dispatcher.send_due()
        except Died:
            deaths += 1
        for _ in range(5):
            home.move(minutes=20)
            home.bokit.tick()
        mine = [posted.body for posted in server.posted if posted.path == f"/{number}"]
        assert {body["title"] for body in mine} == {"A webhook missed an event"}, number
        assert len({body["id"] for body in mine}) == 1, number
        assert len(mine) <= 2
    assert deaths > 20


@pytest.mark.slow
def test_whatever_dies_on_the_way_each_message_arrives(server: AlertServer) -> None:
    """A crash at every call of the store while a channel is served: it is sent, at most once more, with the same id."""
    deaths = 0
    for number in range(1, 40):
        home = Home(AIRBNB)
        home.notify(server)
        for name in ("a", "b"):
            (item,) = fill_outbox(
                DEFAULT_TENANT, home.clock(), [NewEvent(type=EventType.WEBHOOK_DISABLED, data={"name": f"{name}{number}"})]
            )
            home.store.put_outbox(item)
        store = CallCounter(home.store)
        store.die_at = number
        dying = home.open(store)
        try:
            dying.events.drain()
        except Died:
            deaths += 1
        for _ in range(3):
            home.move(minutes=20)
            home.bokit.tick()
        mine = [body for body in server.accepted if f"{number}: " in body["text"]]
        assert {body["text"].split(f"{number}: ")[0][-1] for body in mine} == {"a", "b"}
        assert len({body["id"] for body in mine}) == 2
        assert len(mine) <= 3
    assert deaths > 10


def test_channels_go_to_the_queue_where_there_is_one(home: Home, server: AlertServer) -> None:
    """A message names a tenant and a channel; the worker that gets it serves the channel."""
    queue = MemoryQueue()
    bokit = home.open(deliver_queue=queue)
    channel = home.notify(server)
    home.bokit = bokit
    home.fail()
    assert server.posted == []

    (body,) = queue.bodies
    assert read_place(body) == (DEFAULT_TENANT, channel.id)
    assert read_place('{"webhook": "whk_1"}') is None
    bokit.alert_delivery.serve(DEFAULT_TENANT, channel.id)

    assert len(server.accepted) == 1


def test_two_workers_do_not_send_a_message_twice(home: Home, server: AlertServer) -> None:
    """The second finds the channel claimed, and leaves it."""
    channel = home.notify(server)
    (item,) = fill_outbox(DEFAULT_TENANT, home.clock(), [NewEvent(type=EventType.WEBHOOK_DISABLED, data={"name": "a"})])
    home.store.put_outbox(item)
    EventLog(home.store, home.clock).drain()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: home.bokit.alert_delivery.serve(DEFAULT_TENANT, channel.id), range(8)))

    assert len(server.posted) == 1


def test_a_channel_is_checked_before_it_is_saved(home: Home, server: AlertServer) -> None:
    """Fields, addresses, e-mail that nobody sends, and how many a tenant may have."""
    add = home.bokit.alerts.add
    for values, field in [
        ({"kind": "pigeon"}, "kind"),
        ({"kind": "slack"}, "url"),
        ({"kind": "slack", "url": server.url, "chat_id": "1"}, "chat_id"),
        ({"kind": "slack", "url": server.url, "colour": "red"}, "colour"),
        ({"kind": "ntfy", "topic": "no spaces/please"}, "topic"),
        ({"kind": "webhook", "url": server.url, "severity": "loud"}, "severity"),
        ({"kind": "webhook", "url": server.url, "quiet_hours": "10pm"}, "quiet_hours"),
        ({"kind": "webhook", "url": server.url, "name": "a\nb"}, "name"),
    ]:
        with pytest.raises(InputError) as refused:
            add(DEFAULT_TENANT, values)
        assert refused.value.facts["field"] == field
    with pytest.raises(StateError, match="MailFrom"):
        add(DEFAULT_TENANT, {"kind": "email", "address": "rosa@example.com"})
    assert home.bokit.alerts.describe_all(DEFAULT_TENANT) == []
    home.store.quotas = Quotas(limits={(QuotaOwner.TENANT, QuotaName.ALERTS): 1})
    made = home.notify(server)
    with pytest.raises(QuotaError, match="TenantAlerts"):
        home.notify(server)
    home.bokit.alerts.remove(DEFAULT_TENANT, made.id)
    home.notify(server)
