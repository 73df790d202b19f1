"""What each kind of channel is posted: one table.

kind              posted to                             who asks                                              secret in
ntfy              the server, as JSON with the topic    docs.ntfy.sh/publish, "Publish as JSON"               body, header
telegram          /bot<token>/sendMessage               core.telegram.org/bots/api#sendmessage                path
slack             the webhook's address                 api.slack.com/messaging/webhooks                      path
discord           the webhook's address                 discord.com/developers/docs, "Execute Webhook"        path
gotify            /message                              gotify.net/docs/pushmsg                               header
home_assistant    /api/services/notify/<service>        developers.home-assistant.io/docs/api/rest            header
webhook           any address                           this table                                            path, header

E-mail is not posted: it goes through SES.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from bokit.core.alerts.limits import MAX_DISCORD_TEXT, MAX_NTFY_BYTES, MAX_SLACK_TEXT, MAX_TELEGRAM_TEXT
from bokit.core.model.alerts import ChannelKind, PendingAlert, Severity
from bokit.core.model.documents import write_time
from bokit.core.model.records import Fields
from bokit.values import Value, field

NTFY_PRIORITY = {Severity.INFO: 2, Severity.WARNING: 4, Severity.CRITICAL: 5}  # of 1 to 5; 3 is the default
NTFY_TAGS = {Severity.INFO: "information_source", Severity.WARNING: "warning", Severity.CRITICAL: "rotating_light"}
GOTIFY_PRIORITY = {Severity.INFO: 2, Severity.WARNING: 5, Severity.CRITICAL: 8}  # from 4 on with a sound, from 8 on high
_SLACK_LETTERS = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_DISCORD_LETTERS = str.maketrans({letter: f"\\{letter}" for letter in "\\*_~|"})
Settings = Mapping[str, str]


class Post(Value, not_shown=("url", "headers")):
    """One POST of JSON."""

    url: str
    body: Fields
    headers: Mapping[str, str] = field(default_factory=dict)


class Form(Value):
    """One kind of channel: its settings, and what it is posted; None: it is sent otherwise."""

    required: tuple[str, ...]
    optional: Mapping[str, str | None] = field(default_factory=dict)
    """With their defaults."""
    write: Callable[[Settings, PendingAlert], Post] | None


def write_post(kind: ChannelKind, settings: Settings, alert: PendingAlert) -> Post:
    """Return what a channel of *kind* is posted; its settings are secrets revealed."""
    form = FORMS[kind]
    if form.write is None:
        raise ValueError("a channel of this kind is not posted to")
    defaults = {name: value for name, value in form.optional.items() if value is not None}
    return form.write({**defaults, **settings}, alert)


def cut(text: str, most: int) -> str:
    """Return *text*, or its beginning and an ellipsis where it has more than *most* characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _cut_bytes(text: str, most: int) -> str:
    """Return *text*, or its beginning and an ellipsis where its UTF-8 has more than *most* bytes."""
    return text if len(text.encode()) <= most else text.encode()[: most - 3].decode(errors="ignore") + "…"


def _both(alert: PendingAlert) -> str:
    return f"{alert.title}\n\n{alert.text}"


def _at(url: str, path: str) -> str:
    return f"{url.rstrip('/')}{path}"


def _bearer(settings: Settings) -> dict[str, str]:
    return {"Authorization": f"Bearer {settings['token']}"} if settings.get("token") else {}


def _write_ntfy(settings: Settings, alert: PendingAlert) -> Post:
    body: dict[str, Any] = {
        "topic": settings["topic"],
        "title": alert.title,
        "message": _cut_bytes(alert.text, MAX_NTFY_BYTES),
        "priority": NTFY_PRIORITY[alert.severity],
        "tags": [NTFY_TAGS[alert.severity]],
    }
    return Post(url=settings["url"], body=body, headers=_bearer(settings))


def _write_telegram(settings: Settings, alert: PendingAlert) -> Post:
    body = {
        "chat_id": settings["chat_id"],
        "text": cut(_both(alert), MAX_TELEGRAM_TEXT),
        "disable_notification": alert.severity is Severity.INFO,
        "link_preview_options": {"is_disabled": True},
    }
    return Post(url=_at(settings["url"], f"/bot{quote(settings['token'], safe=':')}/sendMessage"), body=body)


def _write_slack(settings: Settings, alert: PendingAlert) -> Post:
    return Post(url=settings["url"], body={"text": cut(_both(alert), MAX_SLACK_TEXT).translate(_SLACK_LETTERS), "mrkdwn": False})


def _write_discord(settings: Settings, alert: PendingAlert) -> Post:
    """Nobody is mentioned, whatever a name says; letters of Markdown stay letters."""
    text = cut(_both(alert).translate(_DISCORD_LETTERS), MAX_DISCORD_TEXT)
    return Post(url=settings["url"], body={"content": text, "allowed_mentions": {"parse": []}})


def _write_gotify(settings: Settings, alert: PendingAlert) -> Post:
    body = {"title": alert.title, "message": alert.text, "priority": GOTIFY_PRIORITY[alert.severity]}
    return Post(url=_at(settings["url"], "/message"), body=body, headers={"X-Gotify-Key": settings["token"]})


def _write_home_assistant(settings: Settings, alert: PendingAlert) -> Post:
    path = f"/api/services/notify/{quote(settings['service'], safe='')}"
    return Post(url=_at(settings["url"], path), body={"title": alert.title, "message": alert.text}, headers=_bearer(settings))


def _write_webhook(settings: Settings, alert: PendingAlert) -> Post:
    body = {
        "id": alert.id,
        "type": alert.type,
        "severity": str(alert.severity),
        "title": alert.title,
        "text": alert.text,
        "at": write_time(alert.at),
    }
    return Post(url=settings["url"], body=body, headers=_bearer(settings))


FORMS: Mapping[ChannelKind, Form] = {
    ChannelKind.EMAIL: Form(required=("address",), write=None),
    ChannelKind.NTFY: Form(required=("topic",), optional={"url": "https://ntfy.sh", "token": None}, write=_write_ntfy),
    ChannelKind.TELEGRAM: Form(
        required=("token", "chat_id"), optional={"url": "https://api.telegram.org"}, write=_write_telegram
    ),
    ChannelKind.SLACK: Form(required=("url",), write=_write_slack),
    ChannelKind.DISCORD: Form(required=("url",), write=_write_discord),
    ChannelKind.GOTIFY: Form(required=("url", "token"), write=_write_gotify),
    ChannelKind.HOME_ASSISTANT: Form(required=("url", "token"), optional={"service": "notify"}, write=_write_home_assistant),
    ChannelKind.WEBHOOK: Form(required=("url",), optional={"token": None}, write=_write_webhook),
}
