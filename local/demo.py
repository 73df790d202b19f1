"""``make demo``: what a host does first with Bokit, in two minutes, on simulated platforms."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from local import cloud
from local.demo_records import show_records
from local.demo_session import UNIT, DemoSession, has_same_nights, require
from local.errors import LocalError
from local.place import Place
from local.progress import progress

BOOKING = "booking_com/terrace-flat"
NOTE = "Allergic to feathers"
MAX_SCHEDULE_WAIT = 180
"""Seconds to wait for the schedule, which runs every minute."""
PLURALS = {"property": "properties", "unit": "units", "source": "calendars"}


def run_demo(place: Place) -> None:
    """Show the product from end to end."""
    demo = DemoSession(place=place)
    print_heading("1. A cloud on this machine")
    addresses = cloud.up(place, say, "make demo")
    with chapter("2. Two properties, four calendars"):
        sources = add_sources(demo)
    with chapter("3. The schedule syncs them", "the schedule's next minute"):
        wait_for_schedule(demo, sources)
    with chapter("4. Your correction stays"):
        edited = show_edit(demo)
    with chapter("5. A guest moves to other nights"):
        show_move(demo, edited)
    with chapter("6. A broken calendar frees no night"):
        show_fault(demo, sources)
    with chapter("7. A double booking"):
        show_conflict(demo)
    with chapter("8. A calendar for each channel"):
        show_export(demo)
    with chapter("9. Not only bookings", "clients and tables"):
        show_records(demo)
    with chapter("Your bookings"):
        demo.show("bookings")
        demo.show("calendar", "--days", "31")  # on the last days of a month its calendar shows little
    print(NEXT.format(feed=BOOKING, simulator=place.simulator_url, api=addresses["api_url"], page=addresses["page_url"]))


def say(line: str) -> None:
    """Print a line at once, to a pipe, too."""
    print(line, flush=True)


@contextmanager
def chapter(heading: str, what: str = "syncing") -> Iterator[None]:
    """Print a chapter's heading, and every few seconds that *what* it waits for goes on."""
    print_heading(heading)
    with progress(say, lambda: what):
        yield


def print_heading(heading: str) -> None:
    """Print a chapter's heading."""
    print(f"\n{heading}\n{'─' * len(heading)}", flush=True)


def add_sources(demo: DemoSession) -> set[str]:
    """Import the simulator's config file, set a sync every minute, and return the sources' ids."""
    file = demo.place.home / "demo.json"
    file.write_text(demo.simulate("config"))
    done = demo.bokit("config", "import", str(file))
    demo.bokit("options", "set", "sync.interval", "60")
    demo.simulate("clear")
    added = Counter(item["kind"] for item in done["added"])
    words = ", ".join(f"{count} {PLURALS[kind] if count > 1 else kind}" for kind, count in added.items())
    print("Casa Luna in Rome is listed on Airbnb and Booking.com, Harbour House in Lisbon on VRBO and Beds24.")
    print(f"Added {words}." if words else "They exist already, from an earlier demo.")
    items = [item for part in ("added", "changed", "unchanged") for item in done[part]]
    return {item["id"] for item in items if item["kind"] == "source"}


def wait_for_schedule(demo: DemoSession, sources: set[str]) -> None:
    """Wait until the deployed schedule has synced every source at least once."""
    print("A schedule checks every minute which calendars are due.", flush=True)
    until = time.monotonic() + MAX_SCHEDULE_WAIT
    while not (run := find_scheduled_run(demo, sources)):
        if time.monotonic() > until:
            raise LocalError(f"the schedule did not sync within {MAX_SCHEDULE_WAIT} s; see `.bokit/log/emulator.log`")
        time.sleep(2)
    print(f"It synced at {run['started_at'][11:16]} UTC: {len(demo.bookings())} bookings now block nights.")


def find_scheduled_run(demo: DemoSession, sources: set[str]) -> dict[str, Any] | None:
    """Return the newest run of the schedule, once every source has synced successfully."""
    status = demo.bokit("status")["sources"]
    if not all(source["last_success_at"] for source in status if source["source_id"] in sources):
        return None
    runs = demo.bokit("history")["items"]
    return next((dict(run) for run in runs if run["trigger"] == "schedule"), None)


def show_edit(demo: DemoSession) -> str:
    """Edit a booking, sync again, and show that the edit stays; return the booking's id."""
    stay = demo.stay_of("Luca Moretti")
    booking = demo.sync_until(lambda: demo.booking_of(stay))
    demo.bokit("booking", "edit", booking["id"], "--set", f"notes={NOTE}")
    print(f'You add the note "{NOTE}" to the Airbnb booking of {nights_of(booking)}, and sync again.')
    demo.bokit("sync", "--all")
    after = demo.booking_of(stay)
    require(after is not None and after["notes"] == NOTE, "the edit did not survive the sync")
    print("The note is still there: your edits stay, everything else follows the platform.")
    return str(booking["id"])


def show_move(demo: DemoSession, edited: str) -> None:
    """Move the guest of the edited booking, and show that it is the same booking."""
    stay = demo.stay_of("Luca Moretti")
    start, end = find_free_dates(demo, stay)
    demo.simulate("move", stay["id"], str(start), str(end))
    moved = demo.stay_of("Luca Moretti")
    booking = demo.sync_until(lambda: demo.booking_of(moved))
    require(booking["id"] == edited, "a moved stay became another booking")
    require(booking["notes"] == NOTE, "the edit did not survive the move")
    print(f"On Airbnb the guest changes the stay of {nights_of(stay)}; it is now {nights_of(booking)}.")
    print("It is the same booking with new nights, and still has your note.")


def find_free_dates(demo: DemoSession, stay: dict[str, Any]) -> tuple[date, date]:
    """Return free dates some days before or after a stay."""
    start, end = date.fromisoformat(stay["check_in"]), date.fromisoformat(stay["check_out"])
    others = [b for b in demo.bookings(UNIT) if not has_same_nights(b, stay)]
    for days in (3, -3, 4, -4, 60, -60):
        shift = timedelta(days=days)
        if not any(b["check_in"] < str(end + shift) and str(start + shift) < b["check_out"] for b in others):
            return start + shift, end + shift
    raise LocalError("the simulated flat is full; run `make down`, delete .bokit/state, and run the demo again")


def show_fault(demo: DemoSession, sources: set[str]) -> None:
    """Make a feed return an empty calendar, and show that no night is freed."""
    before = {b["id"]: nights_of(b) for b in demo.bookings(UNIT)}
    demo.simulate("fault", BOOKING, "empty-calendar")
    held = demo.sync_until(lambda: find_held(demo, sources))
    after = {b["id"]: nights_of(b) for b in demo.bookings(UNIT)}
    require(after == before, "an empty calendar changed bookings")
    print("Booking.com returns an empty calendar. Tools that trust it would cancel every booking.")
    print(f"Bokit keeps all {len(after)} bookings of the {UNIT}, and the status of {held[0]['full_name']} says why:")
    demo.show("status")
    demo.simulate("clear")


def find_held(demo: DemoSession, sources: set[str]) -> list[dict[str, Any]]:
    """Return the status of the held sources."""
    return [s for s in demo.bokit("status")["sources"] if s["state"] == "held" and s["source_id"] in sources]


def show_conflict(demo: DemoSession) -> None:
    """Show the double booking of the unit."""
    demo.sync_until(lambda: demo.bokit("conflicts")["items"])
    print("Airbnb and Booking.com do not know each other's bookings, and both sold some nights.")
    print("Bokit found the conflict in the sync that read the second booking:")
    demo.show("conflicts")


def show_export(demo: DemoSession) -> None:
    """Show the unit's calendar for Airbnb, and that it is not sent again while it is unchanged."""
    url = demo.bokit("export", UNIT, "--for", "airbnb")["url"]
    status, etag, body = fetch_calendar(url)
    events = body.count(b"BEGIN:VEVENT")
    require(status == 200 and events > 0, "the outgoing calendar is not served")
    require(fetch_calendar(url, etag)[0] == 304, "an unchanged calendar is sent again")
    print("Give Airbnb this secret address: it lists the nights taken elsewhere, without guest names.")
    print(f"\n  $ curl {url}\n")
    print(f"It has {events} events. A second request with its ETag answers 304: unchanged.")


def fetch_calendar(url: str, etag: str | None = None) -> tuple[int, str, bytes]:
    """Return status, ETag and body of an outgoing calendar."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"If-None-Match": etag} if etag else {})  # noqa: S310 - our own
    try:
        with opener.open(request, timeout=30) as answer:
            return int(answer.status), str(answer.headers["ETag"]), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, "", b""


def nights_of(booking: dict[str, Any]) -> str:
    """Return check-in and check-out in words."""
    return f"{booking['check_in']} to {booking['check_out']}"


NEXT = """
The HTTP API answers at {api}:
  curl -H "Authorization: Bearer $(sed -n 's/.*"token": "\\(.*\\)".*/\\1/p' .bokit/local.json)" {api}/sync/status

Try next
  .venv/bin/bokit status                       when each calendar was last read
  .venv/bin/bokit history                      what was synced, when and why
  .venv/bin/bokit calendar                     who has which night: a month of all units
  .venv/bin/bokit today                        who comes and goes, and what needs you
  .venv/bin/bokit bookings --explain DATE      who has a night, and why
  .venv/bin/bokit conflicts                    double bookings
  .venv/bin/bokit export UNIT --for vrbo       a unit's calendar for a channel, and its address
  .venv/bin/bokit feed inspect FILE_OR_URL     what Bokit reads in a calendar of yours
  .venv/bin/python -m simulator --help         book, move and cancel simulated stays ({simulator})
  .venv/bin/python -m simulator fault {feed} empty-calendar
                                               break a calendar, and see on the page how Bokit holds it; `clear` fixes it
  make down                                    stop everything; `make up` continues with the same data

Open the page: the calendar of all units, signed in by its link
  {page}
"""
