"""Tokens: a token's text is shown once, and what a request may read depends on its token alone."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from bokit.core.model.access import Role, hash_token, is_token
from bokit.core.model.catalog import DEFAULT_TENANT, Tenant
from bokit.core.model.records import TenantId
from bokit.engine.base.clock import new_secret
from bokit.engine.catalog.access import TokenService, describe_token
from bokit.errors import InputError, StoreConflictError, StoreUnreachableError, UnknownIdError
from bokit.store.memory.store import MemoryStore
from tests.support.rows_app import START, CallCounter, ManualClock

BERTA = TenantId("berta")


class TokenApp:
    """The token service on a store that counts its calls."""

    def __init__(self) -> None:
        self.clock, self.store = ManualClock(), MemoryStore()
        self.store.save_tenant(Tenant(id=BERTA, name="Berta", created_at=START))
        self.counted = CallCounter(self.store)
        self.numbers = iter(range(1, 1000))
        self.tokens = TokenService(self.counted, self.clock, lambda prefix: f"{prefix}_{next(self.numbers):03d}", new_secret)

    def calls_of(self, header: str | None) -> list[str]:
        self.counted.calls.clear()
        self.tokens.authorize(header)
        return list(self.counted.calls)


@pytest.fixture
def app() -> TokenApp:
    return TokenApp()


def test_a_token_is_returned_once_and_stored_as_its_hash(app):
    """The returned text is accepted for the tenant, and is not in the store."""
    token, text = app.tokens.create(BERTA, Role.OPERATOR, "ci")

    principal = app.tokens.authorize(f"Bearer {text}")

    assert is_token(text)
    assert token.hash == hash_token(text)
    assert (principal.tenant, principal.role, principal.id) == (BERTA, Role.OPERATOR, token.id)
    assert text not in repr(app.store.load_tokens(BERTA))
    assert text not in repr(describe_token(token, START))
    assert token.hash not in repr(describe_token(token, START))


def test_no_two_tokens_are_alike(app):
    """Each has an id and a text of its own."""
    made = [app.tokens.create(DEFAULT_TENANT, Role.VIEWER) for _ in range(50)]

    assert len({text for _, text in made}) == len({token.id for token, _ in made}) == 50


def test_the_default_tenant_has_tokens_before_anything_is_declared(app):
    """The first thing that a new stack needs is a token; another tenant must be there."""
    assert app.tokens.create(DEFAULT_TENANT, Role.ADMIN)[0].tenant == DEFAULT_TENANT

    with pytest.raises(UnknownIdError, match="no such tenant"):
        app.tokens.create(TenantId("nobody"), Role.ADMIN)


def test_what_has_no_tokens_shape_costs_no_read(app):
    """Nothing is asked of the store for a header that no token of ours could be."""
    assert [app.calls_of(header) for header in (None, "", "Bearer x", "Basic YTpi", "Bearer bokit_short")] == [[]] * 5


def test_an_unknown_token_costs_one_read_and_no_write(app):
    """However often it comes."""
    header = f"Bearer bokit_{'A' * 43}"

    assert app.tokens.authorize(header) is None
    assert [app.calls_of(header) for _ in range(3)] == [["find_token"]] * 3


def test_an_expired_token_opens_nothing_and_writes_nothing(app):
    """Up to its last second it does; from then on it costs a read."""
    _, text = app.tokens.create(BERTA, Role.VIEWER, expires_in=timedelta(days=90))
    app.clock.move(days=90, seconds=-1)
    assert app.tokens.authorize(f"Bearer {text}")

    app.clock.move(seconds=1)

    assert app.tokens.authorize(f"Bearer {text}") is None
    assert app.calls_of(f"Bearer {text}") == ["find_token"]


def test_a_revoked_token_opens_nothing_from_then_on(app):
    """Revoking a second time keeps the first moment."""
    token, text = app.tokens.create(BERTA, Role.VIEWER)

    app.tokens.revoke(BERTA, token.id)
    app.clock.move(hours=1)

    assert app.tokens.authorize(f"Bearer {text}") is None
    assert app.calls_of(f"Bearer {text}") == ["find_token"]
    assert app.tokens.revoke(BERTA, token.id).revoked_at == START


def test_the_last_valid_admin_token_may_be_revoked(app):
    """The command line, which writes the table, can always make another."""
    token, _ = app.tokens.create(BERTA, Role.ADMIN)

    assert app.tokens.revoke(BERTA, token.id).revoked_at == START
    assert app.tokens.create(BERTA, Role.ADMIN)


def test_the_last_use_is_written_every_quarter_of_an_hour_at_most(app):
    """A token that is used every minute for an hour is written four times."""
    token, text = app.tokens.create(BERTA, Role.VIEWER)
    app.counted.calls.clear()

    for _ in range(60):
        assert app.tokens.authorize(f"Bearer {text}")
        app.clock.move(minutes=1)

    assert app.counted.calls.count("touch_token") == 4
    assert app.counted.calls.count("find_token") == 60
    assert app.store.load_token(BERTA, token.id).last_used_at == START + timedelta(minutes=45)


@pytest.mark.parametrize("error", [StoreConflictError("busy"), StoreUnreachableError("away"), RuntimeError("unforeseen")])
def test_a_last_use_that_cannot_be_written_refuses_nobody(app, monkeypatch, caplog, error):
    """The request passes, and the log says so without the token."""
    token, text = app.tokens.create(BERTA, Role.VIEWER)

    def fail(*_):
        raise error

    monkeypatch.setattr(app.store, "touch_token", fail)
    monkeypatch.setattr(logging.getLogger("bokit"), "propagate", True)
    caplog.set_level("WARNING", "bokit")

    assert app.tokens.authorize(f"Bearer {text}").id == token.id
    assert "could not be noted" in caplog.text
    assert text not in caplog.text


def test_a_read_that_fails_is_raised(app, monkeypatch):
    """A request is neither accepted nor denied if the table does not answer."""

    def fail(_):
        raise StoreUnreachableError("away")

    _, text = app.tokens.create(BERTA, Role.VIEWER)
    monkeypatch.setattr(app.store, "find_token", fail)

    with pytest.raises(StoreUnreachableError):
        app.tokens.authorize(f"Bearer {text}")


def test_tenants_see_their_own_tokens_alone(app):
    """Neither found, renamed nor revoked by another tenant; a list holds one's own, oldest first."""
    first, _ = app.tokens.create(BERTA, Role.VIEWER, "first")
    app.clock.move(minutes=1)
    second, _ = app.tokens.create(BERTA, Role.ADMIN, "second")
    app.tokens.create(DEFAULT_TENANT, Role.ADMIN)

    assert [t.id for t in app.tokens.list_tokens(BERTA)] == [first.id, second.id]
    tokens = app.tokens
    for act in (tokens.find, tokens.revoke, lambda t, token_id: tokens.rename(t, token_id, "x"), tokens.find_named):
        with pytest.raises(UnknownIdError):
            act(DEFAULT_TENANT, first.id)
    assert app.tokens.find(BERTA, first.id) == first


def test_a_renamed_token_opens_what_it_did(app):
    """Only the name is another."""
    token, text = app.tokens.create(BERTA, Role.OPERATOR, "old")

    renamed = app.tokens.rename(BERTA, token.id, "new")

    assert renamed.name == "new"
    assert app.tokens.find(BERTA, token.id) == renamed
    assert app.tokens.authorize(f"Bearer {text}").role is Role.OPERATOR
    assert app.tokens.rename(BERTA, token.id, "").name == ""


def test_a_name_finds_a_valid_token_an_id_any(app):
    """A revoked token leaves its name to the next; two valid ones of a name must be named by id."""
    old, _ = app.tokens.create(BERTA, Role.VIEWER, "ci")
    app.tokens.revoke(BERTA, old.id)
    new, _ = app.tokens.create(BERTA, Role.VIEWER, "ci")

    assert app.tokens.find_named(BERTA, "ci").id == new.id
    assert app.tokens.find_named(BERTA, old.id).id == old.id
    app.tokens.create(BERTA, Role.VIEWER, "ci")
    with pytest.raises(InputError, match="2 tokens have this name: ci; write the id"):
        app.tokens.find_named(BERTA, "ci")


def test_a_leaked_token_is_found_by_its_text(app):
    """By its own tenant; to another it is as unknown as any, and no error repeats it."""
    token, text = app.tokens.create(BERTA, Role.VIEWER)

    assert app.tokens.find_named(BERTA, text).id == token.id
    for tenant, word in ((DEFAULT_TENANT, text), (BERTA, f"bokit_{'A' * 43}")):
        with pytest.raises(UnknownIdError) as caught:
            app.tokens.find_named(tenant, word)
        assert word not in str(caught.value)


@pytest.mark.parametrize("name", ["a\nb", "x" * 201, "\x1b[31m", "   "])
def test_a_name_that_is_not_one_line_is_refused(app, name):
    """One clear error that names the field, and no token."""
    with pytest.raises(InputError) as caught:
        app.tokens.create(BERTA, Role.VIEWER, name)

    assert (caught.value.stable_code, caught.value.facts["field"]) == ("bad-field", "name")
    assert app.tokens.list_tokens(BERTA) == []


@pytest.mark.parametrize("span", [timedelta(0), timedelta(seconds=-1), timedelta(days=3661), timedelta.max])
def test_a_span_that_is_none_is_refused(app, span):
    """A token that is born expired, or outlives us all, is a slip of the pen."""
    with pytest.raises(InputError) as caught:
        app.tokens.create(BERTA, Role.VIEWER, expires_in=span)

    assert (caught.value.stable_code, caught.value.facts["field"]) == ("bad-field", "expires_in")


def test_a_tokens_state_is_one_word(app):
    """valid, expired or revoked; revoked outweighs expired."""
    token, _ = app.tokens.create(BERTA, Role.VIEWER, expires_in=timedelta(hours=1))
    later = START + timedelta(hours=2)
    revoked = app.tokens.revoke(BERTA, token.id)

    assert [describe_token(t, at)["state"] for t, at in ((token, START), (token, later), (revoked, later))] == [
        "valid",
        "expired",
        "revoked",
    ]


def test_a_removed_tenants_tokens_open_nothing(app):
    """They go with the tenant, and do not come back with another of its name."""
    _, text = app.tokens.create(BERTA, Role.ADMIN)

    app.store.remove_tenant(BERTA)

    assert app.tokens.authorize(f"Bearer {text}") is None
