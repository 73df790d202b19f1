"""Which databases a stack may ask, judged without a network; which conditions are conditions."""

# ruff: noqa: S104 - tables of inputs and results

from __future__ import annotations

from typing import Any

import pytest

from bokit.core.tables.spec import read_filter, read_table_settings
from bokit.errors import AddressRefusedError, BokitError, InputError, OptionError, SourceUnavailableError
from bokit.sources.sql.url import Reach, find_address, make_tls, may_connect, read_database_url, ssl_mode_of

LOCAL, VPC, BARE = Reach(local=True), Reach(private=True), Reach()


@pytest.mark.parametrize(
    ("address", "local", "vpc", "bare"),
    [
        ("93.184.216.34", True, True, True),
        ("2606:2800:220:1::1", True, True, True),
        ("10.0.3.4", True, True, False),
        ("172.31.255.1", True, True, False),
        ("192.168.1.1", True, True, False),
        ("fd12:3456::1", True, True, False),
        ("127.0.0.1", True, False, False),
        ("::1", True, False, False),
        ("169.254.169.254", True, False, False),
        ("fd00:ec2::254", True, False, False),
        ("0.0.0.0", True, False, False),
        ("fe80::1", True, False, False),
        ("::ffff:127.0.0.1", True, False, False),
        ("100.64.0.1", True, False, False),
        ("172.32.0.1", True, True, True),
    ],
)
def test_private_networks_are_asked_from_inside_a_vpc_alone(address: str, local: bool, vpc: bool, bare: bool) -> None:
    """A deployed stack asks public addresses, with a VPC private ones too, and never itself or the metadata service."""
    assert (may_connect(address, LOCAL), may_connect(address, VPC), may_connect(address, BARE)) == (local, vpc, bare)


def test_a_name_is_resolved_once_and_every_answer_counts() -> None:
    """A name that leads to one private address among public ones is refused, and the address that was checked is asked."""
    database = read_database_url("mysql://u:p@db.example/billing", BARE)

    def resolver(*addresses: str) -> Any:
        return lambda host, port: [(2, 1, 6, "", (a, port)) for a in addresses]

    assert find_address(database, BARE, resolver("93.184.216.34")) == "93.184.216.34"
    with pytest.raises(AddressRefusedError, match="VPC"):
        find_address(database, BARE, resolver("93.184.216.34", "10.0.0.1"))
    assert find_address(database, VPC, resolver("10.0.0.1")) == "10.0.0.1"
    with pytest.raises(SourceUnavailableError):
        find_address(database, BARE, resolver())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "mysql:",
        "http://db.example/x",
        "oracle://u:p@db.example/x",
        "mssql+pyodbc://u:p@db.example/x",
        "mysql://u:p@db.example",
        "mysql://db.example/x",
        "mysql://u:p@/x",
        "mysql://u:p@db.example:port/x",
        "postgresql://u:p@[::1/x",
        "mysql://u:p@db.example/x?init_command=DROP",
        "mysql://u:p@db.example/x?local_infile=1",
        "mysql://u:p@db.example/x?read_default_file=/etc/x",
        "postgresql://u:p@db.example/x?options=-c",
        "postgresql://u:p@db.example/x?service=x",
        "postgresql://u:p@db.example/x?passfile=/etc/x",
        "mysql://u:p@db.example/x?sslmode=allow",
        "postgresql://u:p@db.example/x?host=other.example",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=rw",
        "mysql://u:p@db.example/x?sslmode=require&sslmode=disable",
    ],
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    """An invalid database URL, or one with driver options beyond a connection, is one error that does not quote it."""
    with pytest.raises(AddressRefusedError) as refused:
        read_database_url(url, LOCAL)
    assert refused.value.stable_code == "bad-url"
    assert "u:p" not in str(refused.value)


@pytest.mark.parametrize("url", ["sqlite:////tmp/x.db", "mysql://u:p@/x?unix_socket=/run/x", "postgresql://u:p@/x?host=/run/x"])
def test_files_and_sockets_are_local(url: str) -> None:
    """A deployed function has neither databases in files nor behind sockets."""
    assert read_database_url(url, LOCAL).family in url
    for reach in (VPC, BARE):
        with pytest.raises(AddressRefusedError, match="local cloud"):
            read_database_url(url, reach)


def test_the_internet_is_crossed_encrypted() -> None:
    """TLS is what the URL says, else always towards a public address."""
    plain = read_database_url("mysql://u:p@db.example/x", BARE)
    read = read_database_url("postgresql+psycopg2://u:p@db.example/x?sslmode=verify-full", BARE)
    assert [ssl_mode_of(plain, a) for a in ("93.184.216.34", "10.0.0.1")] == ["require", "prefer"]
    assert ssl_mode_of(read, "10.0.0.1") == "verify-full"
    assert make_tls("disable", None) is None
    verified = make_tls("verify-full", None)
    assert verified is not None
    assert verified.check_hostname
    with pytest.raises(BokitError, match="authorities"):
        make_tls("verify-full", "/no/such/file")


@pytest.mark.parametrize(
    "text",
    [
        "actif = 1",
        "name LIKE 'a%' OR (b > 2 AND c IN (1, 2))",
        "note = 'it''s; -- fine (', `odd ; name` = 1".replace(",", " AND"),
        "a=':x'",
    ],
)
def test_one_plain_condition_passes(text: str) -> None:
    """Conditions, with whatever letters inside of quotes, pass as they are."""
    assert read_filter(f"  {text} ") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "1=1; DROP TABLE x",
        "1=1 --",
        "1=1 /* x */",
        "a = 'open",
        "a = 1)",
        "(a = 1",
        ") OR (1=1",
        "a = 'x\\' OR 1=1 --'",
        "a # b",
        "$$x$$",
        "$t$x$t$",
        "x" * 4001,
        'a = "',
        "`",
        "a\x00b",
    ],
)
def test_what_is_more_than_a_condition_is_refused(text: str) -> None:
    """No second statement, comment, open quote or parenthesis that ends ours gets into the SELECT."""
    with pytest.raises(OptionError):
        read_filter(text)


GOOD = {"table": "clients", "collection": "clients", "key": ["id"]}


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({}, "tables:"),
        ({"tables": []}, "tables:"),
        ({"tables": [1]}, "tables[0]:"),
        ({"tables": [{**GOOD, "wher": "x"}]}, "tables[0]:"),
        ({"tables": [{"key": ["id"]}]}, "tables[0].table:"),
        ({"tables": [{**GOOD, "table": "a..b"}]}, "tables[0].table:"),
        ({"tables": [{**GOOD, "table": "a.b.c"}]}, "tables[0].table:"),
        ({"tables": [{**GOOD, "key": []}]}, "tables[0].key:"),
        ({"tables": [{**GOOD, "key": ["id", "id"]}]}, "tables[0].key:"),
        ({"tables": [{**GOOD, "key": [1]}]}, "tables[0].key[0]:"),
        ({"tables": [{**GOOD, "fields": []}]}, "tables[0].fields:"),
        ({"tables": [{**GOOD, "fields": {"a": 1}}]}, "tables[0].fields.a:"),
        ({"tables": [{**GOOD, "where": "a;b"}]}, "tables[0].where:"),
        ({"tables": [{**GOOD, "collection": "bookings"}]}, "tables[0].collection:"),
        ({"tables": [{**GOOD, "on_missing": "drop"}]}, "tables[0].on_missing:"),
        ({"tables": [{**GOOD, "overlap": "x"}]}, "tables[0].overlap:"),
        ({"tables": [GOOD, GOOD]}, "tables[1].name:"),
        ({"tables": [GOOD], "on_missing": "x"}, "on_missing:"),
        ({"tables": [GOOD], "allow_writable_account": "x"}, "allow_writable_account:"),
    ],
)
def test_settings_that_are_wrong_say_where(settings: dict[str, Any], path: str) -> None:
    """An error begins with the path of what is wrong."""
    with pytest.raises(InputError) as raised:
        read_table_settings(settings)
    assert raised.value.message.startswith(path)


def test_the_contracts_example_is_read() -> None:
    """The table of the contract's config file is read as it says."""
    settings = read_table_settings(
        {
            "tables": [
                {
                    "table": "clients",
                    "collection": "clients",
                    "key": ["id"],
                    "fields": {"name": "raison_sociale", "email": "email"},
                    "where": "actif = 1",
                    "updated_at": "modifie_le",
                }
            ]
        }
    )
    (table,) = settings.tables
    assert (table.name, table.key, table.fields) == ("clients", ("id",), {"name": "raison_sociale", "email": "email"})
    assert (table.where, table.updated_at) == ("actif = 1", "modifie_le")
