"""``make demo``: a host's first quarter of an hour with Bokit, in two minutes, on simulated platforms."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from local import cloud
from local.demo_records import show_records
from local.errors import LocalError
from local.place import Place

BOOKING = "booking_com/garden-flat"
NOTE = "Allergic to feathers"
PATIENCE = 180
"""Seconds that the schedule, which fires every minute, may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The demo's two hands: Bokit's command line, and the simulator's."""

    place: Place

    def bokit(self, *arguments: str) -> Any:
        """Run ``bokit … --json`` and return what it answers; 1 means that a source failed or was held."""
        done = self._run([str(self.place.root / ".venv/bin/bokit"), *arguments, "--json"])
        if done.returncode not in (0, 1):
            raise LocalError(f"`bokit {' '.join(arguments)}` failed: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def show(self, *arguments: str) -> None:
        """Run ``bokit …`` as a person would, and let it print."""
        print(f"\n  $ bokit {' '.join(arguments)}\n", flush=True)
        width = max(shutil.get_terminal_size((120, 24)).columns, 80)
        env = os.environ | {"COLUMNS": str(width)}
        subprocess.run([str(self.place.root / ".venv/bin/bokit"), *arguments], cwd=self.place.root, env=env, check=False)

    def simulate(self, *arguments: str) -> str:
        """Tell the simulated platforms what happens next."""
        done = self._run([sys.executable, "-m", "simulator", *arguments, "--url", self.place.simulator_url])
        if done.returncode:
            raise LocalError(f"the simulator failed: {done.stderr.strip()}")
        return done.stdout

    def simulate_billing(self, *arguments: str) -> str:
        """Make or describe a simulated billing database, which is a file."""
        done = self._run([sys.executable, "-m", "simulator", "billing", *arguments])
        if done.returncode:
            raise LocalError(f"the simulator failed: {done.stderr.strip()}")
        return done.stdout

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=self.place.root, capture_output=True, text=True, check=False)

    def stay_of(self, guest: str) -> dict[str, Any]:
        """Return a guest's stay, as it truly is."""
        stays = json.loads(self.simulate("truth"))["stays"]
        return next(dict(stay) for stay in stays if stay["guest"] == guest)

    def booking_of(self, stay: dict[str, Any]) -> dict[str, Any] | None:
        """Return the booking that Bokit made of a stay in the Garden flat."""
        return next((b for b in self.bookings("Garden flat") if is_same(b, stay)), None)

    def bookings(self, *units: str) -> list[dict[str, Any]]:
        """Return the bookings that hold nights, of one unit or of all."""
        chosen = [argument for unit in units for argument in ("--unit", unit)]
        return [b for b in self.bokit("bookings", *chosen)["items"] if b["blocks_nights"]]

    def sync_until(self, is_so: Callable[[], Any]) -> Any:
        """Sync until something has come to pass; the schedule may hold a source for a moment."""
        for _ in range(30):
            self.bokit("sync", "--all")
            if answer := is_so():
                return answer
            time.sleep(1)
        raise LocalError("the demo waited for a sync in vain; `bokit status` tells more")


def is_same(booking: dict[str, Any], stay: dict[str, Any]) -> bool:
    """Return whether a booking is a reservation of the same nights as a stay."""
    nights = booking["check_in"], booking["check_out"]
    return booking["kind"] == "reservation" and nights == (stay["check_in"], stay["check_out"])


def run_demo(place: Place) -> None:
    """Show the product from one end to the other."""
    demo = Demo(place=place)
    say("1. A cloud on this machine")
    told = cloud.up(place)
    say("2. Two properties, four calendars")
    seed(demo)
    say("3. The schedule syncs them by itself")
    wait_for_schedule(demo)
    say("4. A correction of yours stays")
    edited = show_edit(demo)
    say("5. A guest moves, and stays the same booking")
    show_move(demo, edited)
    say("6. A broken calendar changes nothing")
    show_fault(demo)
    say("7. Two guests, one bed")
    show_conflict(demo)
    say("8. A calendar back to every channel")
    show_export(demo)
    say("9. Not just bookings")
    show_records(demo)
    say("Your bookings")
    demo.show("bookings")
    print(NEXT.format(folder=place.simulator_url, api=told["api_url"]))


def say(heading: str) -> None:
    """Print a heading."""
    print(f"\n{heading}\n{'─' * len(heading)}", flush=True)


def seed(demo: Demo) -> None:
    """Declare what the simulator offers, and a sync every minute."""
    file = demo.place.home / "demo.json"
    file.write_text(demo.simulate("config"))
    done = demo.bokit("config", "import", str(file))
    demo.bokit("options", "set", "sync.interval", "60")
    demo.simulate("clear")
    added = len(done["added"])
    print("Villa Rosa in Rome is let on Airbnb and Booking.com, Harbour House in Lisbon on VRBO and Beds24.")
    print(f"{added} things added" if added else "They are here already, from the last time.")


def wait_for_schedule(demo: Demo) -> None:
    """Wait until the deployed rule has synced every source at least once."""
    print("Nobody presses a button: a rule in the cloud looks every minute for what is due.", flush=True)
    until = time.monotonic() + PATIENCE
    while not (run := scheduled_run(demo)):
        if time.monotonic() > until:
            raise LocalError("the schedule did not sync in three minutes; `.bokit/log/emulator.log` may tell why")
        time.sleep(2)
    print(f"It did, at {run['started_at'][11:16]} UTC: {len(demo.bookings())} bookings hold nights now.")


def scheduled_run(demo: Demo) -> dict[str, Any] | None:
    """Return the newest run of the schedule, once every source has synced well."""
    sources = demo.bokit("status")["sources"]
    if not all(source["last_success_at"] for source in sources):
        return None
    runs = demo.bokit("history")["items"]
    return next((dict(run) for run in runs if run["trigger"] == "schedule"), None)


def show_edit(demo: Demo) -> str:
    """Edit a booking, sync again, and show that the edit stands; returns the booking's id."""
    stay = demo.stay_of("Luca Moretti")
    booking = demo.sync_until(lambda: demo.booking_of(stay))
    demo.bokit("booking", "edit", booking["id"], "--set", f"notes={NOTE}")
    print(f'You note "{NOTE}" on the Airbnb booking of {span(booking)}, and sync again.')
    demo.bokit("sync", "--all")
    after = demo.booking_of(stay)
    require(after is not None and after["notes"] == NOTE, "the edit did not survive the sync")
    print("The note is still there: what you edit is yours, all else follows the platform.")
    return str(booking["id"])


def show_move(demo: Demo, edited: str) -> None:
    """Let the guest of the edited booking move, and show that it is the same booking."""
    stay = demo.stay_of("Luca Moretti")
    before = span(stay)
    target = free_dates(demo, stay)
    demo.simulate("move", stay["id"], str(target[0]), str(target[1]))
    moved = demo.stay_of("Luca Moretti")
    booking = demo.sync_until(lambda: demo.booking_of(moved))
    require(booking["id"] == edited, "a moved stay became another booking")
    require(booking["notes"] == NOTE, "the edit did not survive the move")
    print(f"On Airbnb the guest of {before} moves to {span(booking)}. Same booking, new nights, your note still on it.")


def free_dates(demo: Demo, stay: dict[str, Any]) -> tuple[date, date]:
    """Return dates a few days off that nobody else of the unit has."""
    start, end = date.fromisoformat(stay["check_in"]), date.fromisoformat(stay["check_out"])
    others = [b for b in demo.bookings("Garden flat") if not is_same(b, stay)]
    for days in (3, -3, 4, -4, 60, -60):
        shift = timedelta(days=days)
        if not any(b["check_in"] < str(end + shift) and str(start + shift) < b["check_out"] for b in others):
            return start + shift, end + shift
    raise LocalError("the simulated flat is full; `make down`, remove .bokit/state, and run the demo again")


def show_fault(demo: Demo) -> None:
    """Let a feed answer with an empty calendar, and show that no night is freed."""
    before = {b["id"]: span(b) for b in demo.bookings()}
    demo.simulate("fault", BOOKING, "empty-calendar")
    held = demo.sync_until(lambda: [s for s in demo.bokit("status")["sources"] if s["state"] == "held"])
    after = {b["id"]: span(b) for b in demo.bookings()}
    require(after == before, "an empty calendar changed bookings")
    print("Booking.com answers with an empty calendar. Elsewhere that would have cancelled every guest.")
    print(f"Bokit holds all {len(after)} bookings, and {held[0]['name']} says why:")
    demo.show("status")
    demo.simulate("clear")


def show_conflict(demo: Demo) -> None:
    """Show the double booking that is between the two calendars of the Garden flat."""
    demo.sync_until(lambda: demo.bokit("conflicts")["items"])
    print("Airbnb and Booking.com know nothing of each other, and sold some nights twice. Bokit found it in the sync that")
    print("brought the second booking:")
    demo.show("conflicts")


def show_export(demo: Demo) -> None:
    """Show where Airbnb reads what the others sold, and that it is asked twice and told once."""
    url = demo.bokit("export", "Garden flat", "--for", "airbnb")["url"]
    status, etag, body = read_feed(url)
    told = body.count(b"BEGIN:VEVENT")
    require(status == 200 and told > 0, "the outgoing calendar is not served")
    require(read_feed(url, etag)[0] == 304, "an unchanged calendar is sent again")
    print("What Booking.com and you yourself hold, Airbnb reads at an address that nobody can guess; no guest is named:")
    print(f"\n  $ curl {url}\n")
    print(f"{told} events. Asked again with the ETag, it is 304: nothing new.")


def read_feed(url: str, etag: str | None = None) -> tuple[int, str, bytes]:
    """Return status, ETag and bytes of an outgoing calendar, read as a platform does."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"If-None-Match": etag} if etag else {})  # noqa: S310 - our own
    try:
        with opener.open(request, timeout=30) as answer:
            return int(answer.status), str(answer.headers["ETag"]), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, "", b""


def span(nights: dict[str, Any]) -> str:
    """Return first night and departure in words."""
    return f"{nights['check_in']} to {nights['check_out']}"


def require(is_so: bool, otherwise: str) -> None:
    """Go on only with what the demo claims."""
    if not is_so:
        raise LocalError(f"the demo does not show what it says: {otherwise}")


NEXT = """
The HTTP API answers at {api}:
  curl -H "Authorization: Bearer $(sed -n 's/.*"token": "\\(.*\\)".*/\\1/p' .bokit/local.json)" {api}/sync/status

Try next
  .venv/bin/bokit status                       how fresh every calendar is
  .venv/bin/bokit history                      what was synced, when, by what
  .venv/bin/bokit bookings --explain DATE      who holds a night, and why
  .venv/bin/bokit conflicts                    what was sold twice
  .venv/bin/bokit export UNIT --for vrbo       a unit's calendar for a channel, and its address
  .venv/bin/bokit feed inspect FILE_OR_URL     what Bokit reads in a calendar of yours
  .venv/bin/python -m simulator --help         let guests book, move and cancel ({folder})
  make down                                    stop everything; your data is kept for the next `make up`
"""
