"""Notices wait in the outbox until the alert topic has accepted them: one that it refuses is published later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.notices import Notice, name_hold
from bokit.engine.app import Bokit
from bokit.engine.runs.manual import SyncRequest
from bokit.errors import LaterError, SourceRefusedError
from bokit.outlets.memory import MemoryAlerts
from bokit.sources.protocols import Fetched
from bokit.store.limits import EVENT_TTL
from bokit.values import replace
from tests.support.apartment import AIRBNB, VRBO, Apartment
from tests.support.queued_work import run_queue
from tests.support.rows_app import Died, TestApp

HELD: Any = Fetched(body=b"<html>")
REFUSED: Any = SourceRefusedError("it is gone", code="http-404")
ANSWERS = pytest.mark.parametrize(("answer", "kind"), [(HELD, "source.held"), (REFUSED, "source.failing")])


class Topic(MemoryAlerts):
    """An alert topic that is down, or refuses some notices, when a test says so."""

    def __init__(self) -> None:
        super().__init__(delivers=True)
        self.is_down, self.refuses, self.tried = False, set[str](), list[str]()

    def publish(self, notices: Sequence[Notice]) -> None:
        self.tried += [n.id for n in notices]
        if self.is_down or any(n.type in self.refuses for n in notices):
            raise LaterError("the alert topic did not accept the notice", code="alerts")
        super().publish(notices)

    def types(self) -> list[str]:
        """Return the types of what it accepted, in its order."""
        return [n.type for n in self.notices.values()]


def make_app(answer: Any, topic: Topic) -> TestApp:
    """Return an app with a queue whose source was read once, and answers with *answer* from now on."""
    app = TestApp(queue=True)
    app.bokit = with_alerts(app.bokit, topic)
    source = app.add_source("a", {"1": {"name": "Ann"}})
    live(app)
    app.show(source, answer)
    return app


def with_alerts(bokit: Bokit, alerts: Any, **others: Any) -> Bokit:
    """Return another process of the same stack, with an alert topic of its own or none."""
    return Bokit(replace(bokit._parts, alerts=alerts, **others))


def live(app: TestApp, *, hours: float = 1, wakes: bool = True) -> None:
    """Let time pass as the stack does: a tick, its messages, and the function that the table's stream wakes."""
    app.clock.move(hours=hours)
    app.bokit.tick()
    run_queue(app)
    if wakes:
        app.bokit.events.drain()


@ANSWERS
def test_a_notice_that_the_topic_refuses_is_published_when_it_accepts_again(answer, kind):
    """The topic is down for an hour, and longer: what was refused comes once, with the id that it had."""
    topic = Topic()
    app = make_app(answer, topic)
    topic.is_down = True
    for _ in range(3):
        live(app)
    assert topic.notices == {}
    assert len(set(topic.tried)) == 1
    assert len(topic.tried) > 3

    topic.is_down = False
    app.clock.move(minutes=1)
    app.bokit.tick()

    assert topic.types() == [kind]
    assert set(topic.notices) == set(topic.tried)
    tried = len(topic.tried)
    live(app)
    assert len(topic.tried) == tried


@ANSWERS
def test_a_tick_publishes_what_no_wake_up_did(answer, kind):
    """The stream's wake-up is lost: a minute later the schedule publishes the notice."""
    topic = Topic()
    app = make_app(answer, topic)
    live(app, wakes=False)
    assert topic.tried == []

    app.clock.move(minutes=1)
    app.bokit.tick()

    assert topic.types() == [kind]


@ANSWERS
def test_a_command_line_without_a_topic_leaves_the_notice_to_the_stack(answer, kind):
    """A person's sync is first to meet the failure: the stack publishes it all the same."""
    topic = Topic()
    app = make_app(answer, topic)
    app.clock.move(minutes=5)

    with_alerts(app.bokit, None, queue=None).sync(SyncRequest(tenant=DEFAULT_TENANT, everything=True))
    assert topic.tried == []

    app.bokit.events.drain()
    if kind == "source.failing" and not topic.notices:
        live(app)
    assert topic.types() == [kind]


@ANSWERS
def test_a_command_line_with_a_topic_that_refuses_leaves_it_too(answer, kind):
    """The run itself is not hurt, and the stack's next tick publishes the notice."""
    topic, own = Topic(), Topic()
    app = make_app(answer, topic)
    own.is_down = True
    app.clock.move(minutes=5)

    run = with_alerts(app.bokit, own, queue=None).sync(SyncRequest(tenant=DEFAULT_TENANT, everything=True))

    assert [str(s.outcome) for s in run.sources] == ["held" if kind == "source.held" else "failed"]
    assert (len(own.tried), own.notices) == (1, {})
    live(app)
    assert topic.types() == [kind]


def test_a_double_booking_is_published_though_the_topic_refused_once():
    """The conflict is found and stored while the topic is down."""
    topic = Topic()
    home = Apartment()
    home.bokit = with_alerts(home.bokit, topic)
    home.add_feed(AIRBNB)
    home.add_feed(VRBO)
    home.book(AIRBNB, 20, 24)
    home.sync()
    home.book(VRBO, 22, 26)
    topic.is_down = True
    home.sync()
    home.bokit.events.drain()
    assert len(home.conflicts()) == 1
    assert (topic.types(), bool(topic.tried)) == ([], True)

    topic.is_down = False
    home.sync()

    assert topic.types() == ["conflict.opened"]


def test_one_notice_that_is_refused_keeps_no_other_back():
    """The topic refuses what is held for ever; the failure of another source is published, and events are numbered."""
    topic = Topic()
    app = make_app(HELD, topic)
    other = app.add_source("b", {"9": {"name": "Bob"}})
    topic.refuses = {"source.held"}
    live(app)
    app.show(other, REFUSED)

    live(app)

    assert topic.types() == ["source.failing"]
    assert "source.held" in {str(e.type) for e in app.store.load_events(DEFAULT_TENANT, after=0, until=100)}


def test_a_crash_between_the_topic_and_the_outbox_publishes_again_under_the_same_id():
    """A receiver that knows ids has it once."""
    topic = Topic()
    app = make_app(HELD, topic)
    live(app, wakes=False)
    delete: Callable[..., None] = app.store.delete_outbox

    def die(item: Any) -> None:
        raise Died

    app.store.delete_outbox = die
    with pytest.raises(Died):
        app.bokit.events.drain()
    app.store.delete_outbox = delete
    app.bokit.events.drain()

    assert (len(topic.tried), len(topic.notices)) == (2, 1)
    assert app.bokit.events.drain().notices == 0


def test_a_hold_that_goes_on_is_published_once():
    """The head says which hold it was, and the notice goes out with that."""
    topic = Topic()
    app = make_app(HELD, topic)
    live(app)
    live(app)

    assert len(topic.tried) == 1


def test_a_hold_is_noted_as_announced_only_when_a_person_gets_it():
    """Accepted by a topic that reaches a person, and not before; offered again, the first time stays."""
    topic = Topic()
    app = make_app(HELD, topic)
    topic.is_down = True
    live(app)
    (source,) = app.store.load_sources(DEFAULT_TENANT)
    assert app.store.load_alert_note(DEFAULT_TENANT, source.id) is None

    topic.is_down = False
    live(app, hours=5)

    note, hold = app.store.load_alert_note(DEFAULT_TENANT, source.id), app.head(source).hold
    assert note is not None
    assert hold is not None
    assert (note.hold, note.at) == (name_hold(hold.code, hold.since), app.clock())


def test_a_notice_that_nobody_accepts_is_given_up_with_the_events_of_its_age():
    """A table without a topic does not grow for ever."""
    app = make_app(HELD, Topic())
    app.bokit = with_alerts(app.bokit, None)
    live(app)
    assert [item.notice is not None for p in range(16) for item in app.store.load_outbox(p)] == [True]

    app.clock.move(days=EVENT_TTL / timedelta(days=1))
    app.bokit.events.drain()

    assert [item for p in range(16) for item in app.store.load_outbox(p)] == []
