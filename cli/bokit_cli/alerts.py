"""``bokit alert``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.completion import complete_alert
from bokit_cli.flags import DEFAULT, AsJson, Tenant
from bokit_cli.session import Session
from bokit_cli.show import Cell, ago_words, lasting_words, print_line
from bokit_cli.tables import Column, Table

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from bokit.core.model.alerts import AlertChannelDocument, AlertsDocument

alerts = typer.Typer(no_args_is_help=True, help="Channels on which Bokit notifies you of what needs a person.")

Channel = Annotated[str, typer.Argument(metavar="ALERT", help="Channel id or name.", autocompletion=complete_alert)]
NOBODY = "no alert channel yet; `bokit alert add KIND` adds one"
CHANNELS = Table(
    Column("id", drop=3),
    Column("name", least=12),
    Column("kind", drop=1),
    Column("sends", drop=4, least=8),
    Column("last sent", drop=2),
    Column("state", least=12),
    empty=NOBODY,
)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(alerts, name="alert")


@alerts.command("add")
def add_alert(
    ctx: typer.Context,
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help="email, ntfy, telegram, slack, discord, gotify, home_assistant or webhook."),
    ],
    name: Annotated[str | None, typer.Option("--name", metavar="TEXT", help="What you call it; the kind if omitted.")] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="The service's address; secret:NAME is allowed.")
    ] = None,
    topic: Annotated[str | None, typer.Option("--topic", metavar="TOPIC", help="Of ntfy.")] = None,
    token: Annotated[
        str | None,
        typer.Option("--token", metavar="TOKEN", help="Of telegram, gotify, home_assistant, ntfy; secret:NAME is allowed."),
    ] = None,
    chat_id: Annotated[str | None, typer.Option("--chat-id", metavar="ID", help="Of telegram.")] = None,
    service: Annotated[
        str | None, typer.Option("--service", metavar="NAME", help="Of home_assistant, as in mobile_app_phone.")
    ] = None,
    address: Annotated[str | None, typer.Option("--address", metavar="EMAIL", help="Of email.")] = None,
    severity: Annotated[
        str,
        typer.Option(
            "--severity", metavar="WORD", help="The least severe that it sends: info, warning or critical (double bookings)."
        ),
    ] = "warning",
    quiet_hours: Annotated[
        str | None, typer.Option("--quiet-hours", metavar="HH:MM-HH:MM", help="What can wait is sent at their end: 22:00-07:00.")
    ] = None,
    digest: Annotated[bool, typer.Option("--digest", help="A summary at 8:00, with arrivals and departures.")] = False,
    is_tested: Annotated[bool, typer.Option("--test/--no-test", help="Send a test message.")] = True,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Add an alert channel and send it a test message."""
    given = {
        "kind": kind,
        "name": name,
        "url": url,
        "topic": topic,
        "token": token,
        "chat_id": chat_id,
        "service": service,
        "address": address,
        "severity": severity,
        "quiet_hours": quiet_hours,
        "digest": digest,
    }
    session = Session(ctx, tenant, as_json)
    service_of = session.bokit.alerts
    channel = service_of.add(session.tenant, {field: value for field, value in given.items() if value is not None})
    failed = _try_test(session, channel.id) if is_tested else None
    document = service_of.describe(channel)
    session.answer(document, lambda c: _show_added(c, document, failed, tested=is_tested))
    if failed:
        raise typer.Exit(1)


def _try_test(session: Session, channel_id: Any) -> str | None:
    """Return why the test message was not accepted; None: it was."""
    from bokit.errors import BokitError

    try:
        session.bokit.alerts.test(session.tenant, channel_id)
    except BokitError as error:
        return error.message
    return None


def _show_added(console: Console, doc: AlertChannelDocument, failed: str | None, *, tested: bool) -> None:
    print_line(console, f"added alert channel {doc['id']}: {doc['name']}, {doc['severity']} and above")
    if failed:
        print_line(console, f"the test message was not accepted: {failed}")
        print_line(console, f"`bokit alert test {doc['id']}` tries again; `bokit alert remove {doc['id']}` removes it")
    elif tested:
        print_line(console, "a test message was sent: look at your phone")


@alerts.command("list")
def list_alerts(ctx: typer.Context, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """List the alert channels and what each has not sent; never their secrets."""
    session = Session(ctx, tenant, as_json)
    found, now = session.bokit.alerts.describe_all(session.tenant), session.bokit.clock()
    rows = [_row(doc, now) for doc in found]
    session.answer_list(found, lambda c: _show_channels(c, rows))


def _show_channels(console: Console, rows: list[tuple[object, ...]]) -> None:
    if not CHANNELS.print(console, rows):
        for _, name, *_, state in rows:
            if state not in ("ok", "off"):
                print_line(console, f"{name}: {state}")


def _row(doc: AlertChannelDocument, now: datetime) -> tuple[object, ...]:
    extra = [f"quiet {doc['quiet_hours']}"] * bool(doc["quiet_hours"]) + ["digest"] * doc["digest"]
    sends = Cell(", ".join([f"{doc['severity']} and above", *extra]), f"{doc['severity']}+")
    sent = ago_words(doc["delivered_at"], now)
    return doc["id"], doc["name"], doc["kind"], sends, sent, state_words(doc, now)


def state_words(doc: AlertChannelDocument, now: datetime) -> str:
    """Return how a channel fares, in words."""
    if not doc["enabled"]:
        return "off"
    words = []
    if since := doc["failing_since"]:
        words.append(f"not accepted {lasting_words(since, now)}: {doc['error']}")
    if doc["pending"]:
        words.append(f"{doc['pending']} waiting")
    if doc["given_up"]:
        words.append(f"{doc['given_up']} given up, the last {ago_words(doc['given_up_at'], now)}")
    return "; ".join(words) or "ok"


@alerts.command("test")
def send_test(ctx: typer.Context, alert: Channel, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Send a test message to a channel now."""
    session = Session(ctx, tenant, as_json)
    channel = session.bokit.alerts.find_named(session.tenant, alert)
    failed = _try_test(session, channel.id)
    document = {"id": channel.id, "sent": failed is None, "error": failed}
    said = f"not accepted: {failed}" if failed else f"sent to {channel.name}: look at your phone"
    session.answer(document, lambda c: print_line(c, said))
    if failed:
        raise typer.Exit(1)


@alerts.command("remove")
def remove_alert(ctx: typer.Context, alert: Channel, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Remove a channel and what it has not sent."""
    session = Session(ctx, tenant, as_json)
    channel = session.bokit.alerts.find_named(session.tenant, alert)
    session.bokit.alerts.remove(session.tenant, channel.id)
    session.answer({"id": channel.id, "removed": True}, lambda c: print_line(c, f"removed alert channel {channel.id}"))


def show_who_hears(console: Console, doc: AlertsDocument, now: datetime) -> None:
    """Print who hears of what needs a person, or that nobody does."""
    channels = [c for c in doc["channels"] if c["enabled"]]
    for channel in channels:
        print_line(console, f"alerts go to {channel['name']} ({channel['severity']} and above): {state_words(channel, now)}")
    if not channels:
        besides = " but who subscribed to the stack's alert topic" if doc["topic"] else ""
        print_line(console, f"nobody is notified of a double booking{besides}; `bokit alert add KIND` adds a channel")
