"""``bokit doctor``: whether everything that Bokit depends on works, and how to fix what does not. Only reads.

    read (the table, ``doctor_reads``) ──► judge_…: values in, one Finding out ──► a line each, or the document

A finding is wrong where a person has to do something. What could not be looked at is said, and counts as neither.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from time import sleep
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import typer

from bokit_cli.flags import DEFAULT, AsJson, Tenant
from bokit_cli.session import Session
from bokit_cli.show import ago_words, plural, print_line, span_words

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.config import Settings
    from bokit.core.model.alerts import AlertsDocument
    from bokit.engine.bookings.charts import NeedDocument
    from bokit.engine.runs.status import SourceStatusDocument, StatusDocument
    from bokit.errors import BokitError
    from bokit_cli.doctor_reads import ApiAnswer, QueueCount

LEAST_PYTHON = (3, 11)
MAX_LATE = timedelta(minutes=5)
"""How long after its time a sync may begin: the schedule runs every minute, and a batch before it may take some."""
MAX_SKEW = timedelta(seconds=30)
"""Leases and due times are compared with clocks; AWS itself refuses requests that are five minutes off."""
LOOK_AGAIN_SECONDS = 3.0
"""After which a message that waits should have been taken."""
AUTOMATIC = ("schedule", "monitor")
"""What begins runs by itself."""
NEEDING_TABLE = ("api", "clock", "schedule", "queue", "dead-letters", "alerts", "secrets", "sources", "calendars")
MAX_NAMES = 5  # in a line; `bokit status` has all


class State(StrEnum):
    """What a check found."""

    OK = "ok"
    WRONG = "wrong"
    UNCHECKED = "unchecked"


LABELS = {State.OK: "ok", State.WRONG: "WRONG", State.UNCHECKED: "?"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found, and what to do about it where it is wrong."""

    name: str
    state: State
    text: str
    fix: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """As the document shows it."""
        return {"name": self.name, "state": self.state, "message": self.text, "fix": self.fix}


def _ok(name: str, text: str) -> Finding:
    return Finding(name=name, state=State.OK, text=text)


def _wrong(name: str, text: str, fix: str) -> Finding:
    return Finding(name=name, state=State.WRONG, text=text, fix=fix)


def _unchecked(name: str, why: str) -> Finding:
    return Finding(name=name, state=State.UNCHECKED, text=f"not checked: {why}")


# ── the command ──


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(ctx: typer.Context, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Check everything that syncs depend on, and say how to fix what is wrong. Exit code 1: something is."""
    session = Session(ctx, tenant, as_json)
    findings = examine(session)
    is_well = all(finding.state is not State.WRONG for finding in findings)
    session.answer({"ok": is_well, "checks": [f.as_dict() for f in findings]}, lambda c: _show(c, findings))
    if not is_well:
        raise typer.Exit(1)


def _show(console: Console, findings: Sequence[Finding]) -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        print_line(console, f"{LABELS[finding.state]:<6} {finding.name:<{width}}  {finding.text}", indent=width + 9)
        if finding.fix:
            print_line(console, f"{'':<6} {'':<{width}}  fix: {finding.fix}", indent=width + 9)
    wrong = sum(finding.state is State.WRONG for finding in findings)
    print_line(console, f"{plural(wrong, 'check')} of {len(findings)} failed" if wrong else "nothing needs fixing")


# ── reading ──


def examine(session: Session) -> list[Finding]:
    """Run every check; without a table there is little to look at."""
    from bokit.errors import BokitError, UnknownIdError

    python, settings = judge_python(sys.version_info[:2]), None
    try:
        settings = session.locator.load_settings()
        schema, status = session.bokit.store.load_schema(), session.bokit.status.load_status(session.tenant)
    except UnknownIdError:  # the tenant: that is wrong use
        raise
    except BokitError as error:
        rest = [_unchecked(name, "the stack does not answer") for name in NEEDING_TABLE]
        return [python, judge_unreachable(error, settings.endpoint_url if settings else None), *rest]
    return [python, judge_stack(settings, schema), *Examination(session, settings, status).run()]


class Examination:
    """The checks of one stack, as one tenant."""

    def __init__(self, session: Session, settings: Settings, status: StatusDocument) -> None:
        self.bokit, self.tenant, self.settings, self.status = session.bokit, session.tenant, settings, status
        self._api: ApiAnswer | None = None

    def run(self) -> list[Finding]:
        """Run each check; what keeps one from looking is its finding."""
        return [self._attempt(name) for name in NEEDING_TABLE]

    def _attempt(self, name: str) -> Finding:
        from bokit.errors import BokitError
        from bokit_cli.doctor_reads import NotCheckedError

        check: Callable[[], Finding] = getattr(self, f"check_{name.replace('-', '_')}")
        try:
            return check()
        except NotCheckedError as error:
            return _unchecked(name, str(error))
        except BokitError as error:
            return _unchecked(name, error.message)

    def check_api(self) -> Finding:
        """Look at the API, and keep its time for the clock."""
        from bokit import __version__
        from bokit_cli.doctor_reads import ask_api

        self._api = ask_api(self.settings, self.bokit.clock)
        return judge_api(self._api, __version__)

    def check_clock(self) -> Finding:
        """Look at this machine's clock."""
        return judge_clock(self._api.skew if self._api else None)

    def check_schedule(self) -> Finding:
        """Look at what is due, and at the schedule's last run."""
        runs = self.bokit.status.load_history(self.tenant).items
        return judge_schedule(self.status, next((run.started_at for run in runs if run.trigger in AUTOMATIC), None))

    def check_queue(self) -> Finding:
        """Look at the queues of work; a second time where a message waits and nobody has one in hand."""
        from bokit_cli.doctor_reads import count_messages

        first = second = count_messages(self.settings)
        if any(count.waiting and not count.taken for count in first.values()):
            sleep(LOOK_AGAIN_SECONDS)
            second = count_messages(self.settings)
        return judge_queues(first, second)

    def check_dead_letters(self) -> Finding:
        """Look for what was given up."""
        from bokit_cli.doctor_reads import count_dead_letters

        return judge_dead_letters(count_dead_letters(self.settings))

    def check_alerts(self) -> Finding:
        """Look who hears of what needs a person; without a channel the topic's subscribers count."""
        from bokit_cli.doctor_reads import count_subscribers

        alerts = self.status["alerts"]
        return judge_alerts(alerts, 0 if any(c["enabled"] for c in alerts["channels"]) else count_subscribers(self.settings))

    def check_secrets(self) -> Finding:
        """Read each secret that the tenant's sources and channels, or the stack's calendars, name."""
        from bokit_cli.doctor_reads import find_references, find_secret_faults

        store = self.bokit.store
        sources = [s for s in store.load_sources(self.tenant) if s.removed_at is None]
        given = [*((s.url, s.settings) for s in sources), *(c.settings for c in store.load_alert_channels(self.tenant))]
        faults = find_secret_faults(self.settings, self.tenant, set(find_references(given)))
        return judge_secrets(self.status["sources"], faults)

    def check_sources(self) -> Finding:
        """Look at each source's state."""
        return judge_sources(self.status["sources"], self.status["at"])

    def check_calendars(self) -> Finding:
        """Look at who reads the outgoing calendars."""
        units = [unit.id for unit in self.bokit.catalog.list_units(self.tenant)]
        return judge_calendars(self.bokit.bookings.charts.load_agenda(self.tenant, units, 0)["needs"], len(units))


# ── judging ──


def judge_python(version: tuple[int, ...]) -> Finding:
    """Return whether this interpreter is one that Bokit supports."""
    shown, least = (".".join(map(str, numbers)) for numbers in (version, LEAST_PYTHON))
    if version < LEAST_PYTHON:
        return _wrong(
            "python", f"this is Python {shown}", f"run Bokit with Python {least} or newer: `make PYTHON=python3.13 setup`"
        )
    return _ok("python", shown)


def judge_unreachable(error: BokitError, endpoint_url: str | None) -> Finding:
    """Return why the stack cannot be looked at."""
    text, _, fix = error.message.partition("; ")
    if not fix:
        text, _, fix = error.message.partition(": ")
    is_local = urlsplit(endpoint_url or "").hostname in ("127.0.0.1", "localhost", "::1")
    return _wrong(
        "stack", text, "`make up` starts the local cloud" if is_local else fix or "`make up`, or BOKIT_STACK, names one"
    )


def judge_stack(settings: Settings, schema: int | None) -> Finding:
    """Return whether the table was written by a release that this one can follow."""
    from bokit.store.schema import SCHEMA

    stack = f"{settings.stack_name}, " if settings.stack_name else ""
    where = f"{stack}table {settings.table_name}" + (f" at {settings.endpoint_url}" if settings.endpoint_url else "")
    if schema is not None and schema > SCHEMA:
        text = f"{where} has schema {schema}, and this release knows {SCHEMA}: it writes nothing there"
        return _wrong("stack", text, "upgrade Bokit here to the release that the stack runs")
    return _ok("stack", f"{where}, schema {schema}" if schema else f"{where}, nothing written yet")


def judge_api(answer: ApiAnswer, own: str) -> Finding:
    """Return whether the API is up, and runs this release."""
    if answer.status != 200:
        fix = "`make logs` shows what its functions say"
        return _wrong("api", f"its health check answers {answer.status}", fix)
    if answer.version and answer.version != own:
        fix = "install that release here, or deploy this one"
        return _wrong("api", f"the stack runs Bokit {answer.version}, and this is {own}", fix)
    return _ok("api", f"up, Bokit {answer.version}" if answer.version else "up")


def judge_clock(skew: timedelta | None) -> Finding:
    """Return whether this machine's clock agrees with the service's."""
    if skew is None:
        return _unchecked("clock", "the service did not say its time")
    if abs(skew) <= MAX_SKEW:
        return _ok("clock", f"within {int(MAX_SKEW.total_seconds())} s of the service's")
    side = "ahead of" if skew > timedelta(0) else "behind"
    text = f"this machine is {span_words(abs(skew).total_seconds())} {side} the service: leases and due times are wrong"
    return _wrong("clock", text, "set the clock, by NTP: `timedatectl set-ntp true`")


def judge_schedule(status: StatusDocument, last: datetime | None) -> Finding:
    """Return whether what is due is synced by itself; *last*: when the schedule's last known run began."""
    now, monitor = status["at"], status["monitor"]
    due = [(s["full_name"], s["next_due_at"]) for s in status["sources"] if s["next_due_at"]]
    if not due:
        return _ok("schedule", "nothing to sync" if not status["sources"] else "every source is paused")
    if not status["enabled"]:
        fix = "`bokit options set sync.enabled true`"
        return _wrong("schedule", "automatic syncing is switched off: calendars are read by hand alone", fix)
    if not status["install_complete"]:
        fix = "`bokit options set install.complete true`"
        return _wrong("schedule", "the installation counts as incomplete: nothing is synced by itself", fix)
    ticked = f"its last known run was {ago_words(last, now)}" if last else "no run of it is known"
    first = min(at for _, at in due) if monitor is None else monitor["next_at"]
    if now - first > MAX_LATE:
        late = [name for name, at in due if now - at > MAX_LATE] if monitor is None else ["the monitor"]
        text = f"{_names(late)}: due since {span_words((now - first).total_seconds())} and not synced; {ticked}"
        return _wrong("schedule", text, "is the stack up? `make up` for a local one; `make logs` shows its schedule's function")
    return _ok("schedule", f"{ticked}, the next sync is {'due now' if first <= now else ago_words(first, now)}")


def _is_untouched(counts: Mapping[str, QueueCount]) -> bool:
    return any(count.waiting and not count.taken for count in counts.values())


def judge_queues(first: Mapping[str, QueueCount], second: Mapping[str, QueueCount]) -> Finding:
    """Return whether messages are taken: none may wait at two looks while no worker has any."""
    stuck = [name for name in first if all(look[name].waiting and not look[name].taken for look in (first, second))]
    if stuck:
        waiting = sum(second[name].waiting for name in stuck)
        text = f"{plural(waiting, 'message')} of {_names(stuck)}: nobody takes {'it' if waiting == 1 else 'them'}"
        return _wrong("queue", text, "`make logs` shows whether the worker fails; its event source mapping must be enabled")
    shown = [f"{name} {c.waiting} waiting, {c.taken} in work" for name, c in second.items() if c.waiting or c.taken]
    return _ok("queue", "; ".join(shown) or "nothing waits")


def judge_dead_letters(counts: Mapping[str, int]) -> Finding:
    """Return whether messages were given up."""
    if not any(counts.values()):
        return _ok("dead-letters", "none")
    shown = ", ".join(f"{count} of {name}" for name, count in counts.items() if count)
    fix = "`bokit dead-letters list` shows what failed, `redrive` tries again, `discard` deletes"
    return _wrong("dead-letters", f"{plural(sum(counts.values()), 'message')} failed too often: {shown}", fix)


def judge_alerts(doc: AlertsDocument, subscribers: int) -> Finding:
    """Return whether somebody hears of what needs a person; *subscribers*: of the stack's topic, where no channel is."""
    channels = [channel for channel in doc["channels"] if channel["enabled"]]
    if not channels and subscribers:
        return _ok("alerts", f"{plural(subscribers, 'subscription')} of the stack's alert topic")
    if not channels:
        return _wrong("alerts", "nobody is notified of a double booking", "`bokit alert add KIND` adds a channel")
    if failing := [channel for channel in channels if channel["failing_since"]]:
        text = "; ".join(f"{channel['name']} is not accepted: {channel['error']}" for channel in failing)
        return _wrong("alerts", text, f"correct it, then `bokit alert test {failing[0]['id']}`")
    return _ok("alerts", f"go to {_names([channel['name'] for channel in channels])}")


def judge_secrets(sources: Sequence[SourceStatusDocument], faults: Mapping[str, str | None]) -> Finding:
    """Return whether the secrets can be read: by the stack, as its last syncs say, and from here."""
    if failed := [s["full_name"] for s in sources if s["error"] and s["error"]["code"] == "secret"]:
        fix = "`bokit source show` says why; docs/operations.md has the names of secrets and the rights that they take"
        return _wrong("secrets", f"the stack cannot read the secret of {_names(failed)}", fix)
    if unusable := {reference: fault for reference, fault in faults.items() if fault}:
        reference, fault = next(iter(unusable.items()))
        more = f", and {len(unusable) - 1} more" if len(unusable) > 1 else ""
        return _wrong("secrets", f"{reference}: {fault}{more}", "create the secret under that name, or correct the reference")
    return _ok("secrets", f"{plural(len(faults), 'secret')} can be read" if faults else "none is used")


def judge_sources(sources: Sequence[SourceStatusDocument], now: datetime) -> Finding:
    """Return whether every source was synced at least once, and none needs a person."""
    never = [s["full_name"] for s in sources if s["state"] == "new" and s["next_due_at"] and now - s["next_due_at"] > MAX_LATE]
    never += [s["full_name"] for s in sources if s["state"] in ("failing", "stale") and not s["last_success_at"]]
    troubled = [f"{s['full_name']} is {s['state']}" for s in sources if s["state"] in ("failing", "stale", "held")]
    troubled = [text for text in troubled if text.rpartition(" is ")[0] not in never]
    if never or troubled:
        text = "; ".join([*([f"never synced: {_names(never)}"] if never else []), *([_names(troubled)] if troubled else [])])
        return _wrong("sources", text, "`bokit status` says why; `bokit source show SOURCE` says what to do")
    waiting = sum(s["state"] == "new" for s in sources)
    shown = f"{plural(len(sources) - waiting, 'source')} synced" + (f", {waiting} not yet due" if waiting else "")
    return _ok("sources", shown if sources else "none yet; `bokit source add NAME --unit UNIT --url URL` adds one")


def judge_calendars(needs: Sequence[NeedDocument], units: int) -> Finding:
    """Return whether each outgoing calendar is read; a channel that gets none is advice, as in ``bokit status --check``."""
    own = [need for need in needs if need["kind"] == "calendar"]
    unread = [need["name"] for need in own if need["state"] == "unread"]
    missing = [need["name"] for need in own if need["state"] == "missing"]
    if unread:
        fix = "paste its address into the channel: `bokit export UNIT --for CHANNEL` shows it"
        return _wrong("calendars", f"never read, or not for days: {_names(unread)}", fix)
    if missing:
        return _ok("calendars", f"none is made for {_names(missing)}; `bokit export UNIT --for CHANNEL` makes one")
    return _ok("calendars", "each channel reads its own" if units else "no unit yet")


def _names(names: Sequence[str]) -> str:
    """Return names in a line, of many the first few.

    >>> _names(["a", "b", "c", "d", "e", "f", "g"])
    'a, b, c, d, e and 2 more'
    """
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
