"""Database URLs: MariaDB, MySQL, PostgreSQL and SQLite, at addresses that this stack may connect to.

A database is usually in a private network, where a deployed stack connects to nothing else. It has a setting of its own:

address                                  local cloud    stack with a VPC (BOKIT_SQL_PRIVATE)    stack without
public                                   yes            yes, over TLS                            yes, over TLS
10/8, 172.16/12, 192.168/16, fc00::/7    yes            yes                                      refused
loopback, link-local, metadata, all else yes            refused                                  refused
a file (SQLite), a socket                yes            refused                                  refused

``sslmode`` in the URL chooses TLS, in PostgreSQL's words, for MySQL too: ``disable``, ``prefer`` (encrypted if the database
offers it), ``require`` (encrypted), ``verify-full`` (certificate and name are checked as well; ``sslrootcert`` names a file of
authorities, by default the public ones). Default: ``require`` over the internet, else ``prefer``.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bokit.errors import AddressRefusedError, SourceMalformedError, SourceUnavailableError
from bokit.net.addresses import is_public
from bokit.values import Value, field

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

FAMILIES = {"mysql": "mysql", "mariadb": "mysql", "postgresql": "postgresql", "postgres": "postgresql", "sqlite": "sqlite"}
PORTS = {"mysql": 3306, "postgresql": 5432}
UNKNOWN = "not a database that Bokit reads; write mysql://…, postgresql://… or sqlite:///…"
SSL_MODES = ("disable", "prefer", "require", "verify-full")
PARAMETERS = {
    "mysql": ("sslmode", "sslrootcert", "charset", "unix_socket"),
    "postgresql": ("sslmode", "sslrootcert", "host"),
    "sqlite": (),
}
"""Query parameters that a URL may have; the drivers take more, some of which would read files or run commands."""
_VPC = tuple(ipaddress.ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
_METADATA = ipaddress.ip_address("fd00:ec2::254")

Resolver = Callable[[str, int], Sequence[tuple[Any, ...]]]


class Reach(Value):
    """Which addresses this process may connect to for a database."""

    local: bool = False
    """Loopback, files and sockets too: the local cloud, tests."""
    private: bool = False
    """Private networks: a stack inside a VPC."""


class Database(Value, not_shown=("name", "host", "user", "password", "socket_path", "parameters")):
    """A checked database URL. All of it but *family* is secret."""

    family: str
    """``mysql`` (MariaDB too), ``postgresql`` or ``sqlite``."""
    name: str
    """The database's name, or SQLite's file."""
    host: str | None = None
    port: int = 0
    user: str | None = None
    password: str | None = None
    socket_path: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


def read_database_url(text: str, reach: Reach) -> Database:
    """Return *text*, checked without any network; raises AddressRefusedError that says what is wrong with it."""
    url = _parse(text)
    family = FAMILIES.get(url.get_backend_name())
    if family is None:
        raise _bad_url(UNKNOWN)
    parameters = _read_parameters(url, family)
    if family == "sqlite":
        return _read_file(url, reach)
    socket_path = parameters.pop("unix_socket", None) or _as_socket(parameters.pop("host", None))
    if socket_path is None and not url.host:
        raise _bad_url("names no host; write mysql://user:password@host/database")
    if not url.database or not url.username:
        raise _bad_url("names no user or no database; write mysql://user:password@host/database")
    if socket_path and not reach.local:
        raise AddressRefusedError("a database behind a socket is read only in the local cloud; write its host")
    return Database(
        family=family,
        name=url.database,
        host=url.host,
        port=url.port or PORTS[family],
        user=url.username,
        password=None if url.password is None else str(url.password),
        socket_path=socket_path,
        parameters=parameters,
    )


def check_database_url(text: str, reach: Reach) -> None:
    """Refuse a URL that would never be opened; by its scheme alone if the databases' libraries are not installed."""
    try:
        read_database_url(text, reach)
    except ImportError:
        scheme = text.partition("://")[0].partition("+")[0].lower()
        if scheme not in FAMILIES:
            raise _bad_url(UNKNOWN) from None


def _parse(text: str) -> URL:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(text.strip())
    except (ArgumentError, ValueError):
        pass  # the library's own error quotes the URL
    raise _bad_url("not a database URL; write mysql://user:password@host/database")


def _read_parameters(url: URL, family: str) -> dict[str, str]:
    known = PARAMETERS[family]
    for name, value in url.query.items():
        if name not in known or not isinstance(value, str):
            raise _bad_url(f"the URL has an unknown parameter; it takes {', '.join(known) or 'none'}")
    parameters = {name: str(value) for name, value in url.query.items()}
    if parameters.get("sslmode", "require") not in SSL_MODES:
        raise _bad_url(f"sslmode must be one of {', '.join(SSL_MODES)}")
    return parameters


def _read_file(url: URL, reach: Reach) -> Database:
    if not reach.local:
        raise AddressRefusedError("a database in a file is read only in the local cloud; a function has no such file")
    if url.host or not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise _bad_url("names no file; write sqlite:////path/of/the/file")
    return Database(family="sqlite", name=url.database)


def _as_socket(host: str | None) -> str | None:
    if host is not None and not host.startswith("/"):
        raise _bad_url("write the host before the slash, or the folder of a socket as ?host=/folder")
    return host


def _bad_url(message: str) -> AddressRefusedError:
    return AddressRefusedError(message, code="bad-url")


# ── the address behind the name ──


def find_address(database: Database, reach: Reach, resolver: Resolver | None = None) -> str:
    """Return the address to connect to, resolved once and checked; what the name resolves to later has no effect."""
    host, port = str(database.host), database.port
    try:
        found = (resolver or _resolve)(host, port)
    except (OSError, UnicodeError):
        found = ()
    addresses = [str(info[4][0]) for info in found]
    if not addresses:
        raise SourceUnavailableError("the database's host name was not found; check the URL", code="sql-unreachable")
    if not all(may_connect(address, reach) for address in addresses):
        raise AddressRefusedError(
            "the database's address is not public; give the stack a VPC (SqlSubnetIds), which allows private networks for SQL"
        )
    return addresses[0]


def _resolve(host: str, port: int) -> Sequence[tuple[Any, ...]]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def may_connect(address: str, reach: Reach) -> bool:
    """Return whether this process may connect to *address* for a database."""
    if reach.local or is_public(address):
        return True
    return reach.private and is_in_vpc(address)


def is_in_vpc(address: str) -> bool:
    """Return whether *address* is in a private network as VPCs have them; the cloud's metadata service is not."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return parsed != _METADATA and any(parsed.version == net.version and parsed in net for net in _VPC)


def ssl_mode_of(database: Database, address: str | None) -> str:
    """Return how the connection is encrypted: as the URL says, else always over the internet, else if the database offers it."""
    if mode := database.parameters.get("sslmode"):
        return mode
    return "require" if address is not None and is_public(address) else "prefer"


def make_tls(mode: str, authorities: str | None) -> ssl.SSLContext | None:
    """Return the TLS context for *mode*; None: no TLS."""
    if mode == "disable":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if mode != "verify-full":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        context.load_verify_locations(authorities or find_authorities())
    except (OSError, ssl.SSLError):
        raise SourceMalformedError("the file of authorities that sslrootcert names cannot be read", code="tls") from None
    return context


def find_authorities() -> str:
    """Return the file of the public certificate authorities."""
    import certifi

    return certifi.where()
