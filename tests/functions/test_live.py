"""The WebSocket: tickets, connections, events as they happen, and everything that a hostile client may send."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bokit.core.model.access import Role
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.connections import read_claims
from bokit.core.model.events import EventType, NewEvent, fill_outbox
from bokit.core.model.records import SourceId
from bokit.core.model.runs import OpenRun, Outcome, RunStatus, SourceReport, Trigger
from bokit.engine.live.limits import MAX_CLIENT_MESSAGE, MAX_CONNECTIONS, MAX_RESUMED_EVENTS
from bokit.store.limits import EVENT_TTL
from functions.live import app as live
from functions.notify import app as notify
from tests.support.builders import NAUGHTY_STRINGS, a_run
from tests.support.caller import OTHER, Caller
from tests.support.lambda_events import EVENTS, LambdaContext, load_event
from tests.support.live_app import FailingSockets, LiveApp


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> LiveApp:
    """An API with a WebSocket and two tenants."""
    return LiveApp(monkeypatch)


@pytest.fixture
def viewer(app: LiveApp) -> Caller:
    """Somebody who may look."""
    return app.sign_in()


def types(messages: list) -> list[str]:
    """Return the kinds of what came."""
    return [message["type"] for message in messages]


# ── tickets ──


def test_the_way_to_the_socket_is_shown(app, viewer):
    """Its address, where tickets are, and what may be sent."""
    shown = viewer.get("/sync/websocket")

    assert shown == {"url": "wss://live.example/live", "ticket": "/sync/ticket", "actions": ["resume", "ping"]}


def test_a_ticket_opens_one_socket_within_a_minute(app, viewer):
    """Its answer says until when; the second time, and a minute later, it opens nothing."""
    answer = viewer.post("/sync/ticket", status=200)
    assert answer["expires_at"] == "2026-06-01T12:01:00Z"

    ticket, late = app.ticket_of(viewer), app.ticket_of(viewer)
    admitted = [app.admit(ticket) for _ in range(2)]
    app.move(seconds=60)

    assert admitted[0]["tenant"] == DEFAULT_TENANT
    assert (admitted[1], app.admit(late)) == (None, None)


def test_what_is_not_a_ticket_opens_nothing_and_reads_nothing(app, viewer, monkeypatch):
    """Texts of any kind, numbers, lists, tokens: denied, with a policy."""
    _, token = app.bokit.access.create(DEFAULT_TENANT, Role.ADMIN)
    monkeypatch.setattr(app.store, "take_ticket", lambda _: pytest.fail("it was looked up"))

    for ticket in (*NAUGHTY_STRINGS, "", None, 7, ["x"], token, "x" * 44, "x" * 42 + "\n"):
        assert app.admit(ticket) is None


def test_the_ticket_is_stored_as_a_hash(app, viewer):
    """Who reads the table can open nothing."""
    ticket = app.ticket_of(viewer)

    assert ticket not in repr(vars(app.store))


def test_a_ticket_carries_no_more_than_its_token(app):
    """Role, tenant and id are the token's; its end is the connection's."""
    caller = app.sign_in(Role.OPERATOR, OTHER, expires_in=timedelta(minutes=5))
    claims = app.admit(app.ticket_of(caller))
    app.open(claims)

    known = read_claims(claims)
    (connection,) = app.store.load_connections(OTHER)
    assert (known.tenant, known.role, known.id) == (OTHER, Role.OPERATOR, caller.authorizer["lambda"]["id"])
    assert connection.ends_at == app.clock() + timedelta(minutes=5)
    assert connection.caller == known


def test_a_revoked_or_expired_token_gets_no_ticket_and_its_tickets_open_nothing(app):
    """The gateway may let the token through for half a minute more; here it ends."""
    revoked, expired = app.sign_in(), app.sign_in(expires_in=timedelta(seconds=30))
    tickets = [app.ticket_of(caller) for caller in (revoked, expired)]
    app.revoke(revoked)
    app.move(seconds=30)

    assert [app.admit(ticket) for ticket in tickets] == [None, None]
    for caller in (revoked, expired):
        answer = caller.ask("POST", "/sync/ticket")
        assert (answer.status, answer.code) == (403, "token-invalid")


def test_a_jwt_gets_a_ticket_and_a_connection_that_ends_with_it(app):
    """The ticket is Bokit's own; no token is looked for."""
    end = app.clock() + timedelta(minutes=20)
    claims = {"bokit_tenant": "default", "bokit_role": "viewer", "sub": "auth0|7", "exp": str(int(end.timestamp()))}
    caller = Caller(app.bokit, {"jwt": {"claims": claims, "scopes": None}})

    app.connect(caller)
    app.move(minutes=20)
    answer = caller.ask("POST", "/sync/ticket")

    (connection,) = app.store.load_connections(DEFAULT_TENANT)
    assert (connection.ends_at, connection.caller.id, connection.caller.is_external) == (end, "auth0|7", True)
    assert answer.code == "token-invalid"


@pytest.mark.parametrize("exp", [None, "", "soon", "1e999", [1]])
def test_a_jwt_without_an_end_gets_no_ticket(app, exp):
    """The gateway lets none through; so it is not believed here."""
    claims = {"bokit_tenant": "default", "bokit_role": "viewer", "sub": "auth0|7", "exp": exp}

    assert Caller(app.bokit, {"jwt": {"claims": claims}}).ask("POST", "/sync/ticket").code == "token-invalid"


def test_a_stack_without_a_socket_says_so(app, viewer):
    """404 with a code of its own: clients ask for events instead."""
    app.bokit.tickets.url = None

    for method, path in (("POST", "/sync/ticket"), ("GET", "/sync/websocket")):
        answer = viewer.ask(method, path)
        assert (answer.status, answer.code) == (404, "no-websocket")


def test_a_tenant_has_a_number_of_sockets(app, viewer):
    """Over it nobody gets a ticket, and an older ticket opens nothing; one that leaves makes room."""
    spare = app.ticket_of(viewer)
    sockets = [app.connect(viewer) for _ in range(MAX_CONNECTIONS)]

    answer = viewer.ask("POST", "/sync/ticket")
    assert (answer.status, answer.code, answer.doc["limit"]) == (409, "too-many-connections", MAX_CONNECTIONS)
    assert app.open(app.admit(spare)).status == 403
    assert app.connect(app.sign_in(tenant=OTHER)).status == 200
    sockets[0].send_event("disconnect")
    assert app.connect(viewer).status == 200


# ── what comes ──


def test_what_happens_is_there_at_once(app, viewer):
    """An event is posted with its number, to each connection of its tenant."""
    sockets = [app.connect(viewer), app.connect(app.sign_in(Role.ADMIN))]
    app.happen(2)

    for socket in sockets:
        came = socket.read()
        assert [(m["seq"], m["type"], m["data"]["id"]) for m in came] == [
            (1, "record.changed", "r0"),
            (2, "record.changed", "r1"),
        ]
        assert came == app.caller.get("/events", since=0)["items"]


def test_nothing_of_another_tenant_comes(app, viewer):
    """Neither as it happens nor when it resumes."""
    ours, theirs = app.connect(viewer), app.connect(app.sign_in(tenant=OTHER))
    app.happen(3, OTHER)

    assert (ours.read(), len(theirs.read())) == ([], 3)
    assert ours.resume(0) == [{"type": "ready", "seq": 0}]
    assert types(theirs.resume(0)) == ["record.changed"] * 3 + ["ready"]


def test_nothing_is_posted_while_it_connects(app, viewer):
    """The gateway knows no connection before $connect was answered."""
    app.happen(1)

    assert app.connect(viewer).read() == []


def test_a_client_resumes_where_it_was(app, viewer):
    """The events after its number, then that these were all; twice, if it asks twice."""
    app.happen(5)
    socket = app.connect(viewer)

    for _ in range(2):
        came = socket.resume(2)
        assert sorted(m["seq"] for m in came[:-1]) == [3, 4, 5]
        assert came[-1] == {"type": "ready", "seq": 5}
    assert socket.resume(5) == [{"type": "ready", "seq": 5}]


def test_a_gap_that_is_too_large_is_said(app, viewer):
    """Two hundred events come; of one more, that all is to be read again."""
    app.happen(MAX_RESUMED_EVENTS + 1)
    socket = app.connect(viewer)

    assert len(socket.resume(1)) == MAX_RESUMED_EVENTS + 1
    assert socket.resume(0) == [{"type": "resync", "seq": MAX_RESUMED_EVENTS + 1}]


def test_a_number_that_the_log_does_not_have_is_said(app, viewer):
    """Above it (a restored table), or older than it."""
    app.happen(3)
    socket = app.connect(viewer)
    assert socket.resume(4) == [{"type": "resync", "seq": 3}]

    app.move(seconds=EVENT_TTL.total_seconds() + 1)
    app.happen(1)
    assert app.connect(viewer).resume(1) == [{"type": "resync", "seq": 4}]


def test_a_ping_is_answered_with_the_number(app, viewer):
    """So that the last message's loss shows."""
    app.happen(2)

    assert app.connect(viewer).say({"action": "ping"}) == [{"type": "pong", "seq": 2}]


def test_a_burst_is_one_message(app, viewer):
    """Many events of one drain: that the log is to be read."""
    socket = app.connect(viewer)
    app.happen(MAX_RESUMED_EVENTS + 1)

    assert socket.read() == [{"type": "resync", "seq": MAX_RESUMED_EVENTS + 1}]


def test_an_event_that_no_frame_takes_is_read_from_the_log(app, viewer):
    """Posted or resumed: its place is said, and every message fits a frame."""
    socket = app.connect(viewer)
    app.happen(1, names=["é" * 1000] * 20)

    assert socket.read() == [{"type": "resync", "seq": 1}]
    assert socket.resume(0) == [{"type": "resync", "seq": 1}, {"type": "ready", "seq": 1}]


# ── hostile clients ──


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "bad-json"),
        ("hello", "bad-json"),
        ("[" * 900, "bad-json"),
        ("x" * (MAX_CLIENT_MESSAGE + 1), "too-large"),
        ('{"action":"resume","since":' + "9" * 900 + "}", "bad-field"),
        ('{"action":"resume","since":1e3}', "bad-field"),
        ({"action": "resume"}, "bad-field"),
        ({"action": "resume", "since": -1}, "bad-field"),
        ({"action": "resume", "since": 10**12}, "bad-field"),
        ({"action": "resume", "since": "1"}, "bad-field"),
        ({"action": "resume", "since": True}, "bad-field"),
        ({"action": "resume", "since": None}, "bad-field"),
        ({"action": "drop"}, "unknown-action"),
        ({"action": ["ping"]}, "unknown-action"),
        ({"ping": 1}, "unknown-action"),
        ([], "unknown-action"),
        ("null", "unknown-action"),
        ("NaN", "unknown-action"),
    ],
)
def test_a_message_that_is_wrong_gets_one_that_says_so(app, viewer, body, code):
    """One message, to this connection alone, and the connection goes on."""
    other, socket = app.connect(viewer), app.connect(viewer)

    (answer,) = socket.say(body)

    assert (answer["type"], answer["code"]) == ("error", code)
    assert other.read() == []
    assert types(socket.say({"action": "ping"})) == ["pong"]


def test_naughty_texts_are_answered(app, viewer):
    """As messages, and as bytes that are no text."""
    socket = app.connect(viewer)

    for text in NAUGHTY_STRINGS:
        assert types(socket.say(text)) == ["error"]
    socket.send_event("unknown", body="/w==", isBase64Encoded=True)
    assert types(socket.read()) == ["error"]


def test_an_event_without_an_authorizer_acts_for_nobody(app):
    """Of every kind; the gateway sends none, so nothing is done."""
    for name in ("connect", "resume", "ping", "disconnect"):
        for claims in (None, {}, {"tenant": "default"}, {"tenant": "default", "id": "x", "role": "root"}):
            event = load_event(f"live/{name}.json")
            event["requestContext"]["authorizer"] = claims
            assert live.lambda_handler(event, LambdaContext()) == {"statusCode": 401}
    assert app.store.load_connections(DEFAULT_TENANT) == []


# ── the end ──


def test_who_leaves_is_forgotten(app, viewer):
    """Nothing is posted to it, and nothing is left."""
    socket = app.connect(viewer)
    socket.send_event("disconnect")
    app.happen(1)

    assert (socket.read(), app.store.load_connections(DEFAULT_TENANT)) == ([], [])


def test_one_that_is_gone_is_forgotten_and_keeps_no_other_back(app, viewer):
    """410 on a post, as of a laptop that was shut."""
    gone, there = app.connect(viewer), app.connect(viewer)
    app.sockets.closed.append(gone.id)
    app.happen(2)

    assert len(there.read()) == 2
    assert [c.id for c in app.store.load_connections(DEFAULT_TENANT)] == [there.id]


def test_one_that_does_not_answer_keeps_no_other_back(app, viewer):
    """Its messages are lost, the others' are not, the numbering succeeds; its next pong shows what it missed."""
    slow, there = app.connect(viewer), app.connect(viewer)
    app.bokit.connections.sockets = FailingSockets(app.sockets, {slow.id})
    app.happen(2)
    app.bokit.connections.sockets = app.sockets

    assert (slow.read(), len(there.read())) == ([], 2)
    assert slow.say({"action": "ping"}) == [{"type": "pong", "seq": 2}]


def test_a_slow_gateway_does_not_use_up_the_functions_time(app, viewer, monkeypatch):
    """After ten seconds of posting no further tenant is posted to; the events are numbered, and clients find the gap."""
    ours, theirs = app.connect(viewer), app.connect(app.sign_in(tenant=OTHER))
    post = app.sockets.post
    monkeypatch.setattr(app.sockets, "post", lambda *given: (app.move(seconds=11), post(*given))[1])
    for tenant in (DEFAULT_TENANT, OTHER):
        (item,) = fill_outbox(tenant, app.clock(), [NewEvent(type=EventType.RECORD_CHANGED)])
        app.store.put_outbox(item)

    assert app.bokit.events.drain().events == 2

    assert sorted([len(ours.read()), len(theirs.read())]) == [0, 1]


def test_a_table_that_does_not_list_connections_costs_messages_alone(app, viewer, monkeypatch):
    """The events are numbered; the clients find the gap."""
    socket = app.connect(viewer)
    with monkeypatch.context() as broken:
        broken.setattr(app.store, "load_connections", lambda _: 1 / 0)
        app.happen(1)

    assert types(socket.say({"action": "ping"}) + socket.resume(0)) == ["pong", "record.changed", "ready"]


def test_revoking_a_token_closes_its_connections_and_no_other(app, viewer):
    """At once; the same person's other token goes on."""
    other = app.sign_in()
    closed, kept = [app.connect(viewer), app.connect(viewer)], app.connect(other)
    answer = app.caller.ask("DELETE", f"/tokens/{viewer.authorizer['lambda']['id']}")
    app.happen(1)

    assert answer.status == 200
    assert [socket.is_closed for socket in (*closed, kept)] == [True, True, False]
    assert [len(socket.read()) for socket in (*closed, kept)] == [0, 0, 1]
    assert app.store.load_due_closings(app.clock()).tokens == ()


def test_what_a_revocation_could_not_close_the_next_tick_does(app, viewer):
    """The gateway was down, or the command line has none: a minute later it is closed."""
    socket = app.connect(viewer)
    app.bokit.connections.sockets = FailingSockets(app.sockets, {socket.id})
    app.revoke(viewer)
    assert app.bokit.tick(Trigger.SCHEDULE).error
    assert not socket.is_closed

    app.bokit.connections.sockets = app.sockets
    report = app.bokit.tick(Trigger.SCHEDULE)

    assert (report.closings, report.error, socket.is_closed) == (1, None, True)
    assert app.bokit.tick(Trigger.SCHEDULE).closings == 0


def test_a_revocation_while_it_connects_is_seen(app, viewer):
    """The ticket was taken, then the token is revoked, then the gateway opens the socket: it does not."""
    claims = app.admit(app.ticket_of(viewer))
    app.revoke(viewer)

    assert app.open(claims).status == 403
    assert app.store.load_connections(DEFAULT_TENANT) == []


def test_a_connection_ends_with_its_age_and_with_its_token(app):
    """After two hours, or when the token expires, the tick closes it, and until then nothing."""
    long, short = app.sign_in(), app.sign_in(expires_in=timedelta(minutes=10))
    sockets = [app.connect(long), app.connect(short)]
    closed = []
    for minutes in (9, 1, 109, 1):
        app.move(minutes=minutes)
        app.bokit.tick(Trigger.SCHEDULE)
        closed.append([socket.is_closed for socket in sockets])

    assert closed == [[False, False], [False, True], [False, True], [True, True]]
    assert app.store.load_connections(DEFAULT_TENANT) == []


def test_one_at_its_end_hears_nothing_more(app):
    """Before the tick comes too: events are not posted, and a message closes it."""
    socket = app.connect(app.sign_in(expires_in=timedelta(minutes=10)))
    app.move(minutes=10)
    app.happen(1)

    assert socket.say({"action": "resume", "since": 0}) == []
    assert socket.is_closed


def test_a_removed_tenants_connection_is_closed_when_it_speaks(app):
    """Its data is gone, and nothing is posted to it."""
    caller = app.sign_in(tenant=OTHER)
    socket = app.connect(caller)
    ticket = app.ticket_of(caller)
    app.store.remove_tenant(OTHER)

    assert (app.admit(ticket), socket.say({"action": "ping"}), socket.is_closed) == (None, [], True)


# ── progress ──


def test_progress_comes_without_a_number_about_once_a_second(app, viewer, monkeypatch):
    """From the run's progress item, as the stream shows it; only while some have reported and some have not."""
    monkeypatch.setattr(notify, "engine", lambda: app.bokit)
    socket, stranger = app.connect(viewer), app.connect(app.sign_in(tenant=OTHER))
    pending = frozenset(SourceId(f"src_{n}") for n in range(3))
    opened = OpenRun(run=a_run(status=RunStatus.QUEUED, sources=(), finished_at=None), pending=pending, overdue_at=app.clock())
    app.store.open_run(opened, expires_at=app.clock(), answered=None, now=app.clock())
    event = load_event("notify/progress.json")
    event["Records"][0]["dynamodb"]["Keys"]["pk"]["S"] = f"T#default#RUNS#PROGRESS#{opened.run.run_id}"
    came = []

    for number, seconds in ((None, 0), (0, 2), (1, 0.5), (1, 1), (2, 2)):
        app.move(seconds=seconds)
        if number is not None:
            report = SourceReport(source_id=SourceId(f"src_{number}"), name="x", outcome=Outcome.CHANGED, counts={"seen": 2})
            app.store.report_sources(DEFAULT_TENANT, opened.run.run_id, [report])
        notify.lambda_handler(event, LambdaContext())
        came.append([(m["type"], m.get("seq"), m["data"]["done"], m["data"]["sources"]) for m in socket.read()])

    assert came == [[], [("sync.progress", None, 1, 3)], [], [("sync.progress", None, 2, 3)], []]
    assert stranger.read() == []


def test_the_payloads_of_the_events_folder_are_answered(app):
    """What `sam local invoke` is given: a ticket that was never issued opens nothing, and a stranger is closed."""
    statuses = [live.lambda_handler(load_event(f"live/{n}.json"), LambdaContext()) for n in ("connect", "resume", "unknown")]

    assert statuses == [{"statusCode": 403}, {"statusCode": 200}, {"statusCode": 200}]
    assert app.sockets.closed == ["L0SM9cOFvHcCIhw="] * 2


def test_the_page_shows_the_example_as_it_stands():
    """What docs/live.md shows is what tests/stack/test_live.py runs."""
    root = EVENTS.parent

    assert f"```python\n{(root / 'examples/live/follow.py').read_text()}```" in (root / "docs/live.md").read_text()
