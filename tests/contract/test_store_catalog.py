"""What every store does with tenants, properties, units, sources and options."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bokit.core.model.catalog import (
    DEFAULT_TENANT,
    Collection,
    EndsOn,
    Parent,
    Property,
    PropertyId,
    ShardId,
    Tenant,
    Unit,
    UnitId,
)
from bokit.core.model.records import CollectionName, RecordId, Scope, SourceId, TenantId
from bokit.core.model.scheduling import Failure, HoldNote, Shard, SourceSchedule
from bokit.errors import StoreConflictError, UnknownIdError
from bokit.store.protocols import Store
from bokit.values import replace
from tests.support.builders import (
    DAY,
    HOUR,
    NAUGHTY_STRINGS,
    NOW,
    a_change,
    a_collection,
    a_head,
    a_property,
    a_record,
    a_schedule,
    a_source,
    a_tenant,
    a_unit,
)
from tests.support.steps import OTHER, add_record, add_run, add_source, lease_of

FULL_SOURCE = a_source(
    name="\ud800 部屋 #",
    url="secret:bokit/rosa",
    kind="sql",
    collection=CollectionName("clients"),
    scope=Scope("a#b.c"),
    platform="vrbo",
    interval=timedelta(microseconds=1),
    cancel_after=timedelta(0),
    timezone="Asia/Kolkata",
    ends_on=EndsOn.LAST_NIGHT,
    ignore_transparent=True,
    enabled=False,
    settings={"": [None, True, 1, {"deep": ["x"]}]},
    removed_at=NOW + timedelta(microseconds=7),
)


def is_empty() -> None:
    """Find nothing that belongs to what is deleted."""


def test_a_tenant_comes_back_whole_and_in_order(store: Store) -> None:
    """Tenants come back with every field, in the order of their ids; saving one again replaces it."""
    b, a = a_tenant(id=TenantId("b"), name="\ud83c 🏠"), a_tenant(id=TenantId("a#b%"), created_at=NOW + timedelta(microseconds=1))
    for tenant in (b, a, replace(b, name="new")):
        store.save_tenant(tenant)

    assert store.load_tenants() == [a, replace(b, name="new")]


def test_a_naughty_name_is_kept(store: Store) -> None:
    """No string in a name breaks a row or comes back different."""
    for text in (*NAUGHTY_STRINGS, "\ud800"):
        house = store.save_property(a_property(name=text))

        assert store.load_property(DEFAULT_TENANT, house.id).name == text


def test_a_naughty_id_finds_nothing(store: Store) -> None:
    """An id that was never created is unknown, whatever its characters."""
    store.save_property(a_property(id=PropertyId("p")))

    for text in (*NAUGHTY_STRINGS, "\ud800"):
        with pytest.raises(UnknownIdError):
            store.load_property(DEFAULT_TENANT, PropertyId(text))


def test_a_naughty_id_is_an_id_like_any_other(store: Store) -> None:
    """Two ids that differ are two rows, and are listed in their order."""
    ids = [PropertyId(text) for text in NAUGHTY_STRINGS if len(text) < 100]
    for property_id in ids:
        store.save_property(a_property(id=property_id))

    assert [house.id for house in store.load_properties(DEFAULT_TENANT)] == sorted(ids)


def test_properties_and_units_come_back_whole(store: Store) -> None:
    """Properties and units come back with every field and their first version."""
    house = store.save_property(a_property(timezone=None))
    flat = store.save_unit(a_unit(parts=(UnitId("u1"), UnitId("u2")), timezone="Europe/Rome"))

    assert (house.version, flat.version) == (1, 1)
    assert store.load_properties(DEFAULT_TENANT) == [house] == [store.load_property(DEFAULT_TENANT, house.id)]
    assert store.load_units(DEFAULT_TENANT) == [flat] == [store.load_unit(DEFAULT_TENANT, flat.id)]


def test_a_collection_comes_back_whole(store: Store) -> None:
    """Declarations come back with every field, in the order of their names."""
    schema = {"type": "object", "required": ["name"], "properties": {"\u2028": {"enum": [None, 1, "\ud800"]}}}
    full = a_collection(
        name=CollectionName("a#b 部屋"),
        preserve=("createdAt", "address.city"),
        array_keys={"rooms": "id", "a.b": ""},
        schema=schema,
        buckets=8,
        interval=timedelta(microseconds=1),
    )
    bare = store.save_collection(a_collection(name=CollectionName("Z")))
    saved = store.save_collection(full)

    assert saved == replace(full, version=1)
    assert store.load_collections(DEFAULT_TENANT) == [bare, saved]
    assert store.load_collections(OTHER) == []


def test_a_collection_is_saved_by_its_version(store: Store) -> None:
    """Of two writers that declare a collection, the second gets a conflict; a deleted one may be declared again."""
    first = store.save_collection(a_collection())
    second = store.save_collection(replace(first, preserve=("name",)))
    for stale in (first, replace(first, version=0), replace(first, version=9)):
        with pytest.raises(StoreConflictError):
            store.save_collection(stale)
    assert store.load_collections(DEFAULT_TENANT) == [second]

    store.delete_parent(Parent(Collection, OTHER, first.name), is_empty)
    assert store.load_collections(DEFAULT_TENANT) == [second]
    for _ in range(2):
        store.delete_parent(Parent(Collection, DEFAULT_TENANT, first.name), is_empty)
    assert store.load_collections(DEFAULT_TENANT) == []
    with pytest.raises(StoreConflictError):
        store.save_collection(second)
    assert store.save_collection(replace(second, version=0)).version == 1


def test_a_schema_that_is_not_json_is_refused(store: Store) -> None:
    """No store keeps a schema that the table could not."""
    with pytest.raises(TypeError):
        store.save_collection(a_collection(schema={"x": NOW}))
    assert store.load_collections(DEFAULT_TENANT) == []


def test_an_old_version_is_refused(store: Store) -> None:
    """A write over a newer version is a conflict, and nothing is lost."""
    first = store.save_unit(a_unit())
    second = store.save_unit(replace(first, name="second"))

    for stale in (first, replace(first, version=0), replace(first, version=9)):
        with pytest.raises(StoreConflictError):
            store.save_unit(stale)
    assert store.load_unit(DEFAULT_TENANT, first.id) == second


def test_a_version_of_what_is_not_there_is_refused(store: Store) -> None:
    """What was deleted meanwhile is not brought back by who still knows it."""
    with pytest.raises(StoreConflictError):
        store.save_property(a_property(version=3))


def test_what_is_deleted_is_gone(store: Store) -> None:
    """A deleted property or unit is unknown; deleting it again does nothing."""
    house, flat = store.save_property(a_property()), store.save_unit(a_unit())
    for _ in range(2):
        store.delete_parent(Parent(Property, DEFAULT_TENANT, house.id), is_empty)
        store.delete_parent(Parent(Unit, DEFAULT_TENANT, flat.id), is_empty)

    assert (store.load_properties(DEFAULT_TENANT), store.load_units(DEFAULT_TENANT)) == ([], [])
    with pytest.raises(UnknownIdError):
        store.load_unit(DEFAULT_TENANT, flat.id)


HOUSE, FLAT = Parent(Property, DEFAULT_TENANT, "prop_1"), Parent(Unit, DEFAULT_TENANT, "unit_1")
CLIENTS = Parent(Collection, DEFAULT_TENANT, "clients")


def save_parents(store: Store) -> None:
    """Save a property, a unit and a collection without content."""
    store.save_property(a_property(id=PropertyId(HOUSE.id)))
    store.save_unit(a_unit(id=UnitId(FLAT.id), property_id=PropertyId(HOUSE.id)))
    store.save_collection(a_collection(name=CollectionName(CLIENTS.id)))


def exists(store: Store, parent: Parent) -> bool:
    """Return whether a parent is stored."""
    t = parent.tenant
    stored = {*(p.id for p in store.load_properties(t)), *(u.id for u in store.load_units(t))}
    return parent.id in stored | {c.name for c in store.load_collections(t)}


def add_unit_within(store: Store, parent: Parent) -> None:
    store.save_unit(a_unit(id=UnitId("unit_2")), within=[parent, parent])


def add_source_within(store: Store, parent: Parent) -> None:
    source = a_source(id=SourceId("src_2"), shard_id=store.pick_shard(100))
    store.save_source(a_head(source), a_schedule(), within=[parent])


def add_record_within(store: Store, parent: Parent) -> None:
    record = a_record(id=RecordId("unit_1.hand"))
    store.apply_records([record], [a_change(record)], lease=None, within=[parent])


ADDERS = [add_unit_within, add_source_within, add_record_within]
PARENTS = [HOUSE, FLAT, CLIENTS]


def content(store: Store) -> tuple[int, int, int]:
    """Return how many units, sources and records the adders of these tests made."""
    t = DEFAULT_TENANT
    units, sources = [u.id for u in store.load_units(t)], [s.id for s in store.load_sources(t)]
    record = a_record(id=RecordId("unit_1.hand"))
    records = store.find_records(t, record.collection, [record.id])
    return units.count(UnitId("unit_2")), sources.count(SourceId("src_2")), len(records)


@pytest.mark.parametrize("parent", PARENTS)
@pytest.mark.parametrize("add", ADDERS)
def test_what_is_added_during_a_deletion_stops_it(store: Store, add: Callable[[Store, Parent], None], parent: Parent) -> None:
    """What is written within a parent after the check that it is empty makes the deletion fail, and stays."""
    save_parents(store)
    with pytest.raises(StoreConflictError):
        store.delete_parent(parent, lambda: add(store, parent))
    assert (exists(store, parent), sum(content(store))) == (True, 1)

    store.delete_parent(parent, is_empty)
    assert not exists(store, parent)


@pytest.mark.parametrize("parent", PARENTS)
@pytest.mark.parametrize("add", ADDERS)
def test_nothing_is_added_to_what_is_deleted(store: Store, add: Callable[[Store, Parent], None], parent: Parent) -> None:
    """What is written within a parent that was deleted meanwhile is refused, and nothing of it is written."""
    save_parents(store)
    store.delete_parent(parent, is_empty)
    with pytest.raises(UnknownIdError):
        add(store, parent)
    assert sum(content(store)) == 0


@pytest.mark.parametrize("add", ADDERS)
def test_what_is_added_during_a_change_stops_it(store: Store, add: Callable[[Store, Parent], None]) -> None:
    """A collection that may change only while nothing is within it: what is added after the check makes the change fail."""
    save_parents(store)
    (before,) = store.load_collections(DEFAULT_TENANT)
    with pytest.raises(StoreConflictError):
        store.save_collection(replace(before, buckets=8), check_empty=lambda: add(store, CLIENTS))
    assert (store.load_collections(DEFAULT_TENANT), sum(content(store))) == ([before], 1)

    assert store.save_collection(replace(before, buckets=8), check_empty=is_empty).version == before.version + 1
    with pytest.raises(StoreConflictError):
        store.save_collection(replace(before, buckets=4), check_empty=is_empty)


@pytest.mark.parametrize("add", ADDERS)
def test_nothing_is_added_to_what_has_changed_since(store: Store, add: Callable[[Store, Parent], None]) -> None:
    """What names the version of its parent is refused where that has another by now, and nothing of it is written."""
    save_parents(store)
    (before,) = store.load_collections(DEFAULT_TENANT)
    after = store.save_collection(replace(before, buckets=8))
    with pytest.raises(StoreConflictError):
        add(store, CLIENTS._replace(version=before.version))
    assert sum(content(store)) == 0

    add(store, CLIENTS._replace(version=after.version))
    with pytest.raises(StoreConflictError):
        store.delete_parent(CLIENTS, lambda: store.save_collection(after))
    assert sum(content(store)) == 1


def test_what_is_changed_or_not_empty_is_not_deleted(store: Store) -> None:
    """A change during the check, or a check that raises, leaves the unit there."""
    save_parents(store)
    add_record_within(store, FLAT)
    unit = store.load_unit(DEFAULT_TENANT, UnitId(FLAT.id))
    with pytest.raises(StoreConflictError):
        store.delete_parent(FLAT, lambda: store.save_unit(replace(unit, name="new")))
    with pytest.raises(ZeroDivisionError):
        store.delete_parent(FLAT, lambda: 1 // 0)
    assert store.load_unit(DEFAULT_TENANT, UnitId(FLAT.id)).name == "new"


def test_a_source_comes_back_whole(store: Store) -> None:
    """A source, its head and its line come back with every field."""
    head = a_head(
        FULL_SOURCE,
        unit_timezone=None,
        etag='W/"\u2028"',
        last_modified="x",
        content_hash="h",
        settle_at=NOW,
        snapshot_version=3,
        changed_at=NOW,
        synced_at=NOW + HOUR,
        failure=Failure(code="c", message="m"),
        hold=HoldNote(code="c", message="m", since=NOW, plan_hash="p"),
    )
    schedule = a_schedule(due_at=None, interval=timedelta(microseconds=1), attempted_at=NOW, succeeded_at=None, failures=4)
    saved = store.save_source(head, schedule)

    assert saved == replace(FULL_SOURCE, version=1)
    assert store.load_sources(DEFAULT_TENANT) == [saved] == [store.load_source(DEFAULT_TENANT, saved.id)]
    shard, heads = store.load_heads(saved.shard_id)
    assert heads == [replace(head, source=saved, version=1)] == [store.load_head(saved)]
    assert shard == Shard(id=saved.shard_id, schedules={saved.id: schedule})


@pytest.mark.parametrize(
    "schedule",
    [
        a_schedule(attempted_at=None, succeeded_at=None),
        a_schedule(succeeded_at=NOW - DAY),
        a_schedule(attempted_at=None),
        a_schedule(tenant=TenantId('"#,\u2028')),
    ],
)
def test_a_line_comes_back_whole(store: Store, schedule: SourceSchedule) -> None:
    """Every shape of a source's line comes back as it was."""
    source = store.save_source(a_head(a_source(tenant=schedule.tenant)), schedule)

    assert store.load_heads(source.shard_id)[0].schedules == {source.id: schedule}


def test_a_source_is_saved_by_its_version(store: Store) -> None:
    """Of two changes to a source the second is a conflict, and neither head nor schedule is half written."""
    first = add_source(store)
    second = store.save_source(a_head(replace(first, name="second")), a_schedule(due_at=NOW + DAY))

    with pytest.raises(StoreConflictError):
        store.save_source(a_head(replace(first, name="late"), etag="late"), a_schedule(due_at=NOW))
    assert store.load_head(second).source.name == "second"
    assert store.load_heads(first.shard_id)[0].schedules[first.id].due_at == NOW + DAY


def test_a_saved_head_goes_on_from_the_stored_one(store: Store) -> None:
    """Editing a source neither resets its fence nor takes its lease away."""
    source = add_source(store)
    lease = lease_of(store, source)
    edited = store.save_source(a_head(replace(source, name="edited"), fence=0, version=0), a_schedule())

    head = store.load_head(edited)
    assert (head.fence, head.version) == (lease.fence, 2)
    assert store.acquire_lease(edited, holder="other", now=NOW, until=NOW + HOUR) is None


def test_an_id_is_one_tenants(store: Store) -> None:
    """A source cannot be saved over another tenant's of the same id."""
    source = add_source(store)

    with pytest.raises(StoreConflictError):
        store.save_source(a_head(replace(source, tenant=OTHER, version=0)), a_schedule(tenant=OTHER))
    assert store.load_head(source).source == source
    assert store.load_sources(OTHER) == []


def test_a_new_source_lowers_its_shards_due_time(store: Store) -> None:
    """The shard is due with its earliest source, and a later one does not put it off."""
    shard = store.pick_shard(100)
    for due in (NOW + DAY, NOW + HOUR, NOW + 2 * DAY, None):
        store.save_source(a_head(a_source(shard_id=shard)), a_schedule(due_at=due))

    assert store.load_heads(shard)[0].next_due == NOW + HOUR


def test_shards_fill_up(store: Store) -> None:
    """A shard takes as many sources as the limit says, then there is a new one; one that has room is taken first."""
    shards = [add_source(store, limit=2).shard_id for _ in range(5)]

    assert [shards.count(shard) for shard in sorted(set(shards))] == [2, 2, 1]
    assert store.pick_shard(2) == shards[-1] == store.pick_shard(2)


def test_lanes_share_no_shard(store: Store) -> None:
    """A shard's id begins with its queue route, and a source of one route gets no place in another's."""
    sql, plain = store.pick_shard(5, "sql"), store.pick_shard(5)
    assert (sql.partition("_")[0], plain.partition("_")[0]) == ("sql", "shard")
    assert (store.pick_shard(5, "sql"), store.pick_shard(5)) == (sql, plain)


def test_saving_a_source_again_takes_no_second_place(store: Store) -> None:
    """A source counts once in its shard, however often it is saved."""
    source = add_source(store, limit=2)
    for _ in range(3):
        source = store.save_source(a_head(source), a_schedule())

    assert store.pick_shard(2) == source.shard_id


def test_options_come_back_by_tenant(store: Store) -> None:
    """Options come back with their types, and a tenant that set none has no entry."""
    values = {"a": 0, "b": False, "c": "", "d": "02:00", "e": [1, {"f": None}], "#.\u2028": "部屋"}
    for name, value in values.items():
        store.save_option(DEFAULT_TENANT, name, value)
    store.save_option(OTHER, "a", 1)
    store.save_option(OTHER, "a", None)

    tenants = [DEFAULT_TENANT, OTHER, *(TenantId(f"t{n}") for n in range(120))]
    assert store.load_options(tenants) == {DEFAULT_TENANT: values}
    assert store.load_options([]) == {}


def test_tenants_never_cross(store: Store) -> None:
    """Every id of a tenant is unknown to another, in every method."""
    source, house, flat = add_source(store), store.save_property(a_property()), store.save_unit(a_unit())
    record, run = add_record(store), add_run(store)
    asked = [
        lambda: store.load_property(OTHER, house.id),
        lambda: store.load_unit(OTHER, flat.id),
        lambda: store.load_source(OTHER, source.id),
        lambda: store.load_head(replace(source, tenant=OTHER)),
        lambda: store.acquire_lease(replace(source, tenant=OTHER), holder="x", now=NOW, until=NOW + HOUR),
        lambda: store.load_record(OTHER, record.collection, record.id),
        lambda: store.load_run(OTHER, run.run_id),
    ]

    for ask in asked:
        with pytest.raises(UnknownIdError):
            ask()
    assert list(store.load_records(OTHER, record.collection, record.scope)) == []
    assert store.load_changes(OTHER, record.id).items == () == store.load_runs(OTHER).items
    assert store.load_snapshot(replace(source, tenant=OTHER)).version == 0


def test_a_key_of_one_tenant_is_never_anothers(store: Store) -> None:
    """A tenant's id that looks like the keys of another tenant reaches nothing of it."""
    for tenant in ("a", "a#UNIT", "a#CATALOG", "a%23CATALOG", "a#"):
        store.save_unit(a_unit(id=UnitId("u"), tenant=TenantId(tenant), name=tenant))

    for tenant in ("a", "a#UNIT", "a#CATALOG", "a%23CATALOG", "a#"):
        assert [unit.name for unit in store.load_units(TenantId(tenant))] == [tenant]


def test_a_removed_tenant_leaves_nothing(store: Store) -> None:
    """Nothing of a removed tenant can be read any more, and its neighbour keeps all."""
    for tenant in (DEFAULT_TENANT, TenantId("default2")):
        fill_tenant(store, tenant)
    shard = store.load_sources(DEFAULT_TENANT)[0].shard_id
    for _ in range(2):
        store.remove_tenant(DEFAULT_TENANT)

    assert [tenant.id for tenant in store.load_tenants()] == ["default2"]
    assert count_rows(store, DEFAULT_TENANT) == [0] * 9
    assert count_rows(store, TenantId("default2")) == [1] * 9
    assert [head.source.tenant for head in store.load_heads(shard)[1]] == ["default2"]
    assert [schedule.tenant for schedule in store.load_heads(shard)[0].schedules.values()] == ["default2"]


def test_a_batch_in_hand_does_not_bring_a_removed_tenant_back(store: Store) -> None:
    """A batch that was claimed before its tenant was removed writes no line of it."""
    source = add_source(store)
    shard = store.claim_shard(store.load_shards([source.shard_id])[0], holder="a", now=NOW, until=NOW + HOUR)
    assert shard is not None
    store.remove_tenant(DEFAULT_TENANT)

    with pytest.raises(StoreConflictError):
        store.complete_batch(shard.id, fence=shard.fence, schedules={source.id: a_schedule()}, next_due=NOW, run=None)
    assert store.load_shards([shard.id])[0].schedules == {}


def fill_tenant(store: Store, tenant: TenantId) -> None:
    """Give *tenant* one of everything, in a shard that tenants share."""
    store.save_tenant(Tenant(id=tenant, name="x", created_at=NOW))
    source = store.save_source(a_head(a_source(id=SourceId(f"src_{tenant}"), tenant=tenant)), a_schedule(tenant=tenant))
    lease = lease_of(store, source)
    store.save_snapshot(replace(store.load_snapshot(source), content=b"x"), lease=lease)
    store.save_property(a_property(id=PropertyId("p"), tenant=tenant))
    store.save_unit(a_unit(id=UnitId("u"), tenant=tenant))
    store.save_collection(a_collection(tenant=tenant))
    store.save_option(tenant, "locale", "de")
    add_record(store, tenant=tenant, id=RecordId("unit_1.r"), lease=lease)
    add_run(store, tenant=tenant)


def count_rows(store: Store, tenant: TenantId) -> list[int]:
    """Return how much there is of each of a tenant's things."""
    source = a_source(id=SourceId(f"src_{tenant}"), tenant=tenant)
    return [
        len(store.load_sources(tenant)),
        len(store.load_properties(tenant)),
        len(store.load_units(tenant)),
        len(store.load_options([tenant])),
        len(store.load_records(tenant, source.collection, Scope("unit_1"))),
        len(store.load_changes(tenant, RecordId("unit_1.r")).items),
        len(store.load_runs(tenant).items),
        store.load_snapshot(source).version,
        len(store.load_collections(tenant)),
    ]


def test_a_shard_that_is_not_there_is_unknown(store: Store) -> None:
    """A shard that was never created is unknown."""
    with pytest.raises(UnknownIdError):
        store.load_heads(ShardId("shard_9"))
    with pytest.raises(UnknownIdError):
        store.save_source_schedule(ShardId("shard_9"), SourceId("s"), a_schedule())
