"""What databases answer when they do not answer well, in our own words; theirs quote hosts, users and statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bokit.errors import BokitError, SourceMalformedError, SourceRefusedError, SourceUnavailableError

REFUSED, UNREACHABLE, TIMEOUT, BUSY, DENIED, NO_TABLE, NO_COLUMN, BAD_FILTER, BAD_VALUE, READ_ONLY = range(10)

_MYSQL = {
    1044: REFUSED,
    1045: REFUSED,
    1049: REFUSED,
    1698: REFUSED,
    1130: REFUSED,
    1251: REFUSED,
    4151: REFUSED,
    1820: REFUSED,
    2002: UNREACHABLE,
    2003: UNREACHABLE,
    2005: UNREACHABLE,
    2006: UNREACHABLE,
    2013: UNREACHABLE,
    1040: UNREACHABLE,
    1053: UNREACHABLE,
    1927: UNREACHABLE,
    2026: UNREACHABLE,
    1159: UNREACHABLE,
    4031: UNREACHABLE,
    1969: TIMEOUT,
    3024: TIMEOUT,
    1317: TIMEOUT,
    1205: BUSY,
    1213: BUSY,
    1203: BUSY,
    1226: BUSY,
    1142: DENIED,
    1143: DENIED,
    1227: DENIED,
    1370: DENIED,
    1146: NO_TABLE,
    1356: NO_TABLE,
    1054: NO_COLUMN,
    1064: BAD_FILTER,
    1305: BAD_FILTER,
    1582: BAD_FILTER,
    1111: BAD_FILTER,
    1241: BAD_FILTER,
    1792: READ_ONLY,
}
"""MySQL's and MariaDB's numbers."""
_POSTGRESQL = {
    "28": REFUSED,
    "3D": REFUSED,
    "08": UNREACHABLE,
    "57P": UNREACHABLE,
    "57014": TIMEOUT,
    "55P03": BUSY,
    "40": BUSY,
    "53": BUSY,
    "42501": DENIED,
    "42P01": NO_TABLE,
    "42703": NO_COLUMN,
    "3F": NO_TABLE,
    "42": BAD_FILTER,
    "22": BAD_VALUE,
    "25006": READ_ONLY,
}
"""PostgreSQL's SQLSTATE, or how it begins; the longest that fits counts."""

MESSAGES: dict[int, tuple[type[BokitError], str, str]] = {
    REFUSED: (SourceRefusedError, "sql-credentials", "the database refuses this user, password or database name; check the URL"),
    UNREACHABLE: (SourceUnavailableError, "sql-unreachable", "the database does not answer"),
    TIMEOUT: (SourceUnavailableError, "sql-timeout", "the database took too long to answer; is the key an index?"),
    BUSY: (SourceUnavailableError, "sql-busy", "the database is too busy to answer"),
    DENIED: (SourceRefusedError, "sql-denied", "this account may not read all of the tables; grant it SELECT on each"),
    NO_TABLE: (SourceMalformedError, "missing-table", "the database has no such table, or this account may not see it"),
    NO_COLUMN: (SourceMalformedError, "missing-column", "the condition names a column that the table does not have"),
    BAD_FILTER: (SourceMalformedError, "bad-where", "the database does not understand the condition; correct `where`"),
    BAD_VALUE: (SourceMalformedError, "bad-value", "the database could not compare or convert a value; look at `where`"),
    READ_ONLY: (SourceMalformedError, "sql-read-only", "the condition would write; nothing is ever written to a source"),
}


NO_TLS = "the database offers no TLS; write sslmode=disable in the URL if that is right"


@contextmanager
def translate(table: str | None = None) -> Iterator[None]:
    """Turn what drivers and SQLAlchemy raise inside into our errors; *table* is named in their messages."""
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    try:
        yield
    except DBAPIError as error:
        ours = _judge(error.orig, table, is_lost=error.connection_invalidated)
    except SQLAlchemyError:
        ours = SourceMalformedError("the database answered what cannot be read", code="sql-error")
    except (OSError, EOFError):
        ours = _make(UNREACHABLE, table)
    else:
        return
    raise ours from None  # theirs quotes the statement and its values


def translate_driver(error: BaseException) -> BokitError:
    """Return what an error of a driver alone, raised while it connects, stands for."""
    import ssl

    text = str(error)
    if isinstance(error, ssl.SSLCertVerificationError) or "certificate verify failed" in text:
        return SourceRefusedError("the database's certificate is not one that we trust; name its sslrootcert", code="tls")
    if "does not support SSL" in text or "SSL is required" in text:
        return SourceRefusedError(NO_TLS, code="tls")
    if isinstance(error, RuntimeError) and "cryptography" in text:
        return SourceRefusedError("the database lets nobody log in but over TLS; write sslmode=require in the URL", code="tls")
    return _make(UNREACHABLE, None) if isinstance(error, OSError) else _judge(error, None, is_lost=False)


def _judge(error: Any, table: str | None, *, is_lost: bool) -> BokitError:
    kind = _kind_of(error)
    if kind is None and is_lost:
        kind = UNREACHABLE
    if kind is None:
        return SourceMalformedError(_name(table, "the database refuses what we ask"), code="sql-error", told=_code_of(error))
    return _make(kind, table)


def _kind_of(error: Any) -> int | None:
    module = type(error).__module__
    if module.startswith("pymysql"):
        return _MYSQL.get(_number_of(error))
    if module.startswith("sqlite3"):
        return _kind_of_sqlite(error)
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        fits = [code for code in _POSTGRESQL if state.startswith(code)]
        return _POSTGRESQL[max(fits, key=len)] if fits else None
    return _kind_of_stateless(error) if module.startswith("psycopg") else None


def _kind_of_stateless(error: Any) -> int | None:
    """Return the kind of an error that psycopg raises itself: only its type tells, and what the server said of a login."""
    kind, text = type(error).__name__, str(error)
    if kind == "OperationalError" and any(words in text for words in _LOGIN):
        return REFUSED
    kinds = {"OperationalError": UNREACHABLE, "ConnectionTimeout": UNREACHABLE, "DataError": BAD_VALUE}
    return kinds.get(kind)


_LOGIN = ("authentication failed", "no pg_hba.conf entry", "does not exist", "is not permitted to log in", "permission denied")


_SQLITE = (
    ("no such table", NO_TABLE),
    ("no such column", NO_COLUMN),
    ("unable to open", NO_TABLE),
    ("not a database", NO_TABLE),
    ("malformed", NO_TABLE),
    ("locked", BUSY),
    ("busy", BUSY),
    ("readonly", READ_ONLY),
    ("interrupted", TIMEOUT),
    ("syntax error", BAD_FILTER),
    ("no such function", BAD_FILTER),
    ("unrecognized token", BAD_FILTER),
    ("incomplete", BAD_FILTER),
)


def _kind_of_sqlite(error: Any) -> int | None:
    text = str(error).lower()
    return next((kind for words, kind in _SQLITE if words in text), None)


def _number_of(error: Any) -> int:
    number = error.args[0] if error.args else 0
    return number if isinstance(number, int) else 0


def _code_of(error: Any) -> str:
    return str(_number_of(error) or getattr(error, "sqlstate", None) or type(error).__name__)


def _make(kind: int, table: str | None) -> BokitError:
    made, code, message = MESSAGES[kind]
    return made(_name(table, message), code=code)


def _name(table: str | None, message: str) -> str:
    return f"table {table!r}: {message}" if table else message
