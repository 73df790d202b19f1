"""``bokit export``: the calendar on standard output, its address beside it."""

from __future__ import annotations

import pytest
from icalendar import Calendar

from bokit.core.model.access import hash_token
from tests.support.terminal import Terminal


@pytest.fixture
def terminal(capsys, tmp_path):
    made = Terminal(capsys, tmp_path)
    made.furnish()
    made.json("sync", "--all")
    return made


def token_of(url: str) -> str:
    """Return the secret of an address."""
    return url.removeprefix("https://api.example/feeds/").removesuffix(".ics")


def test_the_calendar_goes_into_a_file_and_the_address_does_not(terminal):
    """Standard output is the calendar and nothing else; the address goes to standard error."""
    result = terminal.run("export", "Garden flat")

    assert result.code == 0
    assert [str(e["SUMMARY"]) for e in Calendar.from_ical(result.out).events] == ["Reserved", "Reserved"]
    assert result.err.startswith("address: https://api.example/feeds/")
    assert "https://" not in result.out


@pytest.mark.parametrize(
    ("host", "ends"),
    [
        ("https://a1b2c3.execute-api.eu-central-1.amazonaws.com", True),
        ("https://a1b2c3.execute-api.cn-north-1.amazonaws.com.cn", True),
        ("https://calendars.example.com", False),
        ("http://127.0.0.1:14566/_aws/execute-api/bokit/%24default", False),
    ],
)
def test_an_address_that_ends_with_the_stack_comes_with_a_note(capsys, tmp_path, host, ends):
    """API Gateway made it up; a custom domain and the local cloud have none of that."""
    made = Terminal(capsys, tmp_path, api_url=host)
    made.furnish()
    result = made.run("export", "Garden flat")

    assert result.err.startswith(f"address: {host}/feeds/")
    assert ("only a custom domain survives" in result.err) == ends


def test_the_address_for_ones_own_website_is_printed_where_there_is_one(terminal):
    """Beside the calendar's; none where guests are named, since visitors would read them, and none of turnovers."""
    beside = terminal.run("export", "Garden flat", "--anonymous").err.splitlines()
    address, website = (line.rpartition(": ")[2] for line in beside)

    assert website == address.replace(".ics", ".json")
    for option in ("--details", "--variant=turnovers"):
        assert "website" not in terminal.run("export", "Garden flat", option).err


def test_programs_get_both_in_one_document(terminal):
    """``{"url", "calendar"}``; what is served under the address is what was printed."""
    result = terminal.json("export", "Garden flat", "--for", "vrbo")

    assert set(result) == {"url", "calendar"}
    page = terminal.store.find_published(hash_token(token_of(result["url"])))
    assert page.body.decode() == result["calendar"]
    assert terminal.json("export", "Garden flat", "--for", "VRBO") == result


def test_a_channel_does_not_get_its_own(terminal):
    """Airbnb's guests are Airbnb's; a booking by hand is exported to it."""
    assert Calendar.from_ical(terminal.json("export", "Garden flat", "--for", "airbnb")["calendar"]).events == []
    terminal.json(
        "booking",
        "add",
        "--unit",
        "Garden flat",
        "--set",
        "check_in=2026-09-01",
        "--set",
        "check_out=2026-09-03",
        "--set",
        "guest_name=Ann Meyer",
    )

    result = terminal.json("export", "Garden flat", "--for", "airbnb")["calendar"]
    assert "DTSTART;VALUE=DATE:20260901" in result
    assert "Ann Meyer" not in result
    assert "Ann Meyer" in terminal.json("export", "Garden flat", "--for", "airbnb", "--details")["calendar"]


def test_an_address_is_rotated_and_forgotten(terminal):
    """Another address, the former one for a while; then none."""
    first = terminal.json("export", "Garden flat")["url"]
    second = terminal.json("export", "Garden flat", "--rotate")["url"]
    feeds = terminal.bokit.feeds

    assert first != second
    assert feeds.serve(token_of(first)).body == feeds.serve(token_of(second)).body
    terminal.clock.move(hours=49)
    assert feeds.serve(token_of(first)) is None
    assert terminal.json("export", "Garden flat", "--remove")["removed"] is True
    assert feeds.serve(token_of(second)) is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("Loft",), "no unit is called 'Loft'"),
        (("Garden flat", "--for", "nobody"), "no such consumer"),
        (("Garden flat", "--variant", "x"), "no such variant"),
        (("Garden flat", "--remove", "--for", "vrbo"), "no such calendar"),
        (("Garden flat", "--remove", "--rotate"), "not both"),
    ],
)
def test_wrong_use_is_one_clear_line(terminal, arguments, says):
    """Exit code 2, and nothing is made."""
    result = terminal.run("export", *arguments)

    assert (result.code, result.out) == (2, "")
    assert says in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert terminal.bokit.calendars.list_calendars("default") == []
