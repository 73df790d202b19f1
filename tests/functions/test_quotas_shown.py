"""Quotas over HTTP and on the command line: the refusal says all that one needs, and the status says how near one is."""

from __future__ import annotations

from typing import Any

import pytest

from bokit.core.model.options import LEAST_INTERVAL
from bokit.core.model.quotas import QuotaName, QuotaOwner, Quotas
from bokit.store.memory.store import MemoryStore
from tests.support.caller import ApiApp, Caller
from tests.support.terminal import URL, Terminal


def bound(store: Any, **limits: int) -> None:
    """Give each tenant these quotas."""
    assert isinstance(store, MemoryStore)
    store.quotas = Quotas(limits={(QuotaOwner.TENANT, QuotaName(name)): limit for name, limit in limits.items()})


@pytest.mark.parametrize("name", ["units", "sources", "tokens", "records"])
def test_over_a_quota_is_a_409_that_says_how_to_change_it(app: ApiApp, caller: Caller, name: str) -> None:
    """The first is added, the second is refused with quota, limit, what is used and the parameter, and is not there."""
    house = caller.post("/properties", {"name": "Villa Rosa"})["id"]
    unit = caller.post("/units", {"property_id": house, "name": "Flat"})["id"]
    bound(app.bokit.store, **{name: 1 if name != "units" else 2})
    bodies: dict[str, tuple[str, list[dict[str, Any]]]] = {
        "units": ("/units", [{"property_id": house, "name": n} for n in ("B", "C")]),
        "sources": ("/sources", [{"unit_id": unit, "name": "A", "url": URL}, {"unit_id": unit, "name": "B", "url": f"{URL}?b"}]),
        "tokens": ("/tokens", [{"role": "viewer"}] * 2),
        "records": ("/bookings", [{"unit_id": unit, "check_in": f"2027-0{m}-01", "check_out": f"2027-0{m}-03"} for m in (1, 2)]),
    }
    path, (first, second) = bodies[name]
    caller.post(path, first)
    before = caller.get(path)["items"]
    refused = caller.ask("POST", path, second)

    limit = 2 if name == "units" else 1
    parameter = f"Tenant{name.capitalize()}"
    assert (refused.status, refused.code) == (409, "quota")
    assert {k: refused.doc[k] for k in ("quota", "limit", "used", "parameter")} == {
        "quota": name,
        "limit": limit,
        "used": limit,
        "parameter": parameter,
    }
    assert all(word in refused.doc["detail"] for word in (f"may have {limit} {name}", f"has {limit}", parameter))
    assert caller.get(path)["items"] == before
    quotas = {q["name"]: (q["used"], q["limit"]) for q in caller.get("/sync/status")["quotas"]}
    assert quotas[name] == (limit, limit)


def test_an_edit_over_the_days_writes_is_refused(app: ApiApp, caller: Caller) -> None:
    """PATCH answers 409 with what the day's writes are, and changes nothing; reading goes on."""
    house = caller.post("/properties", {"name": "Villa Rosa"})["id"]
    unit = caller.post("/units", {"property_id": house, "name": "Flat"})["id"]
    booking = caller.post("/bookings", {"unit_id": unit, "check_in": "2027-01-01", "check_out": "2027-01-03"})["id"]
    bound(app.bokit.store, writes=3)
    refused = caller.ask("PATCH", f"/bookings/{booking}", {"notes": "late"})

    assert (refused.status, refused.code, refused.doc["quota"]) == (409, "quota", "writes")
    assert caller.get(f"/bookings/{booking}")["notes"] is None
    [writes] = [q for q in caller.get("/sync/status")["quotas"] if q["name"] == "writes"]
    assert (writes["used"], writes["limit"]) == (2, 3)
    assert writes["resets_at"] > caller.get("/sync/status")["at"]


def test_too_short_an_interval_is_a_422_that_names_the_parameter(app: ApiApp, caller: Caller) -> None:
    """A source and the option with an interval below the stack's least are refused with the field and the parameter."""
    house = caller.post("/properties", {"name": "Villa Rosa"})["id"]
    unit = caller.post("/units", {"property_id": house, "name": "Flat"})["id"]
    app.bokit.defaults[LEAST_INTERVAL] = 900  # type: ignore[index]
    answers = [
        caller.ask("POST", "/sources", {"unit_id": unit, "name": "A", "url": URL, "interval": 300}),
        caller.ask("PUT", "/options/sync.interval", {"value": 300}),
    ]

    assert [(a.status, a.code, a.doc["limit"], a.doc["parameter"]) for a in answers] == [(422, "quota", 900, "LeastInterval")] * 2
    assert [a.doc["errors"][0]["field"] for a in answers] == ["interval", "value"]


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> Terminal:
    return Terminal(capsys, tmp_path / ".bokit")


def test_the_command_line_shows_how_near_a_quota_is(terminal: Terminal) -> None:
    """`status` warns from four fifths on, `quotas` lists all, and over one a command exits with 2 and says how to change it."""
    terminal.furnish()
    bound(terminal.store, units=2, sources=10)
    calm = terminal.run("status")
    bound(terminal.store, units=1, sources=1)
    near = terminal.run("status")
    full = terminal.run("unit", "add", "Loft", "--property", "Villa Rosa")
    listed = terminal.json("quotas")

    assert "near a quota" not in calm.out
    assert "near a quota: 1 of 1 units" in near.out
    assert (full.code, "TenantUnits" in full.err, "may have 1 units and has 1" in full.err) == (2, True, True)
    assert {q["name"]: (q["used"], q["limit"]) for q in listed["tenant"]}["sources"] == (1, 1)
    assert {q["name"] for q in listed["stack"]} == {"units", "sources", "tokens", "webhooks", "alerts"}
    assert "TenantSources" in terminal.run("quotas").out
