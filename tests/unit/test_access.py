"""Tokens and roles, as values: what has a token's shape, what a role may, what is valid when."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bokit.core.model.access import PREFIX, Principal, Role, hash_token, is_token, read_bearer, read_role
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.engine.base.clock import new_secret
from bokit.errors import InputError
from tests.support.builders import NAUGHTY_STRINGS, NOW, a_token

TEXT = PREFIX + "aB3_-" * 8 + "xyz"


def test_each_role_may_all_that_the_one_before_it_may():
    """viewer < operator < admin, each itself included."""
    for lower, higher in pairwise(Role):
        assert higher.may(lower)
        assert not lower.may(higher)
    assert all(role.may(role) for role in Role)


def test_a_new_secret_makes_a_token_of_the_right_shape():
    """What is made is read back, with 256 bits of chance in it."""
    text = PREFIX + new_secret()

    assert is_token(text)
    assert read_bearer(f"Bearer {text}") == text
    assert len({new_secret() for _ in range(100)}) == 100


@pytest.mark.parametrize("header", [f"Bearer {TEXT}", f"bearer {TEXT}", f"BEARER   {TEXT}", f"  Bearer {TEXT}  "])
def test_the_scheme_is_read_in_any_case(header):
    """RFC 9110: the scheme's case does not matter, nor do spaces around the token."""
    assert read_bearer(header) == TEXT


@pytest.mark.parametrize(
    "header",
    [
        None,
        TEXT,
        f"Basic {TEXT}",
        f"Bearer{TEXT}",
        f"Bearer {TEXT}x",
        f"Bearer {TEXT[:-1]}",
        f"Bearer {TEXT} {TEXT}",
        f"Bearer {TEXT}, Bearer {TEXT}",
        f"Bearer {TEXT.upper()}",
        f"Bearer {TEXT[:-1]}é",
        f"Bearer {TEXT}\n\n{TEXT}",
        "Bearer",
        "Bearer ",
        *NAUGHTY_STRINGS,
        *(f"Bearer {s}" for s in NAUGHTY_STRINGS),
    ],
)
def test_a_header_without_the_shape_of_a_token_has_none(header):
    """Such a header costs no read at all."""
    assert read_bearer(header) is None


@given(header=st.text())
def test_no_header_breaks_the_reader(header):
    """Whatever stands there, the answer is a token or nothing."""
    read = read_bearer(header)

    assert read is None or is_token(read)


def test_the_hash_does_not_contain_the_token():
    """What is stored is a SHA-256, the same for the same token and for no other."""
    assert hash_token(TEXT) == hash_token(TEXT)
    assert len(hash_token(TEXT)) == 64
    assert hash_token(TEXT) != hash_token(TEXT[:-1] + "w")
    assert TEXT[len(PREFIX) :] not in hash_token(TEXT)


def test_a_token_is_valid_until_it_expires_or_is_revoked():
    """The moment of expiry itself is out; without one it never expires."""
    later = NOW + timedelta(days=90)

    assert a_token().is_valid(NOW + timedelta(days=9999))
    assert a_token(expires_at=later).is_valid(later - timedelta(seconds=1))
    assert not a_token(expires_at=later).is_valid(later)
    assert not a_token(revoked_at=NOW).is_valid(NOW)


def test_the_last_use_is_worth_a_write_every_quarter_of_an_hour():
    """The first use always is."""
    assert a_token().wants_touch(NOW)
    assert not a_token(last_used_at=NOW).wants_touch(NOW + timedelta(minutes=14, seconds=59))
    assert a_token(last_used_at=NOW).wants_touch(NOW + timedelta(minutes=15))


def test_a_change_log_names_the_token_that_changed():
    """By its id, never by its text."""
    assert Principal(tenant=DEFAULT_TENANT, role=Role.ADMIN, id="tok_1").by == "token:tok_1"


@pytest.mark.parametrize(("word", "role"), [("viewer", Role.VIEWER), (" Admin ", Role.ADMIN), ("OPERATOR", Role.OPERATOR)])
def test_a_role_is_read_in_any_case(word, role):
    """As a person writes it."""
    assert read_role(word) is role


@pytest.mark.parametrize("word", ["owner", "", "admin,viewer", "0"])
def test_another_role_is_refused_with_the_roles_there_are(word):
    """The error names all three."""
    with pytest.raises(InputError, match="viewer, operator, admin") as caught:
        read_role(word)

    assert caught.value.stable_code == "bad-field"
