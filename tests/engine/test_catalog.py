"""The catalog on the memory store: what an owner declares, and what the schedule makes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bokit.core.bookings.stay import held_nights
from bokit.core.model.catalog import DEFAULT_TENANT, UnitId
from bokit.core.model.records import SourceId, TenantId
from bokit.errors import InputError, OptionError, StateError, UnknownIdError
from tests.support.builders import a_head, an_edit
from tests.support.catalog_app import URL, CatalogApp
from tests.support.rows_app import START

ROSA = TenantId("rosa")


@pytest.fixture
def app() -> CatalogApp:
    return CatalogApp()


def test_a_new_source_is_due_now_and_completes_the_installation(app):
    """The first source is written with its head and its line, due at once, in its unit's timezone."""
    assert app.catalog.options.get(DEFAULT_TENANT, "install.complete")["value"] is False

    source = app.add()

    assert app.schedule(source).due_at == START
    assert app.schedule(source).interval == timedelta(hours=1)
    assert app.head(source).unit_timezone == "Europe/Rome"
    assert app.store.load_due(START).shards[0].id == source.shard_id
    assert app.catalog.options.get(DEFAULT_TENANT, "install.complete")["value"] is True


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": ""}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"url": "http://10.0.0.1/x.ics"}, "public"),
        ({"url": ""}, "URL"),
        ({"kind": "gopher"}, "kind"),
        ({"platform": "myspace"}, "platform"),
        ({"interval": "5"}, "60"),
        ({"interval": "soon"}, "duration"),
        ({"cancel_after": "-1"}, "duration"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"enabled": "perhaps"}, "true or false"),
        ({"colour": "red"}, "field"),
    ],
)
def test_a_bad_source_is_refused_and_nothing_is_written(app, values, message):
    """What is wrong with a source is said, and the catalog stays as it was."""
    with pytest.raises(InputError, match=message):
        app.add(**{"name": "Airbnb", "url": URL} | values)

    assert app.catalog.sources.list_sources(DEFAULT_TENANT) == []


def test_a_source_of_an_unknown_unit_is_refused(app):
    """A source belongs to a unit that is there."""
    with pytest.raises(UnknownIdError):
        app.catalog.sources.add(DEFAULT_TENANT, UnitId("unit_x"), {"name": "Airbnb", "url": URL})


def test_a_source_is_not_added_twice(app):
    """The same name in a unit, or the same URL anywhere, is refused."""
    app.add()

    with pytest.raises(StateError, match="name"):
        app.add(url="https://feeds.example/2.ics")
    with pytest.raises(StateError, match="URL"):
        app.add(name="Airbnb again")


def test_a_preview_fetches_once_and_writes_nothing(app):
    """A preview shows verdict, platform and entries, and leaves no trace."""
    preview = app.catalog.sources.preview(DEFAULT_TENANT, app.unit.id, {"name": "Airbnb", "url": URL}).as_dict()

    assert (preview["verdict"], preview["platform"], len(preview["entries"])) == ("ok", "airbnb", 1)
    assert app.feed.asked == [URL]
    assert app.store.load_sources(DEFAULT_TENANT) == []


def test_another_url_forgets_etag_and_hash_and_keeps_the_stays(app):
    """A new URL is read again at once; what is known of the old one stays."""
    source = app.add()
    record_id = app.store_stay(source)
    app.store.save_source(a_head(source, last_modified="yesterday"), app.schedule(source))
    source = app.store.load_source(DEFAULT_TENANT, source.id)

    edited = app.edit(source, url="https://feeds.example/new.ics")

    head = app.head(edited)
    assert (head.etag, head.last_modified, head.content_hash) == (None, None, None)
    assert app.schedule(edited).due_at == app.clock.at
    assert app.stay(record_id).presence == "present"


def test_an_edit_that_changes_nothing_writes_nothing(app):
    """Saying what is there already leaves the version alone."""
    source = app.add(interval="15m")

    assert app.edit(source, interval=900, name="Airbnb") == source


def test_an_interval_given_up_follows_the_tenant_again(app):
    """None takes a source's own interval back."""
    source = app.add(interval="15m")

    edited = app.edit(source, interval=None)

    assert edited.interval is None
    assert app.schedule(edited).interval == timedelta(hours=1)


def test_an_edit_waits_for_a_sync_in_hand_and_gives_up(app):
    """An edit does not write over a sync that holds the lease; it says so."""
    source = app.add()
    app.store.acquire_lease(source, holder="run_1", now=START, until=START + timedelta(minutes=5))

    with pytest.raises(StateError, match="try again"):
        app.edit(source, name="Renamed")

    assert app.store.load_source(DEFAULT_TENANT, source.id).name == "Airbnb"


def test_a_paused_source_is_not_due_until_it_is_resumed(app):
    """Pausing takes the due time away, resuming makes it due now."""
    source = app.add()

    paused = app.catalog.sources.pause(DEFAULT_TENANT, source.id)
    assert (paused.enabled, app.schedule(paused).due_at) == (False, None)

    app.clock.move(hours=5)
    resumed = app.catalog.sources.resume(DEFAULT_TENANT, source.id)
    assert (resumed.enabled, app.schedule(resumed).due_at) == (True, app.clock.at)


def test_removing_a_source_keeps_its_future_nights_held(app):
    """A removed source is fetched no more, and frees nothing by itself."""
    source = app.add()
    record_id = app.store_stay(source)

    removal = app.catalog.sources.remove(DEFAULT_TENANT, source.id, by="user:rosa")

    assert (removal.released, removal.kept) == (0, 1)
    assert held_nights(app.stay(record_id))
    assert app.schedule(source).due_at is None
    assert app.catalog.sources.list_sources(DEFAULT_TENANT) == []
    with pytest.raises(StateError, match="removed"):
        app.edit(source, name="Back")


def test_releasing_a_removed_source_frees_its_nights_and_is_logged(app):
    """With release, future stays, edited ones and windows are released by a logged change; the past stays."""
    source = app.add()
    stay = app.store_stay(source, edits={"status": an_edit("tentative")})
    window = {
        "kind": "window",
        "status": "unavailable",
        "nights": [["2026-08-01", "2026-08-09"]],
        "provisional": [],
        "check_in": "2026-08-01",
        "check_out": "2026-08-09",
    }
    closed = app.store_stay(source, remote=window)
    past = app.store_stay(
        source, remote={"kind": "reservation", "status": "confirmed", "check_in": "2026-01-01", "check_out": "2026-01-05"}
    )
    app.catalog.sources.remove(DEFAULT_TENANT, source.id, by="user:rosa")

    removal = app.catalog.sources.remove(DEFAULT_TENANT, source.id, release=True, by="user:rosa")

    assert (removal.released, removal.kept) == (2, 0)
    assert not held_nights(app.stay(stay))
    assert not held_nights(app.stay(closed))
    assert app.stay(past).presence == "present"
    logged = app.store.load_changes(DEFAULT_TENANT, stay).items[0]
    assert (logged.by, logged.action) == ("user:rosa", "release")


def test_the_name_of_a_removed_source_is_free_again(app):
    """A removed item does not block a new one."""
    source = app.add()
    app.catalog.sources.remove(DEFAULT_TENANT, source.id, by="user:rosa")

    assert app.add().id != source.id


def test_a_shorter_interval_takes_effect_now(app):
    """Setting sync.interval moves the due times of sources without an interval of their own."""
    own, following = app.add(interval="2h"), app.add(name="VRBO", url="https://feeds.example/2.ics")
    for source in (own, following):
        schedule = app.schedule(source)
        later = START + schedule.interval
        app.store.save_source(
            app.head(source),
            type(schedule)(
                tenant=DEFAULT_TENANT, due_at=later, interval=schedule.interval, attempted_at=START, succeeded_at=START
            ),
        )

    app.catalog.options.set(DEFAULT_TENANT, "sync.interval", "10m")

    assert app.schedule(following).interval == timedelta(minutes=10)
    assert app.schedule(following).due_at <= START + timedelta(minutes=10)
    assert app.schedule(own).due_at == START + timedelta(hours=2)
    assert app.store.load_shards([own.shard_id])[0].next_due <= app.schedule(following).due_at

    app.catalog.options.unset(DEFAULT_TENANT, "sync.interval")
    assert app.schedule(following).interval == timedelta(hours=1)


def test_syncing_switched_on_again_is_not_overdue(app):
    """Due times that passed while syncing was off begin again."""
    source = app.add()
    app.catalog.options.set(DEFAULT_TENANT, "sync.enabled", False)
    app.clock.move(days=3)

    app.catalog.options.set(DEFAULT_TENANT, "sync.enabled", True)

    assert app.schedule(source).due_at == app.clock.at


@pytest.mark.parametrize(("name", "value"), [("sync.interval", "5"), ("sync.enabled", "maybe"), ("no.such", "1")])
def test_a_bad_option_is_refused(app, name, value):
    """A wrong name or value of an option changes nothing."""
    with pytest.raises(OptionError):
        app.catalog.options.set(DEFAULT_TENANT, name, value)

    assert app.store.load_options([DEFAULT_TENANT]).get(DEFAULT_TENANT, {}) == {}


def test_a_property_s_new_timezone_reaches_its_sources(app):
    """Sources are read again in the timezone of their property, unless the unit has its own."""
    source = app.add()

    app.catalog.edit_property(DEFAULT_TENANT, app.property.id, {"timezone": "Europe/Lisbon"})
    assert app.head(source).unit_timezone == "Europe/Lisbon"

    app.catalog.edit_unit(DEFAULT_TENANT, app.unit.id, {"timezone": "Atlantic/Azores"})
    assert app.head(source).unit_timezone == "Atlantic/Azores"


def test_names_stand_for_ids_where_only_one_has_them(app):
    """A name finds what it names, an ambiguous one lists the ids, an unknown one is refused."""
    other = app.catalog.add_property(DEFAULT_TENANT, {"name": "Casa"})
    twin = app.catalog.add_unit(DEFAULT_TENANT, other.id, {"name": "Garden flat"})

    assert app.catalog.find_property(DEFAULT_TENANT, "villa rosa") == app.property
    assert app.catalog.find_unit(DEFAULT_TENANT, twin.id) == twin
    with pytest.raises(InputError, match=twin.id):
        app.catalog.find_unit(DEFAULT_TENANT, "Garden flat")
    with pytest.raises(UnknownIdError, match="unit list"):
        app.catalog.find_unit(DEFAULT_TENANT, "Attic")


def test_a_unit_is_not_a_part_of_itself(app):
    """Linked units form no circle."""
    villa = app.catalog.add_unit(DEFAULT_TENANT, app.property.id, {"name": "Villa", "parts": ["Garden flat"]})
    assert villa.parts == (app.unit.id,)

    with pytest.raises(InputError, match="itself"):
        app.catalog.edit_unit(DEFAULT_TENANT, app.unit.id, {"parts": [villa.id]})


def test_what_is_not_empty_is_not_removed(app):
    """Property, unit and tenant are removed from the inside out."""
    source = app.add()
    for remove, item_id in ((app.catalog.remove_property, app.property.id), (app.catalog.remove_unit, app.unit.id)):
        with pytest.raises(StateError):
            remove(DEFAULT_TENANT, item_id)

    app.catalog.sources.remove(DEFAULT_TENANT, source.id, release=True, by="user:rosa")
    app.catalog.remove_unit(DEFAULT_TENANT, app.unit.id)
    app.catalog.remove_property(DEFAULT_TENANT, app.property.id)
    assert app.catalog.list_properties(DEFAULT_TENANT) == []


def test_tenants_know_nothing_of_each_other(app):
    """A tenant sees, finds and changes nothing of another's."""
    app.catalog.add_tenant("Rosa", tenant_id=ROSA)
    source = app.add()

    assert app.catalog.sources.list_sources(ROSA) == []
    with pytest.raises(UnknownIdError):
        app.catalog.sources.pause(ROSA, source.id)
    with pytest.raises(UnknownIdError):
        app.catalog.add_unit(ROSA, app.property.id, {"name": "Mine"})


def test_an_unknown_tenant_gets_nothing(app):
    """Nothing is declared for a tenant that is not there; the default one always is."""
    with pytest.raises(UnknownIdError):
        app.catalog.add_property(TenantId("stranger"), {"name": "Castle"})
    with pytest.raises(StateError):
        app.catalog.add_tenant("default")
    assert [t.id for t in app.catalog.list_tenants()] == [DEFAULT_TENANT]


def test_a_tenant_with_sources_is_not_removed(app):
    """A tenant goes with its data once nothing is synced for it."""
    rosa = app.catalog.add_tenant("Rosa", tenant_id=ROSA)
    home = app.catalog.add_property(rosa.id, {"name": "Home"})
    unit = app.catalog.add_unit(rosa.id, home.id, {"name": "Room"})
    source = app.catalog.sources.add(rosa.id, unit.id, {"name": "Airbnb", "url": URL})
    with pytest.raises(StateError):
        app.catalog.remove_tenant(rosa.id)

    app.catalog.sources.remove(rosa.id, source.id, by="user:rosa")
    app.catalog.remove_tenant(rosa.id)

    assert app.catalog.list_properties(rosa.id) == []
    assert SourceId(source.id) not in app.store.load_heads(source.shard_id)[0].schedules
