"""What `bokit doctor` concludes from what it read: for each check what is well, what is wrong, and how to fix that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bokit.config import Settings
from bokit.errors import ConfigError, StoreUnreachableError
from bokit.store.schema import SCHEMA
from bokit_cli import doctor
from bokit_cli.doctor import Finding, State
from bokit_cli.doctor_reads import ApiAnswer, QueueCount

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
SETTINGS = Settings(table_name="bokit-Table", stack_name="bokit", endpoint_url="http://127.0.0.1:14566")
BUSY, STUCK, EMPTY = QueueCount(waiting=3, taken=1), QueueCount(waiting=3), QueueCount()


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def a_source(state: str = "ok", *, due: float | None = 30, code: str | None = None, synced: bool = True) -> Any:
    """Return a source's status; *due* in so many minutes."""
    return {
        "full_name": "Garden flat / Airbnb",
        "state": state,
        "next_due_at": None if due is None else NOW + minutes(due),
        "last_success_at": NOW - minutes(60) if synced else None,
        "error": {"code": code, "message": "x"} if code else None,
    }


def a_status(*sources: Any, enabled: bool = True, complete: bool = True, monitor: float | None = None) -> Any:
    """Return a tenant's status; *monitor*: its next run is in so many minutes."""
    runs = None if monitor is None else {"next_at": NOW + minutes(monitor)}
    return {"at": NOW, "sources": list(sources), "enabled": enabled, "install_complete": complete, "monitor": runs}


def a_channel(*, enabled: bool = True, failing: bool = False) -> Any:
    since = NOW - minutes(5) if failing else None
    return {
        "id": "alert_1",
        "name": "Phone",
        "enabled": enabled,
        "failing_since": since,
        "error": "HTTP 404" if failing else None,
    }


def alerts(*channels: Any) -> Any:
    return {"topic": True, "channels": list(channels)}


def a_need(state: str, kind: str = "calendar") -> Any:
    return {"kind": kind, "name": "Garden flat / VRBO", "state": state}


CASES: list[tuple[Finding, State, str, str]] = [
    (doctor.judge_python((3, 11)), State.OK, "3.11", ""),
    (doctor.judge_python((3, 14)), State.OK, "3.14", ""),
    (doctor.judge_python((3, 10)), State.WRONG, "this is Python 3.10", "Python 3.11 or newer"),
    (doctor.judge_stack(SETTINGS, SCHEMA), State.OK, f"bokit, table bokit-Table at http://127.0.0.1:14566, schema {SCHEMA}", ""),
    (doctor.judge_stack(SETTINGS, None), State.OK, "nothing written yet", ""),
    (doctor.judge_stack(SETTINGS, SCHEMA + 1), State.WRONG, f"has schema {SCHEMA + 1}", "upgrade Bokit here"),
    (doctor.judge_api(ApiAnswer(status=200, version="0.1.0"), "0.1.0"), State.OK, "up, Bokit 0.1.0", ""),
    (doctor.judge_api(ApiAnswer(status=503), "0.1.0"), State.WRONG, "answers 503", "`make logs`"),
    (doctor.judge_api(ApiAnswer(status=200, version="0.2.0"), "0.1.0"), State.WRONG, "runs Bokit 0.2.0", "deploy this one"),
    (doctor.judge_clock(None), State.UNCHECKED, "not checked: the service did not say its time", ""),
    (doctor.judge_clock(timedelta(seconds=-2)), State.OK, "within 30 s", ""),
    (doctor.judge_clock(minutes(7)), State.WRONG, "7 min ahead of the service", "set the clock"),
    (doctor.judge_clock(minutes(-90)), State.WRONG, "1 h behind the service", "set the clock"),
    (doctor.judge_schedule(a_status(), None), State.OK, "nothing to sync", ""),
    (doctor.judge_schedule(a_status(a_source("paused", due=None)), None), State.OK, "every source is paused", ""),
    (doctor.judge_schedule(a_status(a_source()), NOW - minutes(3)), State.OK, "3 min ago, the next sync is in 30 min", ""),
    (doctor.judge_schedule(a_status(a_source(due=-1)), None), State.OK, "no run of it is known, the next sync is due now", ""),
    (
        doctor.judge_schedule(a_status(a_source(due=-30), a_source()), NOW - minutes(90)),
        State.WRONG,
        "Garden flat / Airbnb: due since 30 min and not synced; its last known run was 1 h ago",
        "`make logs`",
    ),
    (doctor.judge_schedule(a_status(a_source(due=-30), monitor=3), None), State.OK, "the next sync is in 3 min", ""),
    (doctor.judge_schedule(a_status(a_source(), monitor=-9), None), State.WRONG, "the monitor: due since 9 min", "`make logs`"),
    (doctor.judge_schedule(a_status(a_source(due=-30), enabled=False), None), State.WRONG, "switched off", "sync.enabled true"),
    (doctor.judge_schedule(a_status(a_source(), complete=False), None), State.WRONG, "incomplete", "install.complete true"),
    (doctor.judge_queues({"sync": EMPTY, "sql": EMPTY}, {"sync": EMPTY, "sql": EMPTY}), State.OK, "nothing waits", ""),
    (doctor.judge_queues({"sync": BUSY}, {"sync": BUSY}), State.OK, "sync 3 waiting, 1 in work", ""),
    (doctor.judge_queues({"sync": STUCK}, {"sync": BUSY}), State.OK, "sync 3 waiting, 1 in work", ""),
    (doctor.judge_queues({"sync": STUCK}, {"sync": STUCK}), State.WRONG, "3 messages of sync: nobody takes them", "mapping"),
    (doctor.judge_dead_letters({"sync": 0, "tick": 0}), State.OK, "none", ""),
    (doctor.judge_dead_letters({"sync": 2, "tick": 1}), State.WRONG, "3 messages failed too often: 2 of sync, 1 of tick", "list"),
    (doctor.judge_alerts(alerts(a_channel()), 0), State.OK, "go to Phone", ""),
    (doctor.judge_alerts(alerts(), 2), State.OK, "2 subscriptions of the stack's alert topic", ""),
    (doctor.judge_alerts(alerts(), 0), State.WRONG, "nobody is notified", "`bokit alert add KIND`"),
    (doctor.judge_alerts(alerts(a_channel(enabled=False)), 0), State.WRONG, "nobody is notified", "`bokit alert add KIND`"),
    (doctor.judge_alerts(alerts(a_channel(failing=True)), 0), State.WRONG, "Phone is not accepted: HTTP 404", "test alert_1"),
    (doctor.judge_secrets([a_source()], {}), State.OK, "none is used", ""),
    (doctor.judge_secrets([a_source()], {"secret:crm": None}), State.OK, "1 secret can be read", ""),
    (
        doctor.judge_secrets([], {"secret:crm": "secret not found"}),
        State.WRONG,
        "secret:crm: secret not found",
        "create the secret",
    ),
    (doctor.judge_secrets([a_source("failing", code="secret")], {}), State.WRONG, "of Garden flat / Airbnb", "rights"),
    (doctor.judge_sources([], NOW), State.OK, "none yet", ""),
    (doctor.judge_sources([a_source(), a_source("paused", due=None)], NOW), State.OK, "2 sources synced", ""),
    (doctor.judge_sources([a_source(), a_source("new", due=1, synced=False)], NOW), State.OK, "1 not yet due", ""),
    (
        doctor.judge_sources([a_source("new", due=-9, synced=False)], NOW),
        State.WRONG,
        "never synced: Garden flat",
        "`bokit status`",
    ),
    (doctor.judge_sources([a_source("failing", synced=False)], NOW), State.WRONG, "never synced: Garden flat", "`bokit status`"),
    (doctor.judge_sources([a_source("held")], NOW), State.WRONG, "Garden flat / Airbnb is held", "`bokit status`"),
    (doctor.judge_calendars([], 0), State.OK, "no unit yet", ""),
    (doctor.judge_calendars([a_need("x", kind="conflict")], 1), State.OK, "each channel reads its own", ""),
    (doctor.judge_calendars([a_need("unread"), a_need("missing")], 1), State.WRONG, "never read, or not for days", "paste"),
    (doctor.judge_calendars([a_need("missing")], 1), State.OK, "none is made for Garden flat / VRBO", ""),
    (
        doctor.judge_unreachable(StoreUnreachableError("the table does not answer; check the network"), "http://127.0.0.1:1"),
        State.WRONG,
        "the table does not answer",
        "`make up`",
    ),
    (doctor.judge_unreachable(StoreUnreachableError("no table; deploy it"), None), State.WRONG, "no table", "deploy it"),
    (doctor.judge_unreachable(ConfigError("no stack is named: run `make up`"), None), State.WRONG, "no stack", "run `make up`"),
]


@pytest.mark.parametrize(("finding", "state", "text", "fix"), CASES)
def test_each_finding_says_what_is_and_what_to_do(finding, state, text, fix):
    """What is wrong has a fix, and nothing else has one."""
    assert finding.state is state
    assert text in finding.text
    assert fix in (finding.fix or "")
    assert (finding.fix is not None) == (state is State.WRONG)
