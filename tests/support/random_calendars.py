"""Random calendars: linked and lone units, and what several sources and people enter for them.

Each record is kept with what the generator meant by it, so that a count may be made of it that shares nothing with the product.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from bokit.core.model.catalog import PropertyId, UnitId
from bokit.core.model.records import Presence, Record, Scope, SourceId
from tests.support.builders import a_record, a_unit

FIRST = date(2026, 10, 20)
"""Europe leaves summer time on the fifth night."""
DAYS = 24
NOON = datetime(2026, 10, 26, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SHOWS_IMPORTS = {"airbnb", "vrbo"}


@dataclass(eq=False)
class Made:
    """A record, and what the generator meant by it."""

    record: Record
    nights: set[date]
    platform: str
    kind: str
    refs: dict[str, str] = field(default_factory=dict)
    guest: str | None = None
    times: dict[date, tuple[datetime, datetime | None]] = field(default_factory=dict)
    """When each night was first shown, and until when it was shown open."""
    left_at: datetime | None = None

    @property
    def id(self):
        return self.record.id

    @property
    def unit(self):
        return self.record.scope

    @property
    def source(self):
        return self.record.source_id

    @property
    def seen(self):
        return min(seen for seen, _ in self.times.values())

    @property
    def may_echo(self):
        if self.source is None:
            return False
        return self.kind == "block" or not (self.refs or self.guest or self.platform in SHOWS_IMPORTS)


def make_calendar(rng: random.Random):
    """Return linked and lone units, and the records of some sources and people."""
    villa, flat, loft, hut = (UnitId(f"unit_{n}") for n in ("villa", "flat", "loft", "hut"))
    units = [a_unit(id=villa, parts=(flat, loft), property_id=PropertyId("p"))] + [a_unit(id=u) for u in (flat, loft, hut)]
    places = rng.choice([[hut], [hut], [villa, flat], [villa, flat, loft]])
    sources = [
        (f"src_{n}", rng.choice(["airbnb", "booking_com", "vrbo", "beds24", "generic", "hand"]), rng.choice(places))
        for n in range(rng.randint(2, 4))
    ]
    made = [make_record(rng, n, *rng.choice(sources)) for n in range(rng.randint(2, 9))]
    return units, made, FIRST + DAY * rng.randint(0, 8), rng.choice([{}, {}, {u.id: rng.randint(0, 2) for u in units}])


def make_record(rng, number, source, platform, unit) -> Made:
    check_in = FIRST + DAY * rng.randint(0, DAYS - 8)
    check_out = check_in + DAY * rng.randint(1, 7)
    remote = {"kind": "reservation", "status": "confirmed", "check_in": str(check_in), "check_out": str(check_out)}
    refs: dict[str, str] = {}
    guest = None
    if rng.random() < 0.25:
        remote |= {"kind": "block", "status": rng.choice(["blocked", "unavailable"])}
    elif platform == "airbnb":
        refs["airbnb"] = remote["reservation_code"] = f"HM{rng.randint(1, 3):08d}"
    elif platform == "booking_com":
        remote |= {"status": "undefined", "summary": "CLOSED - Not available"}
    elif platform in ("beds24", "hand") or rng.random() < 0.4:
        guest = remote["guest_name"] = rng.choice(["Ann", "Bob", "Cleo"])
        if platform == "beds24" and rng.random() < 0.5:
            refs["airbnb"] = remote["ota_reference"] = f"HM{rng.randint(1, 3):08d}"
            remote["ota"] = "airbnb"
    if rng.random() < 0.1:
        remote["status"] = rng.choice(["cancelled", "inquiry"])
    gone = rng.random() < 0.15
    nights = [check_in + DAY * n for n in range((check_out - check_in).days)]
    cut = rng.randint(1, len(nights)) if rng.random() < 0.3 else len(nights)
    rows, times = [], {}
    for part in filter(None, (nights[:cut], nights[cut:])):
        seen = NOON - HOUR * rng.randint(1, 60)
        after = seen - HOUR if rng.random() < 0.6 else None
        rows.append([str(part[0]), str(part[-1] + DAY), seen.isoformat(), after and after.isoformat()])
        times |= dict.fromkeys(part, (seen, after))
    memory = {"gained": rows} | ({} if platform == "hand" else {"platform": platform})
    seen = min(seen for seen, _ in times.values())
    presence = Presence.GONE if gone else Presence.MISSING if rng.random() < 0.1 else Presence.PRESENT
    left_at = min(NOON, seen + HOUR * rng.randint(0, 50)) if gone else None
    missing = min(NOON, seen + HOUR * rng.randint(0, 50)) if presence is Presence.MISSING else None
    if gone:
        remote["status"] = "vanished"
    record = a_record(
        id=f"{unit}.{number:03d}",
        scope=Scope(unit),
        source_id=None if platform == "hand" else SourceId(source),
        remote=remote,
        memory=memory,
        created_at=seen,
        presence=presence,
        gone_at=left_at,
        missing_since=missing,
    )
    return Made(record, set(nights), platform, remote["kind"], refs, guest, times, left_at)
