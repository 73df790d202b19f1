"""The simulated world: ground truth, time, random changes, faults, and its saved state."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bokit.core.ical.reader import ReadSettings, read_ical
from bokit.core.model.source_rules import Verdict
from bokit.engine.catalog.config.file import read_config
from simulator.cli import run
from simulator.faults import FAULTS
from simulator.feeds import PLATFORMS
from simulator.life import live
from simulator.model import SimulatorError, Span, cut
from simulator.scenario import AIRBNB, BOOKING, build_demo, config_of
from simulator.state import FILE, load_world, read_world, save_world, world_as_dict
from simulator.world import World
from tests.support.feed_lines import events

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
FEED = "airbnb/garden"


def day(number: int) -> date:
    return NOW.date() + timedelta(days=number)


def new_world(seed: int = 7) -> World:
    world = World(seed=seed, now=NOW)
    world.add_feed(FEED)
    return world


def bodies(world: World) -> dict[str, bytes]:
    return {name: world.render(name) for name in world.feeds}


# the truth


def test_the_truth_shows_what_is_closed_and_by_what():
    """Closed nights are those of stays, of blocks and of windows, from today on; cancelled stays close none."""
    world = new_world()
    world.set_options(FEED, notice_days=1)
    world.book(FEED, day(-2), day(2))
    world.block(FEED, day(5), day(6))
    world.cancel(world.book(FEED, day(8), day(9)))
    truth = world.truth()

    assert truth.closed[FEED] == {day(0), day(1), day(5)}
    assert truth.windows[FEED] == set()
    assert [stay.kind for stay in truth.active(FEED)] == ["reservation", "block"]
    assert [stay.status for stay in truth.stays] == ["confirmed", "confirmed", "cancelled"]


def test_time_moves_only_by_command():
    """Rendering and responses do not move the time; advance does, and only forward."""
    world = new_world()
    world.render(FEED)
    world.answer(FEED)

    assert world.now == NOW
    assert world.advance(days=1, hours=2) == NOW + timedelta(hours=26)
    with pytest.raises(SimulatorError, match="forward"):
        world.advance(days=-1)


def test_rendering_changes_nothing():
    """Rendering twice gives the same bytes and changes nothing."""
    world = build_demo(1, NOW)
    before = world_as_dict(world)

    assert bodies(world) == bodies(world)
    assert world_as_dict(world) == before


@pytest.mark.parametrize(
    "wrong",
    [
        lambda w: w.book(FEED, day(3), day(3)),
        lambda w: w.book("airbnb/none", day(3), day(4)),
        lambda w: w.move("stay-9", day(1)),
        lambda w: w.book(FEED, day(10), day(12)),
        lambda w: w.move("stay-1", day(9)),
        lambda w: w.cancel("stay-3"),
        lambda w: w.bring_back("stay-1"),
        lambda w: w.bring_back("stay-3"),
        lambda w: w.unblock("stay-1"),
        lambda w: w.add_feed(FEED),
        lambda w: w.add_feed("myspace/x"),
        lambda w: w.add_feed("airbnb/../x"),
        lambda w: w.add_feed("airbnb/x", timezone="Mars/Base"),
        lambda w: w.add_feed("airbnb/x", era="clipped"),
        lambda w: w.set_options(FEED, form="2.0"),
        lambda w: w.set_options(FEED, notice_days="two"),
        lambda w: w.fault(FEED, "gremlins"),
        lambda w: w.fault(FEED, "html", times=0),
        lambda w: w.fault(FEED, "html", times=1, hours=1),
        lambda w: w.clear("airbnb/none"),
    ],
)
def test_bad_input_is_refused_in_one_line_and_changes_nothing(wrong):
    """A refused command says why and changes nothing."""
    world = new_world()
    world.book(FEED, day(1), day(3))
    world.book(FEED, day(10), day(13))
    world.cancel(world.book(FEED, day(20), day(22)))
    world.book(FEED, day(20), day(21))
    before = world_as_dict(world)

    with pytest.raises(SimulatorError) as refused:
        wrong(world)
    assert "\n" not in str(refused.value)
    assert world_as_dict(world) == before


def test_a_platform_lets_nobody_book_taken_nights_by_default():
    """Back to back is free; over another stay only with `over`."""
    world = new_world()
    world.book(FEED, day(1), day(3))
    world.book(FEED, day(3), day(5))
    world.book(FEED, day(2), day(4), over=True)

    assert len(events(world.render(FEED))) == 3
    assert not world.is_free(FEED, day(4), day(6))
    assert world.is_free(FEED, day(5), day(6))


def test_a_stay_that_comes_back_is_as_tentative_as_it_was():
    """The stay is active again and otherwise unchanged."""
    world = new_world()
    stay = world.book(FEED, day(1), day(3), tentative=True)
    world.cancel(stay)
    gone = world.stay(stay).status
    world.bring_back(stay)

    assert (gone, world.stay(stay).status) == ("cancelled", "tentative")
    world.change(stay, tentative=False)
    assert world.stay(stay).status == "confirmed"


def test_a_span_is_cut_by_what_is_taken():
    """The rest of a span is outside all others and adjacent to them."""
    assert cut(Span(day(0), day(10)), [Span(day(-1), day(2)), Span(day(4), day(5)), Span(day(9), day(20))]) == (
        Span(day(2), day(4)),
        Span(day(5), day(9)),
    )
    assert cut(Span(day(0), day(3)), [Span(day(0), day(3))]) == ()


# chance


def test_equal_seeds_give_equal_bytes():
    """Two worlds of one seed and one life are the same in every feed; another seed is another world."""
    worlds = [build_demo(seed, NOW) for seed in (5, 5, 6)]
    for world in worlds:
        live(world, 40, faulty=True)

    assert world_as_dict(worlds[0]) == world_as_dict(worlds[1])
    assert bodies(worlds[0]) == bodies(worlds[1]) != bodies(worlds[2])


def test_life_in_pieces_is_the_same_life():
    """Day by day with a restart in between gives the same as one call."""
    one, other = build_demo(5, NOW), build_demo(5, NOW)
    live(one, 30)
    for _ in range(30):
        live(other, 1)
        other = read_world(json.loads(json.dumps(world_as_dict(other))))

    assert world_as_dict(one) == world_as_dict(other)


def test_life_has_realistic_rates():
    """Within a year stays are booked, cancelled, moved and brought back, nights are closed and opened; most stays remain."""
    world = build_demo(11, NOW)
    happened = Counter(h.what for h in live(world, 365))

    assert set(happened) == {"booked", "cancelled", "moved", "brought-back", "blocked", "unblocked"}
    assert 100 < happened["booked"] < 600
    assert 0.04 < happened["cancelled"] / happened["booked"] < 0.3
    assert 0.01 < happened["moved"] / happened["booked"] < 0.2


def test_life_never_books_a_night_twice_on_one_feed():
    """A platform sells each night once; blocks lie on free nights as well."""
    world = build_demo(13, NOW)
    live(world, 200)
    for feed in world.feeds:
        nights = Counter(night for stay in world.truth().active(feed) for span in stay.spans for night in span.nights())
        assert set(nights.values()) <= {1}


# wrong answers


def test_a_fault_lasts_so_many_answers_and_the_next_takes_its_turn():
    """Two empty bodies, one 404, then all is well."""
    world = new_world()
    world.book(FEED, day(1), day(3))
    world.fault(FEED, "empty-body", times=2)
    world.fault(FEED, "404", times=1)
    answers = [world.answer(FEED) for _ in range(4)]

    assert [(a.status, len(events(a.body))) for a in answers] == [(200, 0), (200, 0), (404, 0), (200, 1)]


def test_a_fault_without_times_lasts_until_it_is_cleared():
    """Of one feed, or of all."""
    world = new_world()
    world.fault(FEED, "html")
    before = [world.answer(FEED).content_type for _ in range(5)]
    world.clear()

    assert before == ["text/html"] * 5
    assert world.answer(FEED).content_type.startswith("text/calendar")


def test_a_fault_lasts_for_hours_of_simulated_time():
    """Thirty hours, however often it is asked."""
    world = new_world()
    world.book(FEED, day(1), day(3))
    world.fault(FEED, "empty-calendar", hours=30)
    found = []
    for _ in range(4):
        found.append(len(events(world.answer(FEED).body)))
        world.advance(hours=10)

    assert found == [0, 0, 0, 1]
    assert world.fault_now(FEED) is None


def test_a_stale_feed_repeats_what_it_was_when_the_fault_began(tmp_path):
    """Its stamps too, and after a restart; then it is up to date again."""
    world = new_world()
    world.book(FEED, day(1), day(3))
    world.fault(FEED, "stale", hours=2)
    before = world.render(FEED)
    world.book(FEED, day(5), day(6))
    world.advance(hours=1)
    save_world(world, tmp_path)
    again = load_world(tmp_path)

    assert [w.answer(FEED).body for w in (world, again)] == [before, before]
    again.advance(hours=1)
    assert len(events(again.answer(FEED).body)) == 2


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_is_what_its_name_says(kind):
    """A faulty answer differs from the right one, and the right one is unharmed."""
    world = new_world()
    for number in range(6):
        world.book(FEED, day(number * 4), day(number * 4 + 2))
    right = world.render(FEED)
    world.fault(FEED, kind, times=1)
    answer = world.answer(FEED)
    verdict = read_ical(answer.body, ReadSettings(at=NOW, timezone=ZoneInfo("Europe/Rome"))).verdict

    assert _FACTS[kind](answer, verdict)
    assert world.render(FEED) == right


_FACTS = {
    "empty-calendar": lambda a, v: v is Verdict.EMPTY and a.body.startswith(b"BEGIN:VCALENDAR"),
    "empty-body": lambda a, v: a.status == 200 and a.body == b"",
    "html": lambda a, v: a.status == 200 and v is Verdict.UNREADABLE and b"<html>" in a.body,
    "json": lambda a, v: a.status == 200 and v is Verdict.UNREADABLE and json.loads(a.body)["code"] == 500,
    "truncated": lambda a, v: v is not Verdict.OK and b"END:VCALENDAR" not in a.body,
    "half": lambda a, v: v is Verdict.OK and len(events(a.body)) == 3,
    "other-listing": lambda a, v: v is Verdict.OK and len(events(a.body)) == 6,
    "bad-date": lambda a, v: v is Verdict.PARTIAL and a.body.count(b"2026XX99") == 1,
    "half-and-ghosts": lambda a, v: v is Verdict.OK and len(events(a.body)) == 6 and a.body.count(b"ghost-") == 3,
    "prodid-glitch": lambda a, v: v is Verdict.OK and len(events(a.body)) == 6 and b"PRODID:-//Proxy" in a.body,
    "stale": lambda a, v: v is Verdict.OK and len(events(a.body)) == 6,
    "switched-off": lambda a, v: a.body == b"Error: room synchroniser not enabled",
    "401": lambda a, v: a.status == 401,
    "404": lambda a, v: a.status == 404,
    "429": lambda a, v: a.status == 429 and a.headers["Retry-After"] == "120",
    "500": lambda a, v: a.status == 500,
    "503": lambda a, v: a.status == 503 and a.headers["Retry-After"] == "60",
    "drip": lambda a, v: v is Verdict.OK and a.pace == "drip",
    "timeout": lambda a, v: a.pace == "hang",
}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_another_listings_feed_shares_no_event(platform):
    """Its UIDs are none of this listing's, whatever the platform makes them of."""
    world = World(seed=7, now=NOW)
    feed = world.add_feed(f"{platform}/garden").name
    for week in range(1, 7):
        world.book(feed, day(7 * week), day(7 * week + 1))
    mine = {e["UID"] for e in events(world.render(feed))}
    world.fault(feed, "other-listing")

    assert not mine & {e["UID"] for e in events(world.answer(feed).body)}


def test_an_etag_stays_the_same_while_only_the_stamps_change():
    """It is optional, since no platform was seen to send one."""
    world = new_world()
    world.book(FEED, day(1), day(3))
    assert "ETag" not in world.answer(FEED).headers
    world.set_options(FEED, etag=True)
    one, two = world.answer(FEED), world.answer(FEED)
    world.book(FEED, day(5), day(6))

    assert one.body != two.body
    assert one.headers["ETag"] == two.headers["ETag"] != world.answer(FEED).headers["ETag"]


# kept


def test_a_world_comes_back_as_it_was(tmp_path):
    """Stays, time, faults, options and the log survive the file; so do the bytes of every feed."""
    world = build_demo(3, NOW)
    live(world, 20, faulty=True)
    world.fault(AIRBNB, "half", times=3)
    save_world(world, tmp_path / "new")
    again = load_world(tmp_path / "new")

    assert world_as_dict(again) == world_as_dict(world)
    assert bodies(again) == bodies(world)
    assert again.answer(AIRBNB) == world.answer(AIRBNB)


def test_a_state_that_cannot_be_read_says_so(tmp_path):
    """None where there is none; one line that names the file where it is broken."""
    assert load_world(tmp_path) is None
    for broken in ("{", "[]", '{"seed": 1}', '{"form": 0}'):
        (tmp_path / FILE).write_text(broken)
        with pytest.raises(SimulatorError, match=FILE):
            load_world(tmp_path)


# the stock scenario


def test_the_demo_is_relative_to_today_and_holds_a_double_booking():
    """Two properties, four feeds; the Terrace flat's two feeds share nights that guests have, and no platform knows."""
    world = build_demo(1, NOW + timedelta(days=100))
    garden = [
        {night for stay in world.truth().active(feed) for span in stay.spans for night in span.nights()}
        for feed in (AIRBNB, BOOKING)
    ]

    assert len({feed.property for feed in world.feeds.values()}) == 2
    assert len(world.feeds) == 4
    assert garden[0] & garden[1] == {day(139), day(140)}


def test_the_config_is_what_bokit_imports():
    """The document declares each property, unit and source once, as the engine reads config files."""
    config = read_config(config_of(build_demo(1, NOW), "http://127.0.0.1:9/"))

    assert [(p.name, [u.name for u in p.units]) for p in config.properties] == [
        ("Casa Luna", ["Terrace flat"]),
        ("Harbour House", ["Quay loft"]),
    ]
    sources = [s for p in config.properties for u in p.units for s in u.sources]
    assert [s.name for s in sources] == ["Airbnb", "Booking.com", "VRBO", "Beds24"]
    assert sources[0].values["url"] == "http://127.0.0.1:9/airbnb/terrace-flat.ics"


def test_a_history_is_what_the_feed_showed_at_each_fetch(tmp_path, capsys):
    """Equal seeds give equal files, each named after its time; a folder with anything in it is left alone."""
    for folder in ("one", "two"):
        arguments = ["nights/flat", str(tmp_path / folder), "joined=true", "--days", "2", "--seed", "5"]
        assert run(["history", *arguments]) == 0
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()} for folder in ("one", "two"))
    assert one == two
    assert sorted(one)[:2] == ["20261220T090000Z.ics", "20261220T150000Z.ics"]
    assert len(one) == 9
    assert run(["history", "nights/flat", str(tmp_path / "one")]) == 2
    assert "not empty" in capsys.readouterr().err
