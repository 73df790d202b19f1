"""What each kind of channel is posted, against a server on loopback; the bodies are those that the services document."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import pytest_socket

from bokit.aws import make_client
from bokit.core.alerts.forms import FORMS
from bokit.core.model.alerts import AlertChannel, AlertChannelId, ChannelKind, PendingAlert, Severity
from bokit.core.model.records import TenantId
from bokit.errors import AddressRefusedError, BokitError, SourceRefusedError, SourceUnavailableError
from bokit.outlets.mail import SesMail
from bokit.outlets.post import ChannelSender
from tests.support.alert_server import AlertServer, open_local_sender, serve_alerts
from tests.support.builders import NOW
from tests.support.loopback import is_loopback

ROSA = TenantId("rosa")
ALERT = PendingAlert(
    id="alr_1",
    type="conflict.opened",
    severity=Severity.CRITICAL,
    title="Double booking: Flat <1> & *2*",
    text="Two bookings.\n@everyone: call `now`",
    at=NOW,
)
BOTH = f"{ALERT.title}\n\n{ALERT.text}"
SECRETS = {"secret:bot": "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", "secret:key": "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2"}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of nobody, with which requests to loopback are signed; and one attempt each."""
    for name, value in (("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_MAX_ATTEMPTS", "1")):
        monkeypatch.setenv(name, value)


@pytest.fixture
def server() -> Iterator[AlertServer]:
    """A service that takes messages."""
    with serve_alerts() as state:
        yield state


def a_channel(kind: ChannelKind, **settings: str) -> AlertChannel:
    """Return a channel with these settings."""
    return AlertChannel(id=AlertChannelId("chn_1"), tenant=ROSA, kind=kind, name="phone", settings=settings, created_at=NOW)


def reveal(text: str, tenant: TenantId) -> str:
    """Return a text, or the tenant's secret."""
    assert tenant == ROSA
    return SECRETS.get(text, text)


def a_sender(**given: Any) -> ChannelSender:
    """Return a sender to loopback."""
    return ChannelSender(**{"allow_private_addresses": True, "reveal": reveal} | given)


CASES = {
    # docs.ntfy.sh/publish, "Publish as JSON": POST to the server's root, the topic in the body; "Access tokens": Bearer
    ChannelKind.NTFY: (
        {"topic": "rosa-k3", "token": "secret:key"},
        "/",
        {"authorization": f"Bearer {SECRETS['secret:key']}"},
        {"topic": "rosa-k3", "title": ALERT.title, "message": ALERT.text, "priority": 5, "tags": ["rotating_light"]},
    ),
    # core.telegram.org/bots/api: "Making requests", sendMessage, LinkPreviewOptions
    ChannelKind.TELEGRAM: (
        {"token": "secret:bot", "chat_id": "-1001"},
        f"/bot{SECRETS['secret:bot']}/sendMessage",
        {},
        {"chat_id": "-1001", "text": BOTH, "disable_notification": False, "link_preview_options": {"is_disabled": True}},
    ),
    # api.slack.com/messaging/webhooks; "Formatting text": the three letters that are escaped
    ChannelKind.SLACK: (
        {"url": "/services/T0/B0/x"},
        "/services/T0/B0/x",
        {},
        {"text": BOTH.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"), "mrkdwn": False},
    ),
    # discord.com/developers/docs/resources/webhook, "Execute Webhook"; "Allowed Mentions"
    ChannelKind.DISCORD: (
        {"url": "/api/webhooks/1/x"},
        "/api/webhooks/1/x",
        {},
        {"content": BOTH.replace("*", "\\*"), "allowed_mentions": {"parse": []}},
    ),
    # gotify.net/docs/pushmsg
    ChannelKind.GOTIFY: (
        {"url": "", "token": "secret:key"},
        "/message",
        {"x-gotify-key": SECRETS["secret:key"]},
        {"title": ALERT.title, "message": ALERT.text, "priority": 8},
    ),
    # developers.home-assistant.io/docs/api/rest: POST /api/services/<domain>/<service>; the notify integration's fields
    ChannelKind.HOME_ASSISTANT: (
        {"url": "/", "token": "secret:key", "service": "mobile_app_rosa"},
        "/api/services/notify/mobile_app_rosa",
        {"authorization": f"Bearer {SECRETS['secret:key']}"},
        {"title": ALERT.title, "message": ALERT.text},
    ),
    ChannelKind.WEBHOOK: (
        {"url": "/hook?a=b"},
        "/hook?a=b",
        {},
        {
            "id": "alr_1",
            "type": "conflict.opened",
            "severity": "critical",
            "title": ALERT.title,
            "text": ALERT.text,
            "at": "2026-06-01T12:00:00Z",
        },
    ),
}


@pytest.mark.parametrize("kind", [kind for kind in FORMS if kind is not ChannelKind.EMAIL])
def test_each_service_gets_what_it_documents(kind: ChannelKind, server: AlertServer) -> None:
    """Path, headers and JSON; secrets are revealed for the tenant whose channel it is."""
    settings, path, headers, body = CASES[kind]
    channel = a_channel(kind, **{**settings, "url": server.url + settings.get("url", "")})

    a_sender().send(channel, ALERT)

    (posted,) = server.posted
    assert (posted.path, posted.body) == (path, body)
    assert {name: posted.headers.get(name) for name in headers} == headers
    assert posted.headers["content-type"] == "application/json"
    assert "chromium" not in posted.headers["user-agent"].lower()


LIMITS = {ChannelKind.TELEGRAM: ("text", 4096), ChannelKind.DISCORD: ("content", 2000), ChannelKind.SLACK: ("text", 40_000)}


@pytest.mark.parametrize("kind", list(LIMITS))
def test_no_message_is_longer_than_its_service_takes(kind: ChannelKind, server: AlertServer) -> None:
    """It is cut, and says so by an ellipsis."""
    field, most = LIMITS[kind]
    settings = {**CASES[kind][0], "url": server.url}
    long = PendingAlert(id="a", type="test", severity=Severity.INFO, title="t" * 200, text="*é" * 4000, at=NOW)

    a_sender().send(a_channel(kind, **settings), long)

    text = server.posted[0].body[field]
    assert len(text) <= most
    assert text.endswith("…")


def test_ntfy_gets_no_attachment(server: AlertServer) -> None:
    """Its limit counts bytes: more than 4,096 would arrive as a file."""
    long = PendingAlert(id="a", type="test", severity=Severity.INFO, title="t", text="é" * 4000, at=NOW)

    a_sender().send(a_channel(ChannelKind.NTFY, topic="a", url=server.url), long)

    assert len(server.posted[0].body["message"].encode()) <= 4096


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (500, SourceUnavailableError, "http-500"),
        (429, SourceUnavailableError, "http-429"),
        (400, SourceRefusedError, "http-400"),
        (401, SourceRefusedError, "http-401"),
        (404, SourceRefusedError, "http-404"),
        (302, SourceRefusedError, "http-302"),
    ],
)
def test_what_is_not_accepted_is_an_error(status: int, error: type[BokitError], code: str, server: AlertServer) -> None:
    """A redirect is not followed: the message would go where nobody asked for it."""
    server.status, server.headers = status, {"Location": f"{server.url}/elsewhere", "Retry-After": "7"}

    with pytest.raises(error) as refused:
        a_sender().send(a_channel(ChannelKind.WEBHOOK, url=f"{server.url}/secret-path"), ALERT)

    assert refused.value.stable_code == code
    assert "secret-path" not in str(refused.value)
    assert len(server.posted) == 1


def test_a_private_address_is_not_posted_to(server: AlertServer) -> None:
    """A deployed stack refuses it when it is entered, and when a secret turns out to hold one."""
    sender = a_sender(allow_private_addresses=False)
    channel = a_channel(ChannelKind.WEBHOOK, url=server.url)
    for act in (lambda: sender.check(channel), lambda: sender.send(channel, ALERT)):
        with pytest.raises(AddressRefusedError):
            act()
    sender.check(a_channel(ChannelKind.WEBHOOK, url="secret:hook"))

    assert server.posted == []


def test_mail_goes_through_ses(server: AlertServer) -> None:
    """SendEmail of SES's API version 2, with the stack's sender; without one it says what is missing."""
    client = partial(make_client, "sesv2", region="eu-west-1", endpoint_url=server.url)
    sender = a_sender(mail=SesMail(client, "bokit@example.com"))
    channel = a_channel(ChannelKind.EMAIL, address="rosa@example.com")

    sender.send(channel, ALERT)

    (posted,) = server.posted
    assert posted.path == "/v2/email/outbound-emails"
    assert posted.body == {
        "FromEmailAddress": "bokit@example.com",
        "Destination": {"ToAddresses": ["rosa@example.com"]},
        "Content": {
            "Simple": {
                "Subject": {"Data": ALERT.title, "Charset": "UTF-8"},
                "Body": {"Text": {"Data": ALERT.text, "Charset": "UTF-8"}},
            }
        },
    }
    assert (sender.mails, a_sender().mails) == (True, False)
    with pytest.raises(SourceUnavailableError, match="MailFrom"):
        a_sender().send(channel, ALERT)


def test_mail_that_ses_refuses_differs_from_a_pause(server: AlertServer) -> None:
    """An address that is not verified is a person's business."""
    client = partial(make_client, "sesv2", region="eu-west-1", endpoint_url=server.url)
    sender = a_sender(mail=SesMail(client, "bokit@example.com"))
    channel = a_channel(ChannelKind.EMAIL, address="rosa@example.com")
    for status, kind, error in (
        (400, "MessageRejected", SourceRefusedError),
        (400, "TooManyRequestsException", SourceUnavailableError),
    ):
        server.status, server.headers = status, {"x-amzn-ErrorType": kind}
        with pytest.raises(error):
            sender.send(channel, ALERT)


@pytest.mark.parametrize(
    ("kind", "settings", "code"),
    [
        (ChannelKind.NTFY, {"topic": "rosa-k3"}, "dns"),
        (ChannelKind.TELEGRAM, {"token": "secret:bot", "chat_id": "1"}, "dns"),
        (ChannelKind.WEBHOOK, {"url": "https://8.8.8.8/hook"}, "connection"),
        (ChannelKind.WEBHOOK, {"url": "http://[2001:4860:4860::8888]/hook"}, "connection"),
        (ChannelKind.WEBHOOK, {"url": "http://10.0.0.1/hook"}, "connection"),
    ],
)
def test_the_senders_of_tests_reach_no_other_machine(
    monkeypatch: pytest.MonkeyPatch, kind: ChannelKind, settings: dict[str, str], code: str
) -> None:
    """Nor outside of pytest, whose own guard is off here: the services' own hosts are not looked up, nor is an address asked."""
    monkeypatch.setattr(socket.socket, "connect", pytest_socket._true_connect)

    with pytest.raises(SourceUnavailableError) as caught:
        open_local_sender().send(a_channel(kind, **settings), ALERT)

    assert caught.value.stable_code == code


@pytest.mark.parametrize("host", ["localhost", b"127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1", "", None])
def test_this_machine_is_loopback(host: Any) -> None:
    """By its addresses, and its one name."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["::ffff:8.8.8.8", "0.0.0.1", "localhost.example", "169.254.169.254"])
def test_another_is_not(host: str) -> None:
    """Whatever it looks like."""
    assert not is_loopback(host)
