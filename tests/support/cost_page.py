"""The tables of the page of costs, from the model of a month (``cost_model``).

``python -m tests.support.cost_page`` writes them between the marks of ``docs/cost.md``; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.support.cost_model import (
    CALENDAR_BYTES,
    COUNTS,
    EXAMPLES,
    FEED_BYTES,
    FETCH_SECONDS,
    POLL_SECONDS,
    POLLERS,
    PRICED,
    PRICES,
    READ_HOURS,
    SECONDS,
    SHORT_SECONDS,
    START_MINUTES,
    START_SECONDS,
    Count,
    add,
    concurrency,
    cost,
    cost_after_allowances,
    extras,
    rows_of,
    schedule_of,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cost.md"
TABLES = ("summary", "examples", "assumptions", "extras", "counts", "times", "prices")
"""In the order of the page."""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    return [f"| {' | '.join(heads)} |", f"| {' | '.join('---' for _ in heads)} |", *(f"| {' | '.join(row)} |" for row in rows)]


def summary() -> list[str]:
    """Return what a host of three flats pays."""
    month = rows_of(EXAMPLES[0])
    whole, rest = cost(add(*month.values())), cost_after_allowances(month)
    return [
        f"**Three flats cost {whole:.2f} USD a month at list prices, and {rest:.2f} USD in an account that runs nothing else**: "
        "AWS gives every",
        f"account some of each service for nothing, every month. Reading {EXAMPLES[0].feeds} calendars "
        f"every hour is {cost(month['reading the calendars']):.2f} USD of it.",
    ]


def examples() -> list[str]:
    """Return what the three stacks cost."""
    months = [rows_of(example) for example in EXAMPLES]
    parts = [[name, *(f"{cost(month[name]):.2f}" for month in months)] for name in months[0]]
    parts.append(["**total**", *(f"**{cost(add(*month.values())):.2f}**" for month in months)])
    parts.append(["after what AWS gives every account each month", *(f"{cost_after_allowances(month):.2f}" for month in months)])
    parts.append(["of the total, the schedule and its reading", *(f"{schedule_of(example):.2f}" for example in EXAMPLES)])
    return table(["USD a month", *(example.name for example in EXAMPLES)], parts)


def assumptions() -> list[str]:
    """Return what happens in a month of each stack."""

    def line(about: str, *values: object) -> list[str]:
        return [about, *(f"{value:,}" if isinstance(value, int) else str(value) for value in values)]

    def each(about: str, of: str) -> list[str]:
        return line(about, *(getattr(example, of) for example in EXAMPLES))

    return table(
        ["in a month", *(example.name for example in EXAMPLES)],
        [
            each("calendars that are read", "feeds"),
            line("every", *(f"{example.minutes} minutes" for example in EXAMPLES)),
            each("bookings that are new or changed", "all_changes"),
            line("outgoing calendars, one for each that is read", *(example.feeds for example in EXAMPLES)),
            each("requests of the HTTP API", "requests"),
            each("hours that pages are open, together", "page_hours"),
            line("a webhook hears of every change", *("yes" if example.sends_webhooks else "no" for example in EXAMPLES)),
            each("alert channels", "channels"),
            each("alerts by e-mail", "mails"),
        ],
    )


def times() -> list[str]:
    """Return the times and sizes that are assumed."""
    lines = {
        "a run of the schedule": f"{SECONDS['SyncFunction']} s",
        f"an answer of a platform; a batch has {concurrency()} requests under way": f"{FETCH_SECONDS} s",
        "an answer of a webhook's or an alert's receiver": f"{SECONDS['DeliverFunction']} s",
        "any other invocation": f"{SHORT_SECONDS} s",
        f"the start of a function's process: at each call, but every {START_MINUTES} minutes at most": f"{START_SECONDS:g} s",
        f"a calendar that a platform reads, every {READ_HOURS} hours": f"{CALENDAR_BYTES // 1000} KB",
        "what the table keeps of a calendar that is read": f"{FEED_BYTES // 1000} KB",
        "requests by which Lambda asks an idle queue, in a minute": f"{POLLERS * 60 // POLL_SECONDS}",
    }
    return table(["assumed, since nobody measured it on AWS", ""], lines.items())


def extra_rows() -> list[str]:
    """Return what comes on top where it is chosen."""
    return table(["on top", "USD a month"], [[name, f"{cost(amounts):.2f}"] for name, amounts in extras().items()])


def counts() -> list[str]:
    """Return what tests count."""

    def line(count: Count) -> list[str]:
        others = [f"{count.sends} to a queue"] * bool(count.sends) + [f"{count.posts} to a page"] * bool(count.posts)
        others += [f"{count.mails} e-mail"] * bool(count.mails)
        return [
            count.about,
            str(count.writes),
            f"{count.reads:g}",
            str(len(count.calls)),
            ", ".join(others),
            str(count.log_bytes),
        ]

    heads = ["what happens", "write units", "read units", "invocations", "messages", "bytes of log, at most"]
    return table(heads, map(line, COUNTS.values()))


def prices() -> list[str]:
    """Return the prices."""
    rows = [[price.about, write_price(price.usd), f"{price.free:,.0f}" if price.free else ""] for price in PRICES.values()]
    return table([f"price of {PRICED}, us-east-1", "USD", "free every month"], rows)


def write_price(usd: float) -> str:
    """Return a price as the page shows it: of small ones, a million's."""
    return f"{usd * 1e6:g} a million" if usd < 1e-3 else f"{usd:.3f}".rstrip("0").ljust(4, "0")


MAKERS = dict(zip(TABLES, (summary, examples, assumptions, extra_rows, counts, times, prices), strict=True))


def marks(name: str) -> tuple[str, str]:
    """Return what stands before and after a table."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def insert(text: str) -> str:
    """Return the page's text with the tables of today between the marks."""
    for name, make in MAKERS.items():
        begin, end = marks(name)
        before, _, rest = text.partition(begin)
        text = "\n".join([before + begin, "", *make(), "", end]) + rest.partition(end)[2]
    return text


if __name__ == "__main__":
    PAGE.write_text(insert(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
