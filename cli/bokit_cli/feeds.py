"""``bokit feed``: read one feed, without a stack."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.flags import AsJson, Platform
from bokit_cli.session import Session, StackLocator
from bokit_cli.show import print_line, print_table, stay_words

if TYPE_CHECKING:
    from rich.console import Console

feeds = typer.Typer(no_args_is_help=True, help="Look into a feed, before trusting it.")
LARGEST = 20_000_000
"""Bytes of a file that are read; what is longer is no calendar."""


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(feeds, name="feed")


@feeds.callback()
def _feeds() -> None:
    """Look into a feed, before trusting it."""


@feeds.command("inspect")
def inspect(
    ctx: typer.Context,
    feed: Annotated[str, typer.Argument(metavar="FILE_OR_URL", help="A calendar.")],
    since: Annotated[str | None, typer.Option("--from", metavar="DATE", help="Expand recurring events from here.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="DATE", help="… to here.")] = None,
    platform: Platform = None,
    timezone: Annotated[str, typer.Option("--timezone", metavar="NAME", help="The unit's.")] = "UTC",
    as_json: AsJson = False,
) -> int:
    """Parse one feed and show what the engine reads in it. Exit code 2: it cannot be read."""
    session = Session(ctx, as_json=as_json)
    doc = read_feed(session.doors, feed, _day("--from", since), _day("--until", until), platform, timezone)
    session.answer(doc, lambda c: _show_feed(c, doc))
    return 2 if doc["verdict"] == "unreadable" else 0


def read_feed(
    doors: StackLocator, feed: str, since: date | None, until: date | None, platform: str | None, timezone: str
) -> dict[str, Any]:
    """Return the contract's document of one feed."""
    from zoneinfo import ZoneInfo

    from bokit.core.ical.reader import inspect_feed
    from bokit.core.model.options import read_timezone
    from bokit.engine.base.clock import read_clock
    from bokit.engine.catalog.fields import read_platform
    from bokit.errors import InputError

    if since and until and until < since:
        raise InputError("--until is before --from", code="bad-field")
    zone, chosen = ZoneInfo(read_timezone(timezone)), read_platform(platform)
    body, host = _load_feed(doors, feed)
    return inspect_feed(body, at=read_clock(), timezone=zone, platform=chosen, host=host, since=since, until=until)


def _load_feed(doors: StackLocator, feed: str) -> tuple[bytes, str | None]:
    """Return a feed's bytes, and its host where it came from one."""
    from bokit.errors import InputError

    if "://" in feed:
        from bokit.wiring import fetch_feed

        fetched = fetch_feed(feed, doors.load_feed_settings())
        return fetched.body, fetched.host
    try:
        with Path(feed).open("rb") as opened:
            return opened.read(LARGEST), None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such file"
        raise InputError(f"the feed cannot be read: {reason}", file=feed) from error


def _day(name: str, text: str | None) -> date | None:
    from bokit.errors import InputError

    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InputError(f"{name}: not a date; write YYYY-MM-DD", code="bad-field", value=text) from None


def _show_feed(console: Console, doc: dict[str, Any]) -> None:
    entries = sorted(doc["entries"], key=lambda e: (e["check_in"], e["uid"]))
    print_line(console, f"{doc['platform']}: {doc['verdict']}, {len(entries)} entries, {len(doc['problems'])} problems")
    rows = [
        (
            stay_words(e["check_in"], e["check_out"]),
            e["kind"],
            e["status"],
            e["guest_name"] or e["summary"],
            e["reservation_code"],
        )
        for e in entries
    ]
    if rows:
        print_table(console, ["stay!", "kind!", "status!", "who", "code"], rows, "")
    for problem in doc["problems"]:
        print_line(
            console, f"problem {problem['code']}: {problem['message']}" + (f" ({problem['uid']})" if problem["uid"] else "")
        )
