"""Deliveries: every event arrives at who asked for it, whatever dies, refuses or sleeps on the way."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.events import EventType, NewEvent, fill_outbox
from bokit.core.model.limits import EVENT_JUMP, MAX_JITTER, MAX_REFUSALS, PAUSES, RETRY_WAITS
from bokit.core.model.records import TenantId
from bokit.core.model.webhooks import Answer, Delivery
from bokit.engine.live.dispatch import TurnMessage, read_turn
from bokit.engine.live.limits import MAX_QUEUE_WAIT, MAX_TURN_HOPS, MAX_WAKE_LOST
from bokit.engine.runs.manual import SyncRequest
from bokit.errors import InputError, LaterError, StateError, UnknownIdError
from bokit.store.memory.store import MemoryStore
from tests.support.apartment import AIRBNB, Flat
from tests.support.queued_work import ROW
from tests.support.rows_app import START, CallCounter, Died, Receivers
from tests.support.webhook_app import OTHER, URL, WebhookApp


class Home(Flat):
    """A flat whose bookings are sent to webhooks."""

    receivers = Receivers()

    def open(self, store: Any = None, clock: Any = None, **given: Any) -> Any:
        return super().open(store, clock, open_sender=lambda: self.receivers, **given)


def states(found: list[Delivery]) -> dict[str, tuple[str, int]]:
    return {str(each.event.data.get("id", each.event.type)): (str(each.state), each.attempts) for each in found}


# ── what is sent ──


def test_an_event_is_sent_signed_and_once():
    """Its document, under its id, with a signature that receivers' libraries verify."""
    app = WebhookApp()
    hook = app.add()
    app.clock.at = app.clock.at.now(tz=START.tzinfo)  # the library compares with its own clock
    app.happen("a", "b")
    app.notify()
    app.deliver()

    assert app.names() == ["a", "b"]
    for _, headers, document in app.receivers.came:
        assert (document["type"], document["id"], document["timestamp"]) == (
            "record.changed",
            headers["webhook-id"],
            document["at"],
        )
        body = json.dumps(document, separators=(",", ":"))
        assert Verifier(hook.secret).verify(body, headers) == document
    assert states(app.deliveries(hook)) == {"a": ("delivered", 1), "b": ("delivered", 1)}
    app.notify()
    app.pass_time(hours=1)
    assert len(app.receivers.came) == 2


def test_only_the_chosen_types_are_sent():
    """And nothing of the time before the webhook was added."""
    app = WebhookApp()
    app.happen("before")
    app.notify()
    hook = app.add(types=["booking.created", "source.held"])
    app.happen("a")
    app.happen("b", kind=EventType.SOURCE_HELD)
    app.happen("c")
    app.notify()
    app.deliver()

    assert app.names() == ["b"]
    assert app.store.load_endpoint(DEFAULT_TENANT, hook.id).position == 4


def test_guests_are_sent_only_with_details():
    """Thin by default: ids and dates; with details the record, as the API shows it at that moment."""
    home = Home()
    home.add_feed(AIRBNB)
    for name, details in (("thin", False), ("full", True)):
        home.bokit.webhooks.add(DEFAULT_TENANT, {"url": f"https://hooks.example/{name}", "details": details})
    made = home.make(10, 12, guest_name="Ann Meyer", phone="+39 333")
    home.bokit.events.drain()

    sent = {url.rpartition("/")[2]: doc for url, _, doc in home.receivers.came if doc["type"] == "booking.created"}
    assert "Ann Meyer" not in json.dumps(sent["thin"])
    assert "record" not in sent["thin"]["data"]
    assert (sent["full"]["data"]["record"]["guest_name"], sent["full"]["data"]["id"]) == ("Ann Meyer", made["id"])


def test_a_rotated_secret_signs_beside_the_new_one_for_a_day():
    """Then alone."""
    app = WebhookApp()
    old = app.add()
    app.clock.at = app.clock.at.now(tz=START.tzinfo) - timedelta(hours=23)
    new = app.bokit.webhooks.rotate(DEFAULT_TENANT, old.id)
    app.clock.move(hours=23)
    app.happen("a")
    app.notify()
    app.deliver()
    app.clock.move(hours=1)
    app.happen("b")
    app.notify()
    app.deliver()

    assert [len(headers["webhook-signature"].split()) for _, headers, _ in app.receivers.came] == [2, 1]
    _, headers, document = app.receivers.came[0]
    for secret in (old.secret, new.secret):
        Verifier(secret).verify(json.dumps(document, separators=(",", ":")), headers)


def test_two_tenants_never_cross():
    """Neither events nor webhooks nor deliveries."""
    app = WebhookApp()
    mine, theirs = app.add("https://a.example/"), app.add("https://b.example/", OTHER)
    app.happen("mine")
    app.happen("theirs", tenant=OTHER)
    app.notify()
    app.deliver()

    assert (app.names("https://a.example/"), app.names("https://b.example/")) == (["mine"], ["theirs"])
    webhooks = app.bokit.webhooks
    calls = (webhooks.load, webhooks.rotate, webhooks.test, webhooks.remove, webhooks.list_deliveries)
    for call in calls:
        with pytest.raises(UnknownIdError):
            call(OTHER, mine.id)
    (delivery,) = app.deliveries(mine)
    with pytest.raises(UnknownIdError):
        webhooks.redeliver(OTHER, theirs.id, delivery.event.id)
    assert len(app.receivers.came) == 2


# ── attempts ──


def test_attempts_come_after_the_documented_waits_and_then_end():
    """At once, 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 h, each a little longer by chance; then failed, with one notice."""
    app = WebhookApp()
    hook = app.add()
    app.receivers.shelf[URL] = 500
    times: list[Any] = []
    app.receivers.shelf[URL] = lambda: times.append(app.clock()) or 500
    app.happen("a")
    app.notify()
    app.deliver()
    for _ in range(200_000):
        if not times or app.deliveries(hook)[0].next_at is None:
            break
        due = app.deliveries(hook)[0].next_at
        app.clock.at = max(due, app.clock.at)
        app.bokit.dispatcher.send_due()
        app.deliver()
        if app.deliveries(hook)[0].next_at == due:
            app.clock.move(seconds=1)

    waits = [after - before for before, after in pairwise(times)]
    assert len(times) == 10
    for wait, expected in zip(waits, RETRY_WAITS, strict=True):
        assert expected <= wait <= expected * (1 + MAX_JITTER) + timedelta(seconds=61)
    assert states(app.deliveries(hook)) == {"a": ("failed", 10)}
    app.notify()
    assert [notice.type for notice in app.alerts.notices.values()] == ["webhook.failed"]
    app.pass_time(step=3600, hours=48)
    assert len(times) == 10


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 500, 503])
def test_any_answer_but_2xx_is_tried_again(status):
    """A redirect is not followed, and counts as a failure."""
    app = WebhookApp()
    hook = app.add()
    app.receivers.shelf[URL] = status
    app.happen("a")
    app.notify()
    app.deliver()
    (delivery,) = app.deliveries(hook)
    assert (str(delivery.state), delivery.status, delivery.error) == ("waiting", status, f"http-{status}")

    app.receivers.shelf[URL] = 200
    app.pass_time(minutes=1)

    assert states(app.deliveries(hook)) == {"a": ("delivered", 2)}


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(status):
    """For the delivery and for all others to the endpoint."""
    app = WebhookApp()
    app.add()
    app.receivers.shelf[URL] = Answer(status=status, error=f"http-{status}", retry_after=1800)
    app.happen("a")
    app.notify()
    app.deliver()
    app.receivers.shelf[URL] = 204
    app.happen("b")
    app.notify()
    app.pass_time(minutes=29)
    assert app.names() == ["a"]

    app.pass_time(minutes=3)

    assert app.names() == ["a", "a", "b"]


def test_gone_turns_the_webhook_off():
    """At once: the event fails, what waits is given up, the owner is notified, and the log says so."""
    app = WebhookApp()
    hook, other = app.add(), app.add("https://other.example/")
    app.receivers.shelf[URL] = 410
    app.happen("a", "b")
    app.notify()
    app.deliver()
    off = app.bokit.webhooks.load(DEFAULT_TENANT, hook.id)
    assert (off.enabled, str(off.disabled_reason), app.names()) == (False, "gone", ["a"])
    assert {name: state for name, (state, _) in states(app.deliveries(hook)).items()} == {"a": "failed", "b": "failed"}
    app.notify()
    assert [notice.type for notice in app.alerts.notices.values()] == ["webhook.disabled"]

    app.notify()
    app.deliver()

    (_, _, document) = app.receivers.came[-1]
    assert (document["type"], document["data"]) == ("webhook.disabled", {"webhook_id": hook.id, "reason": "gone"})
    assert app.receivers.came[-1][0] == other.url
    app.happen("c")
    app.notify()
    app.pass_time(hours=1)
    assert app.names() == ["a"]


def test_five_days_without_a_success_turn_the_webhook_off():
    """With one notice and one event; turned on again, it hears of what happens from then on."""
    app = WebhookApp()
    hook = app.add()
    app.receivers.shelf[URL] = Answer(error="timeout")
    for n in range(6):
        app.happen(f"day {n}")
        app.notify()
        app.pass_time(step=600, hours=24)
    assert str(app.bokit.webhooks.load(DEFAULT_TENANT, hook.id).disabled_reason) == "failing"
    assert {state for state, _ in states(app.deliveries(hook)).values()} == {"failed"}
    kinds = Counter(notice.type for notice in app.alerts.notices.values())
    assert kinds["webhook.disabled"] == 1
    assert kinds["webhook.failed"] <= 3
    tried = len(app.receivers.came)

    app.receivers.shelf[URL] = 204
    app.happen("meanwhile")
    app.notify()
    app.bokit.webhooks.edit(DEFAULT_TENANT, hook.id, {"enabled": True})
    app.happen("again")
    app.notify()
    app.pass_time(hours=1)

    assert app.names()[tried:] == ["again"]
    assert app.bokit.webhooks.load(DEFAULT_TENANT, hook.id).disabled_reason is None


def test_a_receiver_that_refuses_one_event_gets_the_others():
    """At once: it answers, so nothing pauses."""
    app = WebhookApp()
    hook = app.add()
    app.receivers.shelf[URL] = lambda: 422 if app.receivers.came[-1][2]["data"]["id"] == "bad" else 204
    app.happen("a", "bad", "b", "c")
    app.notify()
    app.deliver()

    assert app.names() == ["a", "bad", "b", "c"]
    assert states(app.deliveries(hook))["bad"] == ("waiting", 1)


def test_what_refuses_everything_is_paused_after_ten():
    """However many events there are."""
    app = WebhookApp()
    app.add()
    app.receivers.shelf[URL] = 401
    app.happen(*range(200))
    app.notify()
    app.deliver()

    assert len(app.receivers.came) == MAX_REFUSALS


@pytest.mark.parametrize("queue", [True, False])
def test_a_receiver_that_is_down_for_an_hour_gets_everything_afterwards(queue):
    """From the stack's functions, and from the command line; an attempt now and then meanwhile, not one for each event."""
    app = WebhookApp(queue=queue)
    hook = app.add()
    app.receivers.shelf[URL] = Answer(error="connection")
    for n in range(60):
        app.happen(n)
        app.notify()
        app.pass_time(step=20, minutes=1)
    assert len(app.receivers.came) < 60 * 60 / PAUSES[-1].total_seconds() * 4
    app.receivers.shelf[URL], down = 204, len(app.receivers.came)

    app.pass_time(hours=30)

    accepted = app.names()[down:]
    assert sorted(map(int, accepted)) == list(range(60))
    assert {state for state, _ in states(app.deliveries(hook)).values()} == {"delivered"}


def test_a_notice_that_no_channel_accepts_comes_later():
    """The owner hears of a webhook that was turned off, when the channel works again."""
    app = WebhookApp()
    app.add()
    app.receivers.shelf[URL] = 410
    publish = app.alerts.publish

    def refuse(notices: object) -> None:
        raise LaterError("the topic refuses", code="alerts")

    app.alerts.publish = refuse
    app.happen("a")
    app.notify()
    app.pass_time(minutes=20)
    assert app.alerts.notices == {}
    app.alerts.publish = publish

    app.pass_time(minutes=6)

    assert [notice.type for notice in app.alerts.notices.values()] == ["webhook.disabled"]


def test_a_webhook_that_was_not_turned_off_after_all_is_not_reported():
    """Of a crash after the note, before the write, where the receiver works again."""
    store = MemoryStore()
    app = WebhookApp(store)
    hook = app.add_settled()
    app.receivers.shelf[URL] = 410
    app.happen("a")
    app.notify()
    app.take_queue()
    save, store.save_webhook = store.save_webhook, lambda *args, **given: (_ for _ in ()).throw(Died())
    with pytest.raises(Died):
        app.bokit.deliveries.take_turn(read_turn(app.sleeping.pop()[1]))
    store.save_webhook, app.receivers.shelf[URL] = save, 204

    app.pass_time(minutes=10)

    assert (states(app.deliveries(hook)), app.alerts.notices) == ({"a": ("delivered", 1)}, {})


# ── who sends, and when ──


def test_one_request_at_a_time_to_an_endpoint():
    """A second turn finds the first one's lease, and leaves the endpoint to it; what it came for is sent all the same."""
    app = WebhookApp()
    hook = app.add()
    seen: list[bool] = []

    def slow() -> int:
        app.receivers.shelf[URL] = 204
        app.happen("b")
        app.notify()
        message = TurnMessage(tenant=DEFAULT_TENANT, webhook_id=hook.id)
        seen.append(app.bokit.deliveries.take_turn(message).held_elsewhere)
        return 204

    app.receivers.shelf[URL] = slow
    app.happen("a")
    app.notify()
    app.take_queue()
    app.bokit.deliveries.take_turn(read_turn(app.sleeping.pop()[1]))

    assert (seen, app.names()) == ([True], ["a", "b"])


def test_what_happens_at_the_last_moment_of_a_turn_is_sent():
    """Numbered after the turn has found nothing more: the release is refused, and the turn looks again."""
    app = WebhookApp()
    hook = app.add_settled()
    save = app.store.save_endpoint

    def save_late(*args: Any, release: bool, **given: Any) -> bool:
        if release:
            app.store.save_endpoint = save
            app.happen("late")
            app.notify()
            app.deliver_queue.bodies.clear()  # its own turn finds the lease held
        return bool(save(*args, release=release, **given))

    app.happen("a")
    app.notify()
    app.store.save_endpoint = save_late
    app.deliver()

    assert app.names() == ["a", "late"]
    assert app.store.load_endpoint(DEFAULT_TENANT, hook.id).position == 2


def test_an_endpoint_reads_on_after_a_restore():
    """What was unread is sent, and what comes after the jump of the numbers, in few reads."""
    app = WebhookApp()
    hook = app.add_settled()
    app.happen("unread")
    app.notify()
    app.bokit.events.jump([DEFAULT_TENANT], "restored")
    app.happen("after")
    app.notify()
    reads, load = [], app.store.load_events
    app.store.load_events = lambda *place, **span: reads.append(span) or load(*place, **span)
    app.deliver()

    assert app.names() == ["unread", "after"]
    assert app.store.load_endpoint(DEFAULT_TENANT, hook.id).position == EVENT_JUMP + 2
    assert len(reads) < 10


def test_a_slow_endpoint_delays_no_other():
    """Its turn ends with its first attempt that hangs; those of others are messages of their own."""
    app = WebhookApp()
    app.add()
    app.add("https://quick.example/")
    app.receivers.shelf[URL] = lambda: app.clock.move(seconds=15) or Answer(error="timeout")
    app.happen(*range(20))
    app.notify()
    bodies = list(app.deliver_queue.bodies)
    app.deliver_queue.bodies.clear()
    for body in bodies:
        app.bokit.deliveries.take_turn(read_turn(body))

    assert len(bodies) == 2
    assert (len(app.names()), len(app.names("https://quick.example/"))) == (1, 20)


def test_a_turn_ends_in_time_and_goes_on_in_the_next():
    """Of a receiver that takes 3 seconds for each event."""
    app = WebhookApp()
    app.add()
    app.receivers.shelf[URL] = lambda: app.clock.move(seconds=3) or 204
    app.happen(*range(30))
    app.notify()
    app.take_queue()
    app.bokit.deliveries.take_turn(read_turn(app.sleeping.pop()[1]))
    assert len(app.names()) == 14

    app.deliver()

    assert app.names() == [str(n) for n in range(30)]


def test_a_chain_of_messages_is_short():
    """After eight turns that each sent the next one's message the tick goes on."""
    app = WebhookApp()
    app.add()
    app.receivers.shelf[URL] = lambda: app.clock.move(seconds=40) or 204
    app.happen(*range(20))
    app.notify()
    assert app.deliver() == MAX_TURN_HOPS + 1

    app.bokit.dispatcher.send_due()

    assert app.deliver() == MAX_TURN_HOPS + 1
    app.pass_time(minutes=3)
    assert app.names() == [str(n) for n in range(20)]


def test_no_message_waits_longer_than_the_queue_can():
    """What is due later, the tick starts."""
    app = WebhookApp()
    app.add()
    app.receivers.shelf[URL] = Answer(error="connection")
    app.happen("a")
    app.notify()
    app.pass_time(step=30, hours=12)

    assert max(app.deliver_queue.delays) <= MAX_QUEUE_WAIT.total_seconds()
    assert 6 <= len(app.receivers.came) <= 8


def test_a_lost_message_costs_a_minute():
    """Whether it was the one of new events, or of an attempt."""
    app = WebhookApp()
    app.add()
    app.happen("a")
    app.notify()
    app.deliver_queue.bodies.clear()
    app.clock.move(seconds=MAX_WAKE_LOST.total_seconds())
    app.bokit.tick()
    app.receivers.shelf[URL] = Answer(error="connection")
    app.deliver()
    assert app.names() == ["a"]
    app.sleeping.clear()
    app.receivers.shelf[URL] = 204

    app.clock.move(seconds=MAX_WAKE_LOST.total_seconds() + 6)
    app.bokit.tick()
    app.deliver()

    assert app.names() == ["a", "a"]


def test_a_function_that_wakes_nobody_costs_a_minute():
    """The log is due in the transaction that numbers."""
    app = WebhookApp()
    app.add_settled()
    app.happen("a")
    wake = app.store.wake_endpoint
    app.store.wake_endpoint = lambda *args: (_ for _ in ()).throw(LaterError("busy", code="store-busy"))
    app.notify()
    app.store.wake_endpoint = wake
    assert app.deliver() == 0

    app.pass_time(minutes=2)

    assert app.names() == ["a"]


def test_a_queue_that_refuses_messages_costs_a_minute():
    """The endpoint is due on the index before its message is sent."""
    app = WebhookApp()
    app.add_settled()
    app.happen("a")
    app.deliver_queue.send = lambda bodies, delay_seconds=0: (_ for _ in ()).throw(LaterError("no queue", code="queue"))
    app.notify()
    del app.deliver_queue.send
    assert app.deliver() == 0

    app.pass_time(minutes=2)

    assert app.names() == ["a"]


def test_without_a_queue_a_sync_sends_at_once_and_the_tick_again():
    """As on the command line: the same code, in this process."""
    app = WebhookApp(queue=False)
    app.add()
    app.receivers.shelf[URL] = 503
    app.add_source("a", ROW)
    app.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, everything=True))
    (first,) = app.receivers.ids(URL)
    app.receivers.shelf[URL] = 204

    app.clock.move(minutes=1)
    app.bokit.tick()

    log = app.store.load_events(DEFAULT_TENANT, after=0, until=app.store.load_last_seq(DEFAULT_TENANT))
    assert "collection.changed" in [event.type for event in log]
    assert sorted(app.receivers.ids(URL)) == sorted([first, *(event.id for event in log)])


# ── what owners do ──


def test_a_delivery_is_sent_again_on_request():
    """One that arrived too, under the same id; not to a webhook that is off."""
    app = WebhookApp()
    hook = app.add()
    app.happen("a")
    app.notify()
    app.deliver()
    (delivery,) = app.deliveries(hook)

    again = app.bokit.webhooks.redeliver(DEFAULT_TENANT, hook.id, delivery.event.id)
    app.deliver()

    assert (str(again.state), again.attempts) == ("waiting", 0)
    assert app.receivers.ids(URL) == 2 * [delivery.event.id]
    assert states(app.deliveries(hook)) == {"a": ("delivered", 1)}
    with pytest.raises(UnknownIdError):
        app.bokit.webhooks.redeliver(DEFAULT_TENANT, hook.id, "evt_nothing")
    app.bokit.webhooks.edit(DEFAULT_TENANT, hook.id, {"enabled": False})
    with pytest.raises(StateError):
        app.bokit.webhooks.redeliver(DEFAULT_TENANT, hook.id, delivery.event.id)


def test_a_test_is_sent_at_once_and_listed_nowhere():
    """To a webhook that is off, too; the answer is the receiver's."""
    app = WebhookApp()
    hook = app.add(enabled=False)
    assert app.bokit.webhooks.test(DEFAULT_TENANT, hook.id).status == 204
    app.receivers.shelf[URL] = Answer(error="timeout")
    assert app.bokit.webhooks.test(DEFAULT_TENANT, hook.id).error == "timeout"

    assert [doc["type"] for _, _, doc in app.receivers.came] == 2 * ["webhook.test"]
    assert app.deliveries(hook) == []


def test_turned_off_by_its_owner_nothing_is_sent_any_more():
    """What waits is given up; after it is on again only what is new is sent."""
    app = WebhookApp()
    hook = app.add()
    app.receivers.shelf[URL] = 500
    app.happen("a")
    app.notify()
    app.deliver()
    app.bokit.webhooks.edit(DEFAULT_TENANT, hook.id, {"enabled": False})
    app.happen("b")
    app.notify()
    app.pass_time(hours=1)
    assert states(app.deliveries(hook)) == {"a": ("failed", 1)}
    app.receivers.shelf[URL] = 204

    app.bokit.webhooks.edit(DEFAULT_TENANT, hook.id, {"enabled": True})
    app.happen("c")
    app.notify()
    app.pass_time(minutes=5)

    assert app.names() == ["a", "c"]
    assert app.alerts.notices == {}


def test_what_waits_goes_to_a_new_url():
    """At once where its endpoint paused; the failures of the former one are forgotten."""
    app = WebhookApp()
    hook = app.add()
    app.receivers.shelf[URL] = Answer(error="dns")
    app.happen("a", "b")
    app.notify()
    app.pass_time(minutes=30)

    app.bokit.webhooks.edit(DEFAULT_TENANT, hook.id, {"url": "https://new.example/"})
    app.pass_time(hours=3)

    assert sorted(app.names("https://new.example/")) == ["a", "b"]


def test_a_removed_webhook_is_sent_nothing():
    """Not even what was due."""
    app = WebhookApp()
    hook = app.add()
    app.happen("a")
    app.notify()
    app.bokit.webhooks.remove(DEFAULT_TENANT, hook.id)
    app.pass_time(hours=1)

    assert (app.receivers.came, app.bokit.webhooks.list_webhooks(DEFAULT_TENANT)) == ([], [])


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "url"),
        ({"url": "secret:hook"}, "url"),
        ({"url": URL, "types": ["booking.exploded"]}, "types"),
        ({"url": URL, "details": "perhaps"}, "details"),
        ({"url": URL, "secret": "whsec_mine"}, "secret"),
    ],
)
def test_wrong_fields_of_a_webhook_are_refused(values, field):
    """With the field that is wrong."""
    app = WebhookApp()
    with pytest.raises(InputError) as caught:
        app.bokit.webhooks.add(DEFAULT_TENANT, values)
    assert caught.value.facts["field"] == field
    assert app.bokit.webhooks.list_webhooks(DEFAULT_TENANT) == []


# ── what dies ──


class Knowing:
    """A receiver that knows ids: it accepts each once, and refuses or forgets to answer now and then."""

    def __init__(self, app: WebhookApp) -> None:
        self.app, self.accepted, self.calls, self.is_well = app, Counter[str](), 0, False

    def __call__(self) -> int | Answer:
        self.calls += 1
        if self.calls % 7 == 3 and not self.is_well:
            return 500
        _, headers, document = self.app.receivers.came[-1]
        if headers["webhook-id"] not in self.accepted:
            self.accepted[headers["webhook-id"]] += 1
        self.app.receivers.came.clear()
        assert document["id"] == headers["webhook-id"]
        return Answer(error="timeout") if self.calls % 11 == 5 and not self.is_well else 204


@pytest.mark.slow
def test_ten_thousand_events_are_each_accepted_once(record_property):
    """Deaths before and after the calls of notify and deliver, refusals, lost answers, messages twice: nothing is lost."""
    store = MemoryStore()
    app = WebhookApp(store)
    hooks = {tenant: app.add(f"https://{tenant}.example/", tenant) for tenant in (DEFAULT_TENANT, OTHER)}
    knowing = {tenant: Knowing(app) for tenant in hooks}
    for tenant, hook in hooks.items():
        app.receivers.shelf[hook.url] = knowing[tenant]
    engine, points, expected = app.bokit, 0, Counter[TenantId]()
    for turn in range(100):
        for n in range(50):
            tenant = OTHER if n % 5 == 0 else DEFAULT_TENANT
            said = [NewEvent(type=EventType.RECORD_CHANGED, data={"id": f"{turn}.{n}.{k}"}) for k in range(2)]
            (item,) = fill_outbox(tenant, app.clock(), said)
            store.put_outbox(item)
            expected[tenant] += 2
        app.clock.move(seconds=20)
        for at in range(1 + turn % 9, 90, 9):
            calls = CallCounter(store)
            calls.die_at, calls.die_after = at, bool((turn + at) % 2)
            dying = app.assemble(calls)
            try:
                if (turn + at) % 3 == 0:
                    dying.events.drain()
                engine.events.drain()
                app.take_queue()
                for _, body in [*app.sleeping, *app.sleeping[:1]]:
                    dying.deliveries.take_turn(read_turn(body))
                app.sleeping.clear()
            except Died:
                points += 1
                app.sleeping = app.sleeping[1:]
        app.clock.move(seconds=100)
        engine.dispatcher.send_due()
        app.deliver()
    engine.events.drain().check()
    for each in knowing.values():
        each.is_well = True
    app.pass_time(hours=90, step=300)

    record_property("points", points)
    assert points > 250
    assert sum(expected.values()) == 10_000
    for tenant, hook in hooks.items():
        log = store.load_events(tenant, after=0, until=store.load_last_seq(tenant))
        assert len(log) == expected[tenant]
        assert knowing[tenant].accepted == Counter(event.id for event in log)
        assert set(store.find_deliveries(tenant, hook.id, range(1, len(log) + 1))) == {event.seq for event in log}


@pytest.mark.parametrize("answer", [204, 500, 422, 410])
def test_a_death_anywhere_in_a_turn_loses_nothing(answer, record_property):
    """Before and after each call that numbering, waking, sending and the tick make: the receiver hears, the owner too."""

    def run(die_at: int | None, *, after: bool) -> tuple[Any, int]:
        store = MemoryStore()
        app = WebhookApp(store)
        hook = app.add_settled()
        app.receivers.shelf[URL] = lambda: answer if app.receivers.came[-1][2]["data"].get("id") == "1" else 204
        app.happen(0, 1, 2)
        calls = CallCounter(store)
        calls.die_at, calls.die_after = die_at, after
        dying = app.assemble(calls)
        try:
            dying.events.drain()
            app.take_queue()
            dying.deliveries.take_turn(read_turn(app.sleeping.pop()[1]))
        except Died:
            app.sleeping.clear()
        app.notify()
        app.receivers.shelf[URL] = lambda: 410 if answer == 410 and app.receivers.came[-1][2]["data"].get("id") == "1" else 204
        app.pass_time(step=30, minutes=20)
        app.notify()
        found = {name: state for name, (state, _) in states(app.deliveries(hook)).items() if name in ("0", "1")}
        off = store.load_webhook(DEFAULT_TENANT, hook.id).disabled_reason
        notices = sorted(notice.type for notice in app.alerts.notices.values())
        log = [str(event.type) for event in store.load_events(DEFAULT_TENANT, after=3, until=store.load_last_seq(DEFAULT_TENANT))]
        repeated = len(app.names()) - len(set(app.names()))
        assert answer != 204 or repeated <= (die_at is not None), "only the attempt during which it died is repeated"
        return (found, off, notices, log, set(app.names()) >= {"0", "1"}), len(calls.calls)

    expected, count = run(None, after=False)
    assert expected[0] == {"0": "delivered", "1": "failed" if answer == 410 else "delivered"}
    for at in range(1, count + 1):
        for after in (False, True):
            assert run(at, after=after)[0] == expected, (at, after)
    record_property("points", 2 * count)
