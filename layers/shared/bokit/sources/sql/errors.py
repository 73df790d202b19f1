"""Errors of databases and drivers, in our own words; theirs quote hosts, users and statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

from bokit.errors import BokitError, SourceMalformedError, SourceRefusedError, SourceUnavailableError


class SqlFailure(Enum):
    """What went wrong: the error, its code and message."""

    REFUSED = (
        SourceRefusedError,
        "sql-credentials",
        "the database refuses this user, password or database name; check the URL",
    )
    UNREACHABLE = (SourceUnavailableError, "sql-unreachable", "the database does not answer")
    TIMEOUT = (SourceUnavailableError, "sql-timeout", "the database took too long to answer; is the key an index?")
    BUSY = (SourceUnavailableError, "sql-busy", "the database is too busy to answer")
    DENIED = (SourceRefusedError, "sql-denied", "this account may not read all of the tables; grant it SELECT on each")
    NO_TABLE = (SourceMalformedError, "missing-table", "the database has no such table, or this account may not see it")
    NO_COLUMN = (SourceMalformedError, "missing-column", "the condition names a column that the table does not have")
    BAD_FILTER = (SourceMalformedError, "bad-where", "the database does not understand the condition; correct `where`")
    BAD_VALUE = (SourceMalformedError, "bad-value", "the database could not compare or convert a value; look at `where`")
    READ_ONLY = (SourceMalformedError, "sql-read-only", "the condition would write; nothing is ever written to a source")

    def as_error(self, table: str | None, *, has_filter: bool = True) -> BokitError:
        """Return the error, whose message names *table*, and its condition only where it has one."""
        kind: type[BokitError]
        kind, code, message = self.value
        code, message = (code, message) if has_filter else _WITHOUT_FILTER.get(self.name, (code, message))
        return kind(_about(table, message), code=code)


_WITHOUT_FILTER = {
    "NO_COLUMN": ("missing-column", "a column is not there any more"),
    "BAD_FILTER": ("sql-error", "the database refused the query"),
    "BAD_VALUE": ("bad-value", "the database could not read, compare or convert a value"),
    "READ_ONLY": ("sql-read-only", "reading it would write; nothing is ever written to a source"),
}
"""The same of a table without a condition."""


_MYSQL_NUMBERS = {
    SqlFailure.REFUSED: (1044, 1045, 1049, 1130, 1251, 1698, 1820, 4151),
    SqlFailure.UNREACHABLE: (1040, 1053, 1159, 1927, 2002, 2003, 2005, 2006, 2013, 2026, 4031),
    SqlFailure.TIMEOUT: (1317, 1969, 3024),
    SqlFailure.BUSY: (1203, 1205, 1213, 1226),
    SqlFailure.DENIED: (1142, 1143, 1227, 1370),
    SqlFailure.NO_TABLE: (1146, 1356),
    SqlFailure.NO_COLUMN: (1054,),
    SqlFailure.BAD_FILTER: (1064, 1111, 1241, 1305, 1582),
    SqlFailure.READ_ONLY: (1792,),
}
"""Error numbers of MySQL and MariaDB."""
_POSTGRESQL_STATES = {
    SqlFailure.REFUSED: ("28", "3D"),
    SqlFailure.UNREACHABLE: ("08", "57P"),
    SqlFailure.TIMEOUT: ("57014",),
    SqlFailure.BUSY: ("55P03", "40", "53"),
    SqlFailure.DENIED: ("42501",),
    SqlFailure.NO_TABLE: ("42P01", "3F"),
    SqlFailure.NO_COLUMN: ("42703",),
    SqlFailure.BAD_FILTER: ("42",),
    SqlFailure.BAD_VALUE: ("22",),
    SqlFailure.READ_ONLY: ("25006",),
}
"""PostgreSQL's SQLSTATE, or how it begins; the longest match counts."""
_SQLITE_WORDS = {
    SqlFailure.NO_TABLE: ("no such table", "unable to open", "not a database", "malformed"),
    SqlFailure.NO_COLUMN: ("no such column",),
    SqlFailure.BUSY: ("locked", "busy"),
    SqlFailure.READ_ONLY: ("readonly",),
    SqlFailure.TIMEOUT: ("interrupted",),
    SqlFailure.BAD_FILTER: ("syntax error", "no such function", "unrecognized token", "incomplete"),
}
"""Words in SQLite's messages; the first match counts."""
_MYSQL = {number: failure for failure, numbers in _MYSQL_NUMBERS.items() for number in numbers}
_POSTGRESQL = {state: failure for failure, states in _POSTGRESQL_STATES.items() for state in states}
_SQLITE = {words: failure for failure, phrases in _SQLITE_WORDS.items() for words in phrases}
_PSYCOPG = {
    "OperationalError": SqlFailure.UNREACHABLE,
    "ConnectionTimeout": SqlFailure.UNREACHABLE,
    "DataError": SqlFailure.BAD_VALUE,
}
"""Errors that psycopg raises itself, without a SQLSTATE."""
_LOGIN = ("authentication failed", "no pg_hba.conf entry", "does not exist", "is not permitted to log in", "permission denied")
NO_TLS = "the database offers no TLS; write sslmode=disable in the URL if that is right"


@contextmanager
def translated(table: str | None = None, *, has_filter: bool = False) -> Iterator[None]:
    """Turn what drivers and SQLAlchemy raise inside into our errors; *table* is named in their messages.

    A driver raises what it likes where it cannot read a value: that is the value's fault, not one of Bokit.
    """
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    try:
        yield
    except DBAPIError as error:
        ours = _translate(error.orig, table, is_lost=error.connection_invalidated, has_filter=has_filter)
    except SQLAlchemyError:
        ours = SourceMalformedError(_about(table, "the database returned what cannot be read"), code="sql-error")
    except (OSError, EOFError):
        ours = SqlFailure.UNREACHABLE.as_error(table)
    except (ValueError, ArithmeticError, LookupError, TypeError, RecursionError) as error:
        message, kind = "the database returned a value that cannot be read", type(error).__name__
        ours = SourceMalformedError(_about(table, message), code="bad-value", kind=kind)
    else:
        return
    raise ours from None  # theirs quotes the statement and its values


def translate_driver(error: BaseException) -> BokitError:
    """Return the error for what a driver raised while it connected."""
    import ssl

    text = str(error)
    if isinstance(error, ssl.SSLCertVerificationError) or "certificate verify failed" in text:
        return SourceRefusedError("the database's certificate is not trusted; name its sslrootcert", code="tls")
    if "does not support SSL" in text or "SSL is required" in text:
        return SourceRefusedError(NO_TLS, code="tls")
    if isinstance(error, RuntimeError) and "cryptography" in text:
        return SourceRefusedError("the database allows logins only over TLS; write sslmode=require in the URL", code="tls")
    return SqlFailure.UNREACHABLE.as_error(None) if isinstance(error, OSError) else _translate(error, None, is_lost=False)


def _translate(error: Any, table: str | None, *, is_lost: bool, has_filter: bool = False) -> BokitError:
    failure = _find_failure(error) or (SqlFailure.UNREACHABLE if is_lost else None)
    if failure is not None:
        return failure.as_error(table, has_filter=has_filter)
    number = str(_number_of(error) or getattr(error, "sqlstate", None) or type(error).__name__)
    return SourceMalformedError(_about(table, "the database refused the query"), code="sql-error", number=number)


def _find_failure(error: Any) -> SqlFailure | None:
    module, text = type(error).__module__, str(error)
    if module.startswith("pymysql"):
        return _MYSQL.get(_number_of(error))
    if module.startswith("sqlite3"):
        return next((failure for words, failure in _SQLITE.items() if words in text.lower()), None)
    state, kind = getattr(error, "sqlstate", None), type(error).__name__
    if isinstance(state, str):
        matches = [code for code in _POSTGRESQL if state.startswith(code)]
        return _POSTGRESQL[max(matches, key=len)] if matches else None
    if not module.startswith("psycopg"):
        return None
    is_login = kind == "OperationalError" and any(words in text for words in _LOGIN)
    return SqlFailure.REFUSED if is_login else _PSYCOPG.get(kind)


def _number_of(error: Any) -> int:
    number = error.args[0] if error.args else 0
    return number if isinstance(number, int) else 0


def _about(table: str | None, message: str) -> str:
    return f"table {table!r}: {message}" if table else message
