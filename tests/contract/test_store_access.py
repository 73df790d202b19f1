"""What every store does with tokens, and with pages under secret paths."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from bokit.core.model.access import Role, Token, TokenId, hash_token
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import TenantId
from bokit.errors import StoreConflictError, UnknownIdError
from bokit.store.protocols import PublishedDocument, Store
from bokit.values import replace
from tests.support.builders import DAY, HOUR, NAUGHTY_STRINGS, NOW, a_page, a_token
from tests.support.steps import OTHER


def a_large_page(seed: int, size: int = 900_000, **given: object) -> PublishedDocument:
    """Return a page that no single item holds."""
    return a_page(id="out", hash="5ec2e7", body=random.Random(seed).randbytes(size), **given)


def test_a_token_comes_back_whole(store: Store) -> None:
    """A token is found by its hash, by its id and in its tenant's list, with every field."""
    token = a_token(
        id=TokenId("a#b%"),
        tenant=TenantId("t#1"),
        role=Role.ADMIN,
        name="\ud800 部屋",
        created_at=NOW + timedelta(microseconds=1),
        expires_at=NOW + DAY,
        last_used_at=NOW + HOUR,
        revoked_at=NOW + 2 * HOUR,
    )
    store.save_token(token)

    assert store.find_token(token.hash) == token == store.load_token(token.tenant, token.id)
    assert store.load_tokens(token.tenant) == [token]


def test_tokens_come_oldest_first(store: Store) -> None:
    """A tenant's tokens come in the order in which they were made, revoked ones included."""
    late, early, middle = (a_token(created_at=NOW + n * HOUR) for n in (3, 1, 2))
    for token in (late, early, middle):
        store.save_token(token)
    revoked = store.revoke_token(DEFAULT_TENANT, middle.id, NOW)

    assert store.load_tokens(DEFAULT_TENANT) == [early, revoked, late]


def test_a_token_is_made_once(store: Store) -> None:
    """Neither a hash nor an id is given twice, and the second writes nothing of itself."""
    token = a_token()
    store.save_token(token)

    for other in (a_token(hash=token.hash), a_token(id=token.id, hash=hash_token("x")), a_token(hash=token.hash, tenant=OTHER)):
        with pytest.raises(StoreConflictError):
            store.save_token(other)
        if other.hash != token.hash:
            assert store.find_token(other.hash) is None
    assert store.load_tokens(DEFAULT_TENANT) == [token]
    assert store.load_tokens(OTHER) == []


def test_what_is_not_a_hash_finds_no_token(store: Store) -> None:
    """No text sent as a token or path finds anything, and no id is known that was not created."""
    store.save_token(a_token())
    for text in (*NAUGHTY_STRINGS, "\ud800"):
        assert store.find_token(text) is None
        assert store.find_published(text) is None
        with pytest.raises(UnknownIdError):
            store.load_token(DEFAULT_TENANT, TokenId(text))


def test_a_use_is_noted(store: Store) -> None:
    """The last use is noted where the token is looked for, and an older one never takes its place."""
    token = a_token()
    store.save_token(token)
    for at in (NOW + HOUR, NOW):
        store.touch_token(token, at)

    assert store.find_token(token.hash) == replace(token, last_used_at=NOW + HOUR)
    assert store.load_tokens(DEFAULT_TENANT) == [replace(token, last_used_at=NOW + HOUR)]


def test_a_revoked_token_stays_as_it_was_revoked(store: Store) -> None:
    """The first revocation stands, and no use is noted after it."""
    token = a_token()
    store.save_token(token)
    revoked = store.revoke_token(DEFAULT_TENANT, token.id, NOW)
    store.touch_token(token, NOW + HOUR)

    assert revoked == replace(token, revoked_at=NOW)
    assert store.revoke_token(DEFAULT_TENANT, token.id, NOW + DAY) == revoked == store.find_token(token.hash)


def test_a_renamed_token_keeps_all_else(store: Store) -> None:
    """A new name changes neither the last use nor the revocation."""
    token = a_token()
    store.save_token(token)
    store.touch_token(token, NOW)
    store.revoke_token(DEFAULT_TENANT, token.id, NOW + HOUR)
    renamed = store.rename_token(DEFAULT_TENANT, token.id, "\ud800")

    assert renamed == replace(token, name="\ud800", last_used_at=NOW, revoked_at=NOW + HOUR) == store.find_token(token.hash)


def test_a_touch_makes_no_token(store: Store) -> None:
    """Touching a deleted token does not restore it."""
    token = a_token()
    store.touch_token(token, NOW)

    assert store.find_token(token.hash) is None
    assert store.load_tokens(DEFAULT_TENANT) == []


def test_tokens_never_cross(store: Store) -> None:
    """Another tenant neither sees, loads, renames nor revokes a token."""
    token = a_token()
    store.save_token(token)
    for ask in (
        lambda: store.load_token(OTHER, token.id),
        lambda: store.revoke_token(OTHER, token.id, NOW),
        lambda: store.rename_token(OTHER, token.id, "mine"),
    ):
        with pytest.raises(UnknownIdError):
            ask()
    store.touch_token(replace(token, tenant=OTHER), NOW)

    assert store.load_tokens(OTHER) == []
    assert store.find_token(token.hash) == token


def test_a_use_and_a_revocation_at_once_lose_neither(shared_store: Store) -> None:
    """Requests that use a token while it is revoked and renamed never make it valid again, nor undo the name."""
    for _ in range(5):
        token = a_token()
        shared_store.save_token(token)
        gate = Barrier(8)

        def race(n: int, token: Token = token, gate: Barrier = gate) -> None:
            gate.wait(timeout=20)
            if n == 0:
                shared_store.revoke_token(DEFAULT_TENANT, token.id, NOW)
            elif n == 1:
                shared_store.rename_token(DEFAULT_TENANT, token.id, "new")
            else:
                shared_store.touch_token(token, NOW + n * HOUR)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(race, range(8)))
        found = shared_store.find_token(token.hash)
        assert (found.revoked_at, found.name) == (NOW, "new")
        assert found.last_used_at in {None, *(NOW + n * HOUR for n in range(2, 8))}


def test_one_hash_is_one_token_however_many_make_it(shared_store: Store) -> None:
    """Of eight who make a token of one hash one succeeds, and the others leave no line in any list."""
    token, gate = a_token(), Barrier(8)

    def race(n: int) -> bool:
        gate.wait(timeout=20)
        try:
            shared_store.save_token(replace(token, id=TokenId(f"tok_{n}")))
        except StoreConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(race, range(8))) == 1
    assert len(shared_store.load_tokens(DEFAULT_TENANT)) == 1


@pytest.mark.parametrize("size", [0, 1, 400_000, 1_200_000])
def test_a_page_comes_back_whole(store: Store, size: int) -> None:
    """A page comes back byte for byte, with every field, however large."""
    page = a_page(
        hash="#5",
        tenant=TenantId("t#1"),
        id="部屋",
        body=random.Random(size).randbytes(size),
        content_type="text/calendar; x",
        etag='W/"\u2028"',
        changed_at=NOW + timedelta(microseconds=1),
        expires_at=NOW + DAY,
    )
    store.save_published(page)

    assert store.find_published("#5") == page


def test_a_page_replaces_the_one_before(store: Store) -> None:
    """Large, small, large again: what is served is always the last."""
    for seed, size in enumerate((800_000, 10, 900_000, 800_000)):
        page = a_large_page(seed, size, expires_at=NOW + DAY if seed % 2 else None)
        store.save_published(page)

        assert store.find_published(page.hash) == page


def test_a_pages_last_read_is_kept_and_never_goes_back(store: Store) -> None:
    """Replacing the page keeps it, an earlier read is ignored, and a page that does not exist is not made."""
    page = a_page()
    store.touch_published(page.hash, NOW)
    assert store.find_published(page.hash) is None

    store.save_published(page)
    for at in (NOW, NOW + DAY, NOW):
        store.touch_published(page.hash, at)
    found = store.find_published(page.hash)
    assert found is not None
    store.save_published(replace(found, body=b"other"), only_if_unchanged=True)
    after = store.find_published(page.hash)

    assert after is not None
    assert (after.body, after.read_at) == (b"other", NOW + DAY)
    store.delete_published(page.hash)
    store.touch_published(page.hash, NOW)
    assert store.find_published(page.hash) is None


def test_a_pages_first_read_is_of_the_page_as_it_was_written_last(store: Store) -> None:
    """Later reads leave it, writing the page again ends it, and a read before the last one is none."""
    page = a_page(nights={"held": [["2026-07-01", "2026-07-05", "2026-06-01T00:00:00Z", None]], "left": []})
    store.save_published(page)
    for hours in (1, 3, 2):
        store.touch_published(page.hash, NOW + timedelta(hours=hours))
    found = store.find_published(page.hash)
    assert found is not None
    assert found.nights == page.nights
    assert (found.first_read_at, found.read_at) == (NOW + timedelta(hours=1), NOW + timedelta(hours=3))

    store.save_published(replace(found, body=b"other"), only_if_unchanged=True)
    again = store.find_published(page.hash)
    assert again is not None
    assert (again.first_read_at, again.read_at) == (None, NOW + timedelta(hours=3))
    store.touch_published(page.hash, NOW + timedelta(hours=4))
    last = store.find_published(page.hash)
    assert last is not None
    assert last.first_read_at == NOW + timedelta(hours=4)


def test_a_deleted_page_is_gone(store: Store) -> None:
    """What was deleted is not found; deleting it again does nothing, and it may be published again."""
    for page in (a_page(), a_large_page(1)):
        store.save_published(page)
        for _ in range(2):
            store.delete_published(page.hash)
        assert store.find_published(page.hash) is None
        store.save_published(page)
        assert store.find_published(page.hash) == page


def test_an_expired_page_is_reported_as_expired(store: Store) -> None:
    """A store hands out what it has, and the caller judges the time."""
    page = a_page(expires_at=NOW - DAY)
    store.save_published(page)

    assert store.find_published(page.hash) == page


def test_a_reader_has_one_page_whole(shared_store: Store) -> None:
    """A reader gets one of two large documents that are being written, whole; the last one stays."""
    pages = [a_large_page(seed, 700_000) for seed in range(2)]
    shared_store.save_published(pages[0])
    gate = Barrier(3)

    def write(page: PublishedDocument) -> None:
        gate.wait(timeout=20)
        for _ in range(3):
            shared_store.save_published(page)

    def read() -> list[PublishedDocument | None]:
        gate.wait(timeout=20)
        return [shared_store.find_published(pages[0].hash) for _ in range(6)]

    with ThreadPoolExecutor(3) as pool:
        reader = pool.submit(read)
        list(pool.map(write, pages))
    assert all(page in pages for page in reader.result())
    assert shared_store.find_published(pages[0].hash) in pages


def test_a_removed_tenants_tokens_and_pages_are_gone(store: Store) -> None:
    """Neither a token nor a page of a removed tenant is found, by whatever it was found before; its neighbour's are."""
    mine, theirs = a_token(), a_token(tenant=OTHER)
    pages = [a_page(), a_large_page(1)]
    other_page = a_page(tenant=OTHER)
    for token in (mine, theirs):
        store.save_token(token)
    for page in (*pages, other_page):
        store.save_published(page)
    store.remove_tenant(DEFAULT_TENANT)

    assert (store.find_token(mine.hash), store.load_tokens(DEFAULT_TENANT)) == (None, [])
    assert [store.find_published(page.hash) for page in pages] == [None, None]
    assert (store.find_token(theirs.hash), store.load_tokens(OTHER)) == (theirs, [theirs])
    assert store.find_published(other_page.hash) == other_page


def test_a_page_made_from_older_data_is_refused(store: Store) -> None:
    """A write on the version succeeds only over the document that was read; each write raises the version."""
    page = a_page()
    store.save_published(page, only_if_unchanged=True)
    (first,) = [p for p in [store.find_published(page.hash)] if p]
    newer = replace(first, body=b"newer", refresh_at=NOW + DAY)
    store.save_published(newer, only_if_unchanged=True)

    for late in (page, first):
        with pytest.raises(StoreConflictError):
            store.save_published(late, only_if_unchanged=True)
    assert store.find_published(page.hash) == newer
