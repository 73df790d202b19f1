"""``bokit feed``: read one feed, without a stack."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.flags import AsJson, EndsOn, EndsOnWord, IgnoreTransparent, Platform
from bokit_cli.session import Session, StackLocator
from bokit_cli.show import plural, print_line, show_suggestions, status_words, word
from bokit_cli.tables import Column, Table, stay_cell

if TYPE_CHECKING:
    from rich.console import Console

feeds = typer.Typer(no_args_is_help=True, help="Inspect a feed before adding it.")
ENTRIES = Table(
    Column("stay"),
    Column("kind", drop=1),
    Column("status", drop=2, least=12),
    Column("who", least=12),
    Column("code", drop=3),
)
MAX_FILE_BYTES = 20_000_000


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(feeds, name="feed")


@feeds.callback()
def _feeds() -> None:
    """Inspect a feed before adding it."""


@feeds.command("inspect")
def inspect(
    ctx: typer.Context,
    feed: Annotated[str, typer.Argument(metavar="FILE_OR_URL", help="A calendar's file or URL.")],
    since: Annotated[str | None, typer.Option("--from", metavar="DATE", help="Expand recurring events from this date…")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="DATE", help="… until this date.")] = None,
    platform: Platform = None,
    timezone: Annotated[str, typer.Option("--timezone", metavar="NAME", help="The unit's timezone.")] = "UTC",
    ends_on: EndsOn = None,
    ignore_transparent: IgnoreTransparent = None,
    as_json: AsJson = False,
) -> int:
    """Parse one feed and show its entries. Exit code 2: it cannot be read."""
    session = Session(ctx, as_json=as_json)
    first = read_day("--from", since) if since else None
    last = read_day("--until", until) if until else None
    doc = read_feed(session.locator, feed, first, last, platform, timezone, ends_on, ignore_transparent=ignore_transparent)
    session.answer(doc, lambda c: _show_feed(c, doc))
    return 2 if doc["verdict"] == "unreadable" else 0


def read_feed(
    locator: StackLocator,
    feed: str,
    since: date | None,
    until: date | None,
    platform: str | None,
    timezone: str,
    ends_on: EndsOn = None,
    ignore_transparent: IgnoreTransparent = None,
) -> dict[str, Any]:
    """Return the document of one feed."""
    from zoneinfo import ZoneInfo

    from bokit.core.model.options import read_timezone
    from bokit.engine.base.clock import read_clock
    from bokit.engine.bookings.inspect import ReadSettings, inspect_feed
    from bokit.engine.catalog.fields import read_platform
    from bokit.errors import InputError

    if since and until and until < since:
        raise InputError("--until is before --from", code="bad-field")
    zone, chosen = ZoneInfo(read_timezone(timezone)), read_platform(platform)
    body, host = _load_feed(locator, feed)
    settings = ReadSettings(
        at=read_clock(),
        timezone=zone,
        platform=chosen,
        host=host,
        since=since,
        until=until,
        ends_on_last_night=ends_on is EndsOnWord.LAST_NIGHT,
        ignore_transparent=bool(ignore_transparent),
    )
    return inspect_feed(body, settings)


def _load_feed(locator: StackLocator, feed: str) -> tuple[bytes, str | None]:
    """Return a feed's bytes, and its host if it was fetched."""
    from bokit.errors import InputError

    if "://" in feed:
        from bokit.wiring import fetch_feed

        fetched = fetch_feed(feed, locator.load_feed_settings())
        return fetched.body, fetched.host
    try:
        with Path(feed).open("rb") as opened:
            return opened.read(MAX_FILE_BYTES), None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such file"
        raise InputError(f"the feed cannot be read: {reason}", file=feed) from error


def read_day(name: str, text: str) -> date:
    """Return the date of the option *name*."""
    from bokit.engine.bookings.terms import read_day as read
    from bokit.errors import InputError

    try:
        return date.fromisoformat(read(name, text))
    except InputError as error:
        raise InputError(f"{name} must be a date, as YYYY-MM-DD: {error.message}", code="bad-field", value=text) from None


def _show_feed(console: Console, doc: dict[str, Any]) -> None:
    entries = sorted(doc["entries"], key=lambda e: (e["check_in"], e["uid"]))
    found = f"{plural(len(entries), 'entry', 'entries')}, {plural(len(doc['problems']), 'problem')}"
    print_line(console, f"{doc['platform']}: {doc['verdict']}, {found}")
    rows = [_entry_row(entry) for entry in entries]
    if rows:
        ENTRIES.print(console, rows)
    for problem in doc["problems"]:
        uid = f" ({problem['uid']})" if problem["uid"] else ""
        print_line(console, f"problem {problem['code']}: {problem['message']}{uid}")
    show_suggestions(console, doc)


def _entry_row(entry: dict[str, Any]) -> tuple[object, ...]:
    stay, who = stay_cell(entry["check_in"], entry["check_out"]), entry["guest_name"] or entry["summary"]
    status = word(status_words(entry["status"]), "taken" if entry["status"] == "undefined" else entry["status"])
    return stay, entry["kind"], status, who, entry["reservation_code"]
