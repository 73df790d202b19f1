"""Reading alone is what a source's account may do, and all that is sent."""

from __future__ import annotations

from collections.abc import Iterator
from shutil import which
from typing import Any

import pytest

from bokit.core.tables.chunks import KeyRange
from bokit.errors import BokitError, SourceMalformedError, SourceRefusedError, SourceUnavailableError
from bokit.sources.sql.grants import can_write
from tests.support.servers import PASSWORD, needs_mariadb, needs_postgres, run_mariadb, run_postgres
from tests.support.sql_places import DATABASES, Place, make_place

TABLE = {"table": "clients", "key": ["id"]}
SERVERS = DATABASES[1:]


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Place]:
    """A database of each kind with a table of two clients, which the reader may not read yet."""
    with make_place(request.param, request, tmp_path) as made:
        made.run(
            "CREATE TABLE clients (id INTEGER PRIMARY KEY, name VARCHAR(40))", "INSERT INTO clients VALUES (1, 'a'), (2, 'b')"
        )
        made.run("CREATE TABLE other (id INTEGER PRIMARY KEY)")
        yield made


def whom(place: Place) -> str:
    """Return the reader as GRANT names it."""
    return f"'{place.user}'@'%'" if place.family == "mysql" else place.user


WRITING = {
    "insert": "GRANT INSERT ON clients TO {user}",
    "update of a column": "GRANT UPDATE (name) ON clients TO {user}",
    "another table": "GRANT DELETE ON other TO {user}",
    "all": "GRANT ALL PRIVILEGES ON clients TO {user}",
}


@pytest.mark.parametrize("place", SERVERS, indirect=True)
@pytest.mark.parametrize("grant", WRITING.values(), ids=WRITING)
def test_an_account_that_can_write_is_refused(place: Place, grant: str) -> None:
    """One privilege to write, on whatever table or column, and nothing is read; unless the operator says so."""
    place.grant("clients")
    assert len(place.read(TABLE)) == 2
    place.run(grant.format(user=whom(place)))
    with pytest.raises(SourceRefusedError) as refused:
        place.read(TABLE)
    assert refused.value.stable_code == "writable-account"
    assert len(place.read(TABLE, allow_writable_account=True)) == 2


@pytest.mark.parametrize("place", SERVERS, indirect=True)
def test_a_role_that_could_be_taken_counts(place: Place) -> None:
    """A role that may write counts, whether it is taken or not."""
    role = f"{place.user}_role"
    place.grant("clients")
    place.run(f"CREATE ROLE {role}", f"GRANT {role} TO {whom(place)}")
    assert len(place.read(TABLE)) == 2
    place.run(f"GRANT INSERT ON other TO {role}")
    if place.family == "postgresql":
        place.run(f"ALTER ROLE {place.user} NOINHERIT")
    try:
        with pytest.raises(SourceRefusedError, match="this account can write"):
            place.read(TABLE)
    finally:
        place.run(*([f"DROP OWNED BY {role}"] if place.family == "postgresql" else []), f"DROP ROLE {role}")


@pytest.mark.parametrize("place", SERVERS, indirect=True)
def test_administrators_and_owners_are_refused(place: Place) -> None:
    """Neither the administrator nor a table's owner reads for us."""
    with pytest.raises(SourceRefusedError, match="this account can write"):
        place.read(TABLE, url=place.admin_url)
    place.grant("clients")
    own = {
        "postgresql": [
            f"GRANT CREATE ON SCHEMA public TO {place.user}",
            f"ALTER TABLE other OWNER TO {place.user}",
            f"REVOKE CREATE ON SCHEMA public FROM {place.user}",
        ],
        "mysql": [f"GRANT CREATE ON `{place.database}`.* TO {whom(place)}"],
    }
    place.run(*own[place.family])
    with pytest.raises(SourceRefusedError, match="this account can write"):
        place.read(TABLE)


@pytest.mark.parametrize("place", SERVERS, indirect=True)
def test_the_advice_is_sql_that_works(place: Place) -> None:
    """What the refusal prints makes an account that reads these tables, and passes."""
    with pytest.raises(SourceRefusedError) as refused:
        place.read(TABLE, url=place.admin_url)
    name = f"{place.user}_advised"
    statements = refused.value.message.split("\n")[1:]
    assert "CREATE" in statements[0]
    assert "clients" in " ".join(statements)
    made = [s.replace("bokit_reader", name).replace("<a long password>", PASSWORD) for s in statements]
    place.run(*made)
    try:
        assert place.server is not None
        assert len(place.read(TABLE, url=place.server.url(name, place.database))) == 2
    finally:
        drop = {"mysql": [f"DROP USER '{name}'@'%'"], "postgresql": [f"DROP OWNED BY {name}", f"DROP ROLE {name}"]}
        place.run(*drop[place.family])


GRANTS = {
    "GRANT USAGE ON *.* TO `r`@`%` IDENTIFIED BY PASSWORD '*AB ON CD'": False,
    "GRANT SELECT, SHOW VIEW, LOCK TABLES, PROCESS ON *.* TO `r`@`%`": False,
    "GRANT SELECT, PROCESS, BINLOG MONITOR, REPLICATION SLAVE, SLAVE MONITOR ON *.* TO `r`@`%`": False,
    "GRANT SELECT, PROCESS, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `r`@`%`": False,
    "GRANT REPLICATION_SLAVE_ADMIN ON *.* TO `r`@`%`": True,
    "GRANT SELECT (`id`, `insert`) ON `b`.`t` TO `r`@`%`": False,
    "GRANT `reader` TO `r`@`%`": False,
    "GRANT `a`@`%`,`b`@`%` TO `r`@`%`": False,
    "SET DEFAULT ROLE `reader` FOR `r`@`%`": False,
    "GRANT SELECT ON `b`.* TO `r`@`%` WITH GRANT OPTION": True,
    "GRANT ALL PRIVILEGES ON *.* TO `r`@`%`": True,
    "GRANT SELECT, INSERT (name) ON `b`.`t` TO `r`@`%`": True,
    "GRANT EXECUTE ON PROCEDURE `b`.`p` TO `r`@`%`": True,
    "GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION": True,
    "GRANT FILE ON *.* TO `r`@`%`": True,
    "GRANT BACKUP_ADMIN,SYSTEM_VARIABLES_ADMIN ON *.* TO `r`@`%`": True,
    "GRANT SOMETHING NEW ON *.* TO `r`@`%`": True,
    "an answer that nobody foresaw": True,
}


@pytest.mark.parametrize(("grant", "writes"), GRANTS.items())
def test_grants_are_read_with_suspicion(grant: str, writes: bool) -> None:
    """What is not known to be harmless counts as writing."""
    assert can_write(grant) is writes


def test_the_transaction_itself_writes_nothing(place: Place) -> None:
    """Even where the account could write, and a line of ours were wrong, the database refuses to."""
    url = place.url if place.family == "sqlite" else place.admin_url
    with place.open(TABLE, url=url, allow_writable_account=True) as (opened, _):
        connection = opened._connection
        for statement in ("INSERT INTO clients VALUES (3, 'c')", "DELETE FROM clients", "UPDATE clients SET name = 'x'"):
            with pytest.raises(Exception, match=r"(?i)read.?only"):
                connection.exec_driver_sql(statement)
            if place.family == "postgresql":
                connection.exec_driver_sql("ROLLBACK")
                connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    assert len(place.read(TABLE, url=url, allow_writable_account=True)) == 2


@needs_mariadb
@pytest.mark.parametrize("place", [DATABASES[1]], indirect=True)
def test_the_servers_own_log_shows_selects_alone(place: Place) -> None:
    """All that a reading sends is SELECT, beside SET, SHOW, START TRANSACTION and ROLLBACK."""
    place.grant("clients")
    assert place.server is not None
    before = len(place.server.statements())
    with place.open({**TABLE, "where": "id > 0"}) as (opened, settings):
        opened.check_table(settings.tables[0])
        assert len(list(opened.fetch_rows(settings.tables[0], KeyRange(after=(0,), until=(9,))))) == 2
        assert opened.fetch_existing_keys(settings.tables[0], [(1,)]) == {(1,)}
    sent = place.server.statements()[before:]
    assert {s.split()[0] for s in sent} == {"SELECT", "SET", "SHOW", "START", "ROLLBACK"}
    assert sum(s.startswith("SELECT") for s in sent) >= 5


# ── bad input: one clear error ──


def code_of(place: Place, table: dict[str, Any] | None = None, **given: Any) -> str:
    """Return the code of the error that reading *table* ends with."""
    with pytest.raises(BokitError) as raised:
        place.read({**TABLE, **(table or {})}, **given)
    return raised.value.stable_code


@pytest.mark.parametrize("place", SERVERS, indirect=True)
def test_wrong_credentials_are_reported(place: Place) -> None:
    """A wrong password, user or database, and a table that was not granted, each have their own error."""
    place.grant("clients")
    assert place.server is not None
    assert code_of(place, url=place.server.url(place.user, place.database, "wrong")) == "sql-credentials"
    assert code_of(place, url=place.server.url("nobody", place.database)) == "sql-credentials"
    assert code_of(place, url=place.server.url(place.user, "no_such_database")) == "sql-credentials"
    assert code_of(place, {"table": "other"}) in ("sql-denied", "missing-table")


@pytest.mark.parametrize("place", SERVERS, indirect=True)
def test_a_database_that_does_not_answer_is_tried_again(place: Place) -> None:
    """A refused connection is an error that is retried."""
    assert place.server is not None
    url = place.url.replace(f":{place.server.port}/", ":1/")
    with pytest.raises(SourceUnavailableError, match="does not answer"):
        place.read(TABLE, url=url)


@pytest.mark.parametrize("place", SERVERS, indirect=True)
def test_what_tls_is_wanted_is_had_or_nothing_is_read(place: Place) -> None:
    """A database without TLS is read unless TLS is required, and refused if it is."""
    place.grant("clients")
    for mode in ("disable", "prefer"):
        assert len(place.read(TABLE, url=f"{place.url}?sslmode={mode}")) == 2
    for mode in ("require", "verify-full"):
        with pytest.raises(SourceRefusedError, match="offers no TLS"):
            place.read(TABLE, url=f"{place.url}?sslmode={mode}")


@pytest.mark.skipif(not which("openssl"), reason="not run: openssl is not installed")
@pytest.mark.parametrize(
    "run", [pytest.param(run_mariadb, marks=needs_mariadb), pytest.param(run_postgres, marks=needs_postgres)]
)
def test_a_certificate_is_checked_where_that_is_asked_for(run: Any) -> None:
    """With `verify-full` another certificate is refused, and the configured one is accepted; otherwise it is not checked."""
    with run(tls=True) as server:
        database = "test" if server.family == "mysql" else "postgres"
        if server.family == "mysql":
            server.run("CREATE DATABASE test")
        server.run("CREATE TABLE clients (id INTEGER PRIMARY KEY)", "INSERT INTO clients VALUES (1)", database=database)
        who = "'reader'@'%'" if server.family == "mysql" else "reader"
        word = "IDENTIFIED BY" if server.family == "mysql" else "LOGIN PASSWORD"
        kind = "USER" if server.family == "mysql" else "ROLE"
        server.run(f"CREATE {kind} {who} {word} '{PASSWORD}'", f"GRANT SELECT ON clients TO {who}", database=database)
        url, cert = server.url("reader", database), server.folder / "cert.pem"
        place = Place(server.family, database, url, url, server, "reader")
        for mode in ("disable", "prefer", "require", f"verify-full&sslrootcert={cert}"):
            assert len(place.read(TABLE, url=f"{url}?sslmode={mode}")) == 1
        with place.open(TABLE, url=f"{url}?sslmode=prefer") as (opened, _):
            assert is_encrypted(opened._connection, server.family)
        with pytest.raises(SourceRefusedError, match="certificate is not trusted") as refused:
            place.read(TABLE, url=f"{url}?sslmode=verify-full")
        assert refused.value.stable_code == "tls"


def is_encrypted(connection: Any, family: str) -> bool:
    """Ask the server whether the connection is encrypted."""
    if family == "mysql":
        return bool(connection.exec_driver_sql("SHOW STATUS LIKE 'Ssl_cipher'").first()[1])
    return bool(connection.exec_driver_sql("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").scalar())


@pytest.mark.parametrize("place", SERVERS, indirect=True)
def test_a_statement_that_takes_too_long_is_ended(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server itself ends what takes longer than our limit, and the source is tried again."""
    place.grant("clients")
    monkeypatch.setattr("bokit.sources.sql.connect.STATEMENT_SECONDS", 1)
    pause = {"mysql": "SLEEP(3) = 0", "postgresql": "pg_sleep(3) IS NOT NULL"}[place.family]
    with pytest.raises(SourceUnavailableError, match="took too long") as raised:
        place.read({**TABLE, "where": pause})
    assert raised.value.stable_code == "sql-timeout"


@pytest.mark.parametrize("place", SERVERS, indirect=True)
def test_a_connection_that_breaks_is_tried_again(place: Place) -> None:
    """A server that ends the connection during a read is an error that is retried."""
    place.grant("clients")
    assert place.server is not None
    kill = {
        "mysql": ["SELECT CONCAT('KILL ', id) FROM information_schema.processlist WHERE user = '{user}'"],
        "postgresql": ["SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}'"],
    }[place.family]
    with place.open(TABLE) as (opened, settings):
        opened.check_table(settings.tables[0])
        rows = place.server.ask(*[k.format(user=place.user) for k in kill], database=place.database)
        assert len(rows) == 1
        if place.family == "mysql":
            place.server.run(str(rows[0][0]))
        with pytest.raises(SourceUnavailableError, match="does not answer"):
            list(opened.fetch_rows(settings.tables[0], KeyRange()))


def test_what_a_table_lacks_is_named(place: Place) -> None:
    """A missing table or column is named, with the columns that there are."""
    place.grant("clients")
    assert code_of(place, {"table": "no_such_table"}) == "missing-table"
    for wrong in ({"key": ["nr"]}, {"fields": {"name": "nr"}}, {"updated_at": "nr"}):
        with pytest.raises(SourceMalformedError, match="table 'clients': no column 'nr'; it has id, name") as raised:
            place.read({**TABLE, **wrong})
        assert raised.value.stable_code == "missing-column"


def test_a_key_that_two_rows_share_is_refused(place: Place) -> None:
    """Where the database does not see to it, it is asked whether the key is one; a row whose key is NULL is reported."""
    place.run(
        "INSERT INTO clients VALUES (3, 'b')",
        "CREATE TABLE n (a INTEGER, b INTEGER)",
        "INSERT INTO n VALUES (1, NULL), (NULL, NULL)",
    )
    place.grant("clients")
    place.grant("n")
    assert code_of(place, {"key": ["name"]}) == "duplicate-key"
    assert len(place.read({**TABLE, "key": ["name", "id"]})) == 3
    assert len(place.read({**TABLE, "key": ["name"], "where": "id < 3"})) == 2
    kept, refused = place.read({"table": "n", "key": ["a", "b"]})
    assert (kept.key, refused.is_usable, refused.problems[0].code) == ("[1,null]", False, "null-key")


def test_a_condition_that_is_not_sql_is_reported(place: Place) -> None:
    """A condition that the database does not understand is one error, before a row is read."""
    place.grant("clients")
    assert code_of(place, {"where": "id >"}) == "bad-where"
    assert code_of(place, {"where": "nr = 1"}) == "missing-column"


@pytest.mark.parametrize("place", SERVERS, indirect=True)
def test_a_column_that_cannot_be_a_key_or_a_time_is_refused(place: Place) -> None:
    """Floating point and JSON cannot be keys: their equality is not exact. Text is not a time."""
    place.run("CREATE TABLE f (id DOUBLE PRECISION NOT NULL, at VARCHAR(20), no INTEGER PRIMARY KEY)")
    place.grant("f")
    assert code_of(place, {"table": "f"}) == "bad-key"
    assert code_of(place, {"table": "f", "key": "no", "updated_at": "at"}) == "bad-updated-at"


def test_no_error_shows_the_password(place: Place) -> None:
    """Neither the message nor the facts of any error hold the URL's secrets."""
    secret = "s3ntinel-pw"
    messages: list[str] = []
    urls = [
        "mysql://u:{}@127.0.0.1:1/b",
        "postgresql://u:{}@127.0.0.1:1/b",
        "postgresql://u:{}@[::1/b",
        "oracle://u:{}@h/b",
        "mysql://u:{}@127.0.0.1:x/b",
        "sqlite:////{}/b",
        "mysql://u:{}@127.0.0.1:1/b?init_command={}",
    ]
    if place.server:
        urls.append(place.server.url("nobody", place.database, "{}"))
    for url in urls:
        with pytest.raises(BokitError) as raised:
            place.read(TABLE, url=url.format(secret, secret))
        messages.append(f"{raised.value} {raised.value.facts}")
    assert secret not in " ".join(messages)
