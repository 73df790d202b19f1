"""``bokit token``: made and shown once, listed without what opens, revoked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bokit.core.model.access import Role
from tests.support.builders import NAUGHTY_STRINGS
from tests.support.rows_app import START
from tests.support.terminal import Terminal


@pytest.fixture
def terminal(capsys, tmp_path):
    return Terminal(capsys, tmp_path / ".bokit")


def opens(terminal, text):
    """Return who the HTTP API takes a token for."""
    return terminal.bokit.access.authorize(f"Bearer {text}")


def test_the_first_token_of_a_new_stack_is_made_before_anything_else(terminal):
    """The document has what the contract says, and the token has its role."""
    doc = terminal.json("token", "create", "--role", "operator")

    assert set(doc) == {"token", "id", "role", "expires_at"}
    assert (doc["role"], doc["expires_at"]) == ("operator", None)
    principal = opens(terminal, doc["token"])
    assert (principal.tenant, principal.role, principal.id) == ("default", Role.OPERATOR, doc["id"])


def test_a_token_is_a_viewers_by_default(terminal):
    """Without a role it reads, no more."""
    assert terminal.json("token", "create")["role"] == "viewer"


def test_people_read_that_it_is_shown_once(terminal):
    """The token stands on a line of its own, first; no other command ever shows it."""
    answer = terminal.run("token", "create", "--role", "admin", "--name", "back office", "--expires-in", "90d")
    text = answer.out.splitlines()[0]

    assert opens(terminal, text).role is Role.ADMIN
    assert "only time that it is shown" in answer.out
    assert "2026-08-30" in answer.out
    assert answer.out.splitlines()[-1].endswith(f" https://api.example/#token={text}")
    listed = terminal.run("token", "list").out + terminal.run("token", "list", "--json").out
    assert "back office" in listed
    assert text not in listed
    assert text.removeprefix("bokit_") not in repr(terminal.store.__dict__)


def test_a_list_shows_whose_they_are_and_when_they_were_used(terminal):
    """Oldest first, with state and last use."""
    first = terminal.json("token", "create", "--name", "ci", "--expires-in", "24h")
    terminal.clock.move(hours=1)
    second = terminal.json("token", "create", "--role", "admin")
    opens(terminal, first["token"])
    terminal.clock.move(hours=23)

    items = terminal.json("token", "list")["items"]

    assert [(i["id"], i["name"], i["role"], i["state"]) for i in items] == [
        (first["id"], "ci", "viewer", "expired"),
        (second["id"], "", "admin", "valid"),
    ]
    assert items[0]["last_used_at"] == "2026-06-01T13:00:00Z"
    assert items[0]["expires_at"] == first["expires_at"] == "2026-06-02T12:00:00Z"
    assert "hash" not in items[0]
    assert "23 h ago" in terminal.run("token", "list").out


def test_an_empty_list_says_how_to_make_one(terminal):
    """A new stack has no token."""
    assert terminal.json("token", "list")["items"] == []
    assert "bokit token create" in terminal.run("token", "list").out


@pytest.mark.parametrize("how", ["id", "name", "token"])
def test_a_revoked_token_opens_nothing(terminal, how):
    """A token is revoked by its id, its name, or its text, since a leaked token may be all that one has."""
    doc = terminal.json("token", "create", "--name", "leaked") | {"name": "leaked"}

    revoked = terminal.json("token", "revoke", doc[how])

    assert (revoked["id"], revoked["state"], revoked["revoked_at"]) == (doc["id"], "revoked", "2026-06-01T12:00:00Z")
    assert opens(terminal, doc["token"]) is None
    again = terminal.run("token", "revoke", doc["id"])
    assert again.code == 0
    assert "within a minute" in again.out


def test_tenants_have_tokens_of_their_own(terminal):
    """A tenant's list shows its own alone, and it revokes no other's."""
    terminal.json("tenant", "add", "Berta", "--id", "berta")
    mine, hers = terminal.json("token", "create"), terminal.json("token", "create", "--tenant", "berta")

    assert opens(terminal, hers["token"]).tenant == "berta"
    assert [i["id"] for i in terminal.json("token", "list", "--tenant", "berta")["items"]] == [hers["id"]]
    for word in (mine["id"], mine["token"]):
        answer = terminal.run("token", "revoke", word, "--tenant", "berta")
        assert answer.code == 2
        assert mine["token"] not in answer.err
    assert opens(terminal, mine["token"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("create", "--role", "owner"), "viewer, operator, admin"),
        (("create", "--expires-in", "soon"), "not a duration"),
        (("create", "--expires-in", "0"), "must be at least"),
        (("create", "--expires-in", "-1d"), "not a duration"),
        (("create", "--expires-in", "9999d"), "at most 316224000 s (3660 days)"),
        (("create", "--name", "a\nb"), "not a name"),
        (("create", "--tenant", "nobody"), "no tenant is called 'nobody'"),
        (("revoke", "tok_nothing"), "no token is called 'tok_nothing'"),
        (("revoke", "bokit_" + "A" * 43), "no such token"),
        (("revoke",), "missing argument"),
    ],
)
def test_bad_input_is_one_clear_line(terminal, arguments, message):
    """Exit code 2, one line, and no token is made."""
    answer = terminal.run("token", *arguments)

    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert len(answer.err.splitlines()) == 1
    assert terminal.json("token", "list")["items"] == []


@pytest.mark.parametrize("word", NAUGHTY_STRINGS)
def test_no_word_breaks_revoke(terminal, word):
    """Whatever is written there, it is either refused in a line or finds nothing."""
    terminal.json("token", "create")

    assert terminal.run("token", "revoke", "--", word).code == 2
    assert terminal.json("token", "list")["items"][0]["state"] == "valid"


def test_an_expiring_token_lasts_as_long_as_requested(terminal):
    """To the second."""
    doc = terminal.json("token", "create", "--expires-in", "15m")
    terminal.clock.at = START + timedelta(minutes=15, seconds=-1)
    assert opens(terminal, doc["token"])

    terminal.clock.move(seconds=1)

    assert opens(terminal, doc["token"]) is None
