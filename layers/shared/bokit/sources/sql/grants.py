"""Accounts that can write are refused: the database is asked what the account may do, before the first row is read.

database      an account can write if it has
MySQL         any privilege besides reading, on anything, its own or of a role that it could take
PostgreSQL    superuser; owner of a table; INSERT, UPDATE, DELETE or TRUNCATE on any table or column; CREATE in a schema
              (unless everybody may, as in `public` before version 15); all of it also by a role that it could take
SQLite        never: its file is opened read-only

The transaction is read-only as well. This check is for the day on which our code, or a library's, is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from bokit.core.tables.spec import TableSpec
from bokit.errors import SourceRefusedError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

MYSQL_HARMLESS = frozenset(
    (
        *("USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES", "PROCESS", "LOCK TABLES", "REFERENCES", "REPLICATION CLIENT"),
        *("REPLICATION SLAVE", "REPLICATION REPLICA", "BINLOG MONITOR", "SLAVE MONITOR", "REPLICA MONITOR"),
        *("SHOW_ROUTINE", "SHOW CREATE ROUTINE"),
    )
)
"""Privileges that cannot write; every other one, and those to come, count as writing."""
_COLUMNS = re.compile(r"\([^()]*+\)")

_POSTGRESQL = """
WITH mine AS (SELECT r.oid, r.rolsuper FROM pg_catalog.pg_roles r WHERE pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')),
     kept AS (SELECT n.oid FROM pg_catalog.pg_namespace n
              WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND left(n.nspname, 8) NOT IN ('pg_toast', 'pg_temp_'))
SELECT EXISTS (SELECT 1 FROM mine WHERE rolsuper)
    OR EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN kept ON kept.oid = c.relnamespace, mine
               WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
                 AND (c.relowner = mine.oid
                      OR pg_catalog.has_table_privilege(mine.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
                      OR pg_catalog.has_any_column_privilege(mine.oid, c.oid, 'INSERT, UPDATE')))
    OR EXISTS (SELECT 1 FROM kept, mine
               WHERE pg_catalog.has_schema_privilege(mine.oid, kept.oid, 'CREATE')
                 AND NOT pg_catalog.has_schema_privilege('public', kept.oid, 'CREATE'))"""


def check_account(connection: Connection, family: str, database: str, tables: Sequence[TableSpec]) -> None:
    """Raise SourceRefusedError if the account can write; the message has the SQL that makes one that cannot."""
    check = {"mysql": _can_write_mysql, "postgresql": _can_write_postgresql}.get(family)
    if check is None or not check(connection):
        return
    message = (
        "this account can write, and reading is all that is needed; make one that only reads, and put it into the URL, or set"
        f" allow_writable_account on the source:\n{reader_sql(family, database, tables)}"
    )
    raise SourceRefusedError(message, code="writable-account")


def _can_write_postgresql(connection: Connection) -> bool:
    return bool(connection.exec_driver_sql(_POSTGRESQL).scalar())


def _can_write_mysql(connection: Connection) -> bool:
    grants = _load_grants(connection, "SHOW GRANTS")
    roles = _roles_of(grants)
    if roles and getattr(connection.dialect, "is_mariadb", False):
        grants += _try_roles(connection, roles)
    elif roles:
        grants += _load_grants(connection, f"SHOW GRANTS FOR CURRENT_USER() USING {', '.join(roles)}")
    return any(can_write(grant) for grant in grants)


def _try_roles(connection: Connection, roles: Iterable[str]) -> list[str]:
    """Return the grants of each role. MariaDB shows only those of the current role: take each role, then restore the former."""
    from sqlalchemy.exc import DBAPIError

    found: list[str] = []
    current = connection.exec_driver_sql("SELECT CURRENT_ROLE()").scalar()
    for role in roles:
        try:
            connection.exec_driver_sql(f"SET ROLE {role}".replace("%", "%%"))
        except DBAPIError:
            # a role of a role: its grants are shown with those of ours
            continue
        found += _load_grants(connection, "SHOW GRANTS")
    connection.exec_driver_sql(f"SET ROLE {_tick(str(current))}".replace("%", "%%") if current else "SET ROLE NONE")
    return found


def _load_grants(connection: Connection, statement: str) -> list[str]:
    return [str(row[0]) for row in connection.exec_driver_sql(statement.replace("%", "%%"))]


def _roles_of(grants: Iterable[str]) -> list[str]:
    """Return the roles that *grants* give, quoted as the database quoted them."""
    found = (re.match(r"GRANT (.+) TO ", grant) for grant in grants if " ON " not in grant)
    return [name for match in found if match for name in re.findall(_QUOTED_ROLE, match[1])]


_QUOTED_ROLE = r"(?:`(?:[^`]|``)+`|'(?:[^']|'')+')(?:@(?:`(?:[^`]|``)*`|'(?:[^']|'')*'))?"


def can_write(grant: str) -> bool:
    """Return whether one line of SHOW GRANTS lets its account write.

    >>> can_write("GRANT SELECT, SHOW VIEW ON `billing`.* TO `reader`@`%`")
    False
    >>> can_write("GRANT SELECT, INSERT (name) ON `billing`.`clients` TO `app`@`%`")
    True
    """
    found = re.match(r"GRANT (.+?) ON (?!`?PROXY)", grant)
    if found is None:
        return not re.match(rf"(GRANT {_QUOTED_ROLE}(,\s*{_QUOTED_ROLE})* TO |SET DEFAULT ROLE |REVOKE )", grant)
    names = {name.strip() for name in _COLUMNS.sub("", found[1]).split(",")}
    return bool(names - MYSQL_HARMLESS) or "WITH GRANT OPTION" in grant or found[1].startswith("PROXY")


# ── the account to make ──


def reader_sql(family: str, database: str, tables: Sequence[TableSpec]) -> str:
    """Return the SQL that makes an account which can only read *tables*."""
    return _mysql_reader(database, tables) if family == "mysql" else _postgresql_reader(database, tables)


def _mysql_reader(database: str, tables: Sequence[TableSpec]) -> str:
    names = list(dict.fromkeys(f"{_tick(t.schema or database)}.{_tick(t.table_name)}" for t in tables))
    grants = [f"GRANT SELECT ON {name} TO 'bokit_reader'@'%';" for name in names]
    return "\n".join(["CREATE USER 'bokit_reader'@'%' IDENTIFIED BY '<a long password>';", *grants])


def _postgresql_reader(database: str, tables: Sequence[TableSpec]) -> str:
    schemas = dict.fromkeys(_quote(t.schema or "public") for t in tables)
    names = dict.fromkeys(f"{_quote(t.schema or 'public')}.{_quote(t.table_name)}" for t in tables)
    return "\n".join(
        [
            "CREATE ROLE bokit_reader LOGIN PASSWORD '<a long password>';",
            f"GRANT CONNECT ON DATABASE {_quote(database)} TO bokit_reader;",
            f"GRANT USAGE ON SCHEMA {', '.join(schemas)} TO bokit_reader;",
            f"GRANT SELECT ON {', '.join(names)} TO bokit_reader;",
            "ALTER ROLE bokit_reader SET default_transaction_read_only = on;",
        ]
    )


def _tick(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
