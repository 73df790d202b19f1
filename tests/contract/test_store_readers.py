"""What every store does with the readers of outgoing calendars."""

from __future__ import annotations

from datetime import timedelta

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.events import EventType, NewEvent, OutboxItem, fill_outbox
from bokit.core.model.readers import Reader, Readers, UnreadCalendar, next_check
from bokit.core.model.records import TenantId
from bokit.store.protocols import PublishedDocument, ReadersChange, Store
from bokit.values import replace
from tests.support.builders import DAY, HOUR, NOW, a_page
from tests.support.steps import OTHER

AIRBNB = Reader(kind="airbnb", read_at=NOW, gaps=(10_800, 10_800, 10_801))
GOOGLE = Reader(kind="google", read_at=NOW + HOUR, reported_at=NOW + DAY)
MISSED_AT = NOW + timedelta(seconds=3 * 10_801)


def stored_page(store: Store, readers: Readers = (), **given: object) -> PublishedDocument:
    """Return a page that is stored, with these readers."""
    page = a_page(readers=readers, **given)
    store.save_published(page)
    return page


def readers_of(store: Store, page: PublishedDocument) -> Readers:
    found = store.find_published(page.hash)
    assert found is not None
    return found.readers


def change(before: Readers, after: Readers) -> ReadersChange:
    return ReadersChange(before=before, after=after, due_at=next_check(after))


def unread(page: PublishedDocument, *readers: Reader) -> UnreadCalendar:
    return UnreadCalendar(tenant=page.tenant, id=page.id, unit_id="unit_1", readers=readers)


def an_item(name: str) -> OutboxItem:
    (item,) = fill_outbox(DEFAULT_TENANT, NOW, [NewEvent(type=EventType.CALENDAR_UNREAD, data={"id": name})])
    return item


def waiting(store: Store) -> list[str]:
    return [str(i.events[0].data["id"]) for number in range(16) for i in store.load_outbox(number)]


def test_readers_are_written_with_the_read(store: Store) -> None:
    """In one write, whole, and only where they are as they were read; another page's stay as they are."""
    page, other = stored_page(store), stored_page(store)

    assert store.touch_published(page.hash, NOW, change((), (AIRBNB, GOOGLE))) is True
    assert store.touch_published(page.hash, NOW + HOUR, change((), (GOOGLE,))) is False

    found = store.find_published(page.hash)
    assert found is not None
    assert (found.readers, found.read_at, found.first_read_at) == ((AIRBNB, GOOGLE), NOW, NOW)
    assert readers_of(store, other) == ()
    assert store.touch_published("nowhere", NOW, change((), (AIRBNB,))) is False


def test_a_page_that_is_written_again_keeps_its_readers(store: Store) -> None:
    """And when they are to be looked at; a page that is deleted is looked at no more."""
    page = stored_page(store)
    store.touch_published(page.hash, NOW, change((), (AIRBNB,)))
    found = store.find_published(page.hash)
    assert found is not None
    store.save_published(replace(found, body=b"other", readers=()), only_if_unchanged=True)

    assert readers_of(store, page) == (AIRBNB,)
    assert store.load_due_readers(MISSED_AT, 9) == [page.hash]

    store.delete_published(page.hash)
    assert store.load_due_readers(MISSED_AT, 9) == []


def test_a_first_page_may_bring_readers(store: Store) -> None:
    """Those of the path before a rotation, with the time at which they are missed."""
    page = stored_page(store, (AIRBNB,))

    assert readers_of(store, page) == (AIRBNB,)
    assert store.load_due_readers(MISSED_AT, 9) == [page.hash]


def test_due_pages_come_in_their_order(store: Store) -> None:
    """The earliest first, at most so many, and none before its time."""
    pages = {hours: stored_page(store, (replace(AIRBNB, read_at=NOW + hours * HOUR),)) for hours in (2, 0, 1)}
    stored_page(store, (replace(AIRBNB, kind="browser"),))

    assert store.load_due_readers(MISSED_AT - timedelta(seconds=1), 9) == []
    assert store.load_due_readers(MISSED_AT + HOUR, 9) == [pages[0].hash, pages[1].hash]
    assert store.load_due_readers(MISSED_AT + DAY, 2) == [pages[0].hash, pages[1].hash]


def test_what_is_missed_is_stored_once_with_its_event(store: Store) -> None:
    """Readers, status and event in one write, or nothing of it; then the page is due no more."""
    page, missed = stored_page(store, (AIRBNB,)), replace(AIRBNB, reported_at=MISSED_AT)

    saved = [store.save_readers(page.hash, change((AIRBNB,), (missed,)), unread(page, missed), an_item(n)) for n in "ab"]

    assert saved == [True, False]
    assert (readers_of(store, page), waiting(store)) == ((missed,), ["a"])
    assert store.load_unread(DEFAULT_TENANT) == [unread(page, missed)]
    assert store.load_unread(OTHER) == []
    assert store.load_due_readers(NOW + 99 * DAY, 9) == []


def test_a_calendar_that_is_read_again_leaves_the_status(store: Store) -> None:
    """Without readers it is deleted; so it is by itself, and with its tenant."""
    missed = replace(AIRBNB, reported_at=MISSED_AT)
    pages = [stored_page(store, (AIRBNB,)) for _ in range(2)] + [stored_page(store, (AIRBNB,), tenant=OTHER)]
    for page in pages:
        assert store.save_readers(page.hash, change((AIRBNB,), (missed,)), unread(page, missed))
    assert len(store.load_unread(DEFAULT_TENANT)) == 2

    store.save_readers(pages[0].hash, change((missed,), (AIRBNB,)), unread(pages[0]))
    assert [calendar.id for calendar in store.load_unread(DEFAULT_TENANT)] == [pages[1].id]
    for _ in range(2):
        store.delete_unread(DEFAULT_TENANT, pages[1].id)
    assert store.load_unread(DEFAULT_TENANT) == []
    assert len(store.load_unread(OTHER)) == 1


def test_a_removed_tenant_has_no_readers(store: Store) -> None:
    """Neither in the status nor among what is due."""
    mine = TenantId("gone")
    page, missed = stored_page(store, (AIRBNB,), tenant=mine), replace(AIRBNB, reported_at=MISSED_AT)
    stored_page(store, (AIRBNB,), tenant=mine)
    store.save_readers(page.hash, change((AIRBNB,), (missed,)), unread(page, missed))
    store.remove_tenant(mine)

    assert store.load_unread(mine) == []
    assert store.load_due_readers(NOW + 99 * DAY, 9) == []
