"""``bokit webhook``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.completion import complete_webhook
from bokit_cli.flags import DEFAULT, AsJson, Cursor, Limit, Tenant
from bokit_cli.session import Session
from bokit_cli.show import ago_words, print_line, print_next, word
from bokit_cli.tables import Column, Table

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.core.model.webhooks import Delivery, Webhook, WebhookDocument

WEBHOOKS = Table(
    Column("id", drop=4),
    Column("url", least=16),
    Column("types", drop=2, least=12),
    Column("state", least=8),
    Column("added", drop=1),
    empty="no webhook yet; `bokit webhook add URL` adds one",
)
DELIVERIES = Table(
    Column("event", drop=3),
    Column("type"),
    Column("state"),
    Column("attempts", drop=1, number=True),
    Column("last attempt", drop=2),
    Column("answer", drop=4, least=12),
    empty="nothing was sent to it yet; `bokit webhook test WEBHOOK` sends a test event",
)
webhooks = typer.Typer(no_args_is_help=True, help="Who hears of events, by signed requests.")

WebhookArgument = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id.", autocompletion=complete_webhook)]
EventArgument = Annotated[str, typer.Argument(metavar="EVENT", help="The event's id.")]
TypeNames = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="TYPE", help="As in --type booking.created; may be repeated; all if omitted."),
]
Details = Annotated[bool, typer.Option("--details", help="Send the record as well, with its guest.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(webhooks, name="webhook")


@webhooks.command("add")
def add_webhook(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="https://…")],
    types: TypeNames = None,
    details: Details = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Add a webhook and show its secret, only this once; what happens from now on is sent there."""
    from bokit.core.model.webhooks import describe_webhook

    session = Session(ctx, tenant, as_json)
    values: dict[str, Any] = {"url": url, "types": types or [], "details": details}
    made = session.bokit.webhooks.add(session.tenant, values)
    session.answer(describe_webhook(made, with_secret=True), lambda c: _show_secret(c, made, "added"))


def _show_secret(console: Console, webhook: Webhook, done: str) -> None:
    print_line(console, webhook.secret)
    print_line(console, f"{done} webhook {webhook.id}; its secret verifies what is sent")
    print_line(console, "this is the only time that it is shown: keep it now, as you would a password")


@webhooks.command("list")
def list_webhooks(ctx: typer.Context, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """List the webhooks; never their secrets."""
    from bokit.core.model.webhooks import describe_webhook

    session = Session(ctx, tenant, as_json)
    documents = [describe_webhook(webhook) for webhook in session.bokit.webhooks.list_webhooks(session.tenant)]
    rows = [_webhook_row(each, session.bokit.clock()) for each in documents]
    session.answer_list(documents, lambda c: WEBHOOKS.print(c, rows))


def _webhook_row(doc: WebhookDocument, now: datetime) -> tuple[object, ...]:
    state = "ok" if doc["enabled"] else f"off: {doc['disabled_reason']}" if doc["disabled_reason"] else "off"
    return (doc["id"], doc["url"], ", ".join(doc["types"]) or "all", word(state), ago_words(doc["created_at"], now))


@webhooks.command("remove")
def remove_webhook(ctx: typer.Context, webhook: WebhookArgument, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Remove a webhook; nothing more is sent there."""
    from bokit.core.model.webhooks import WebhookId

    session = Session(ctx, tenant, as_json)
    session.bokit.webhooks.remove(session.tenant, WebhookId(webhook))
    session.answer({"id": webhook}, lambda c: print_line(c, f"removed webhook {webhook}"))


@webhooks.command("test")
def send_test(ctx: typer.Context, webhook: WebhookArgument, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Send a test event from this machine, and show what the receiver answered."""
    from bokit.core.model.webhooks import WebhookId

    session = Session(ctx, tenant, as_json)
    answer = session.bokit.webhooks.test(session.tenant, WebhookId(webhook))
    document = {"delivered": answer.error is None, "status": answer.status, "error": answer.error}
    said = "delivered" if answer.error is None else f"not delivered: {answer.error}"
    session.answer(document, lambda c: print_line(c, said))
    if answer.error is not None:
        raise typer.Exit(1)


@webhooks.command("rotate")
def rotate_webhook(ctx: typer.Context, webhook: WebhookArgument, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Give a webhook a new secret and show it, only this once; for a day the former one signs as well."""
    from bokit.core.model.webhooks import WebhookId, describe_webhook

    session = Session(ctx, tenant, as_json)
    made = session.bokit.webhooks.rotate(session.tenant, WebhookId(webhook))
    session.answer(describe_webhook(made, with_secret=True), lambda c: _show_secret(c, made, "rotated the secret of"))


@webhooks.command("edit")
def edit_webhook(
    ctx: typer.Context,
    webhook: WebhookArgument,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="Where events are sent.")] = None,
    types: TypeNames = None,
    details: Annotated[bool | None, typer.Option("--details/--no-details", help="Whether the record is sent.")] = None,
    enabled: Annotated[bool | None, typer.Option("--on/--off", help="Whether anything is sent.")] = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Change a webhook. Turned on again, it hears of what happens from then on."""
    from bokit.core.model.webhooks import WebhookId, describe_webhook

    session = Session(ctx, tenant, as_json)
    given = {"url": url, "types": types or None, "details": details, "enabled": enabled}
    values = {name: value for name, value in given.items() if value is not None}
    changed = session.bokit.webhooks.edit(session.tenant, WebhookId(webhook), values)
    session.answer(describe_webhook(changed), lambda c: print_line(c, f"changed webhook {webhook}"))


@webhooks.command("deliveries")
def list_deliveries(
    ctx: typer.Context,
    webhook: WebhookArgument,
    limit: Limit = 50,
    cursor: Cursor = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List what was sent to a webhook, the newest event first."""
    from bokit.core.model.webhooks import WebhookId, describe_delivery

    session = Session(ctx, tenant, as_json)
    page = session.bokit.webhooks.list_deliveries(session.tenant, WebhookId(webhook), limit=limit, cursor=cursor)
    rows = [_delivery_row(each, session.bokit.clock()) for each in page.items]
    session.answer_list(
        [describe_delivery(each) for each in page.items],
        lambda c: _show_deliveries(c, rows, webhook, page.cursor),
        page.cursor,
    )


def _show_deliveries(console: Console, rows: list[tuple[object, ...]], webhook: str, cursor: str | None) -> None:
    DELIVERIES.print(console, rows)
    print_next(console, f"bokit webhook deliveries {webhook}", cursor)


def _delivery_row(delivery: Delivery, now: datetime) -> tuple[object, ...]:
    tried = ago_words(delivery.attempted_at, now)
    answer = delivery.error or delivery.status or "–"
    return (delivery.event.id, delivery.event.type, word(delivery.state), delivery.attempts, tried, answer)


@webhooks.command("redeliver")
def redeliver(
    ctx: typer.Context, webhook: WebhookArgument, event: EventArgument, tenant: Tenant = DEFAULT, as_json: AsJson = False
) -> None:
    """Send an event again, whatever became of it."""
    from bokit.core.model.webhooks import WebhookId, describe_delivery

    session = Session(ctx, tenant, as_json)
    delivery = session.bokit.webhooks.redeliver(session.tenant, WebhookId(webhook), event)
    session.answer(describe_delivery(delivery), lambda c: print_line(c, f"{event} is sent again"))
