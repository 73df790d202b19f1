"""Real database servers for tests: MariaDB and PostgreSQL from the system's packages, each in a folder of its own."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from tests.support.ports import free_port

SERVERS = [Path(p) for p in ("/usr/sbin/mariadbd", "/usr/sbin/mysqld", "/usr/libexec/mariadbd")]
MARIADB = next((p for p in SERVERS if p.exists()), None)
INSTALL_DB = shutil.which("mariadb-install-db")
POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)), None)
_PRCTL = getattr(ctypes.CDLL(None), "prctl", None)
PASSWORD = "a long password, with @ and %"

needs_mariadb = pytest.mark.skipif(not (MARIADB and INSTALL_DB), reason="not run: mariadb-server is not installed")
needs_postgres = pytest.mark.skipif(POSTGRES is None, reason="not run: postgresql is not installed")


@dataclass(frozen=True)
class Server:
    """A server that runs, and how to reach it."""

    family: str
    port: int
    folder: Path
    admin: str

    @property
    def log(self) -> Path:
        """Where it writes every statement that it is sent."""
        return self.folder / "general.log"

    def url(self, user: str, database: str, password: str = PASSWORD) -> str:
        """Return the URL of *user* for *database*."""
        from sqlalchemy.engine import URL

        made = URL.create(
            {"mysql": "mysql+pymysql", "postgresql": "postgresql+psycopg"}[self.family],
            user,
            password,
            "127.0.0.1",
            self.port,
            database,
        )
        return made.render_as_string(hide_password=False)

    def run(self, *statements: str, database: str | None = None) -> None:
        """Run *statements* as the administrator."""
        for _ in self.ask(*statements, database=database):
            pass

    def ask(self, *statements: str, database: str | None = None) -> list[Sequence[Any]]:
        """Run *statements* as the administrator; return the rows of the last."""
        with self.connect(database) as connection, connection.cursor() as cursor:
            rows: list[Any] = []
            for statement in statements:
                cursor.execute(statement)
                rows = list(cursor.fetchall()) if cursor.description else []
            return rows

    @contextmanager
    def connect(self, database: str | None = None) -> Iterator[Any]:
        """Yield the administrator's own connection."""
        if self.family == "mysql":
            import pymysql

            made: Any = pymysql.connect(
                host="127.0.0.1", port=self.port, user=self.admin, password="", database=database, autocommit=True
            )
        else:
            import psycopg

            made = psycopg.connect(
                host="127.0.0.1", port=self.port, user=self.admin, dbname=database or "postgres", autocommit=True
            )
        try:
            yield made
        finally:
            made.close()

    def statements(self) -> list[str]:
        """Return what clients sent, in order, as MariaDB's general log has it."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            place = line.find("Query\t")
            if place >= 0:
                found.append(line[place + 6 :])
        return found


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    """A MariaDB of our own."""
    with run_mariadb() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL of our own."""
    with run_postgres() as server:
        yield server


@contextmanager
def run_mariadb(*, tls: bool = False) -> Iterator[Server]:
    """Run a MariaDB on a free port of loopback, with its general log on; *tls*: with a certificate that nobody knows."""
    with _folder("mysql") as folder, open(folder / "out", "wb") as out:
        cert, key = make_certificate(folder, "mysql") if tls else (None, None)
        as_user = [f"--user={_user('mysql')}"]
        # not the environment's, in which the server's user may not write
        data = [f"--datadir={folder / 'data'}", f"--tmpdir={folder}"]
        subprocess.run(
            [str(INSTALL_DB), "--no-defaults", *as_user, *data, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True,
            stdout=out,
            stderr=out,
            cwd=folder,
            timeout=120,
        )
        port = free_port()
        process = subprocess.Popen(
            [
                str(MARIADB),
                "--no-defaults",
                *data,
                "--bind-address=127.0.0.1",
                f"--port={port}",
                f"--socket={folder / 'socket'}",
                f"--pid-file={folder / 'pid'}",
                "--general-log=1",
                f"--general-log-file={folder / 'general.log'}",
                "--skip-name-resolve",
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-buffer-pool-size=64M",
                "--performance-schema=OFF",
                "--max-connections=40",
                *([f"--ssl-cert={cert}", f"--ssl-key={key}"] if tls else []),
            ],
            stdout=out,
            stderr=out,
            cwd=folder,
            preexec_fn=die_with_us,
            **run_as("mysql"),
        )
        server = Server("mysql", port, folder, "root")
        with _stopping(process):
            _wait(server, process, folder)
            yield server


@contextmanager
def run_postgres(*, tls: bool = False) -> Iterator[Server]:
    """Run a PostgreSQL on a free port of loopback; it refuses to run as root. *tls*: with a certificate that nobody knows."""
    user, binaries, as_user = _user("postgres"), Path(str(POSTGRES)).parent, run_as("postgres")
    with _folder("postgres") as folder, open(folder / "out", "wb") as out:
        subprocess.run(
            [
                binaries / "initdb",
                "-D",
                folder / "data",
                "-U",
                "admin",
                "--auth-local=trust",
                "--auth-host=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
            check=True,
            stdout=out,
            stderr=out,
            cwd=folder,
            timeout=120,
            **as_user,
        )
        (folder / "data/pg_hba.conf").write_text("host all admin 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        cert, key = make_certificate(folder, user) if tls else (None, None)
        secured = ["-c", "ssl=on", "-c", f"ssl_cert_file={cert}", "-c", f"ssl_key_file={key}"] if tls else []
        port = free_port()
        process = subprocess.Popen(
            [
                binaries / "postgres",
                "-D",
                folder / "data",
                "-p",
                str(port),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "fsync=off",
                "-c",
                f"unix_socket_directories={folder}",
                "-c",
                "log_statement=all",
                "-c",
                "max_connections=40",
                *secured,
            ],
            stdout=out,
            stderr=out,
            cwd=folder,
            preexec_fn=die_with_us,
            **as_user,
        )
        server = Server("postgresql", port, folder, "admin")
        with _stopping(process):
            _wait(server, process, folder)
            yield server


def run_as(user: str) -> dict[str, Any]:
    """Return how a process is started as *user*, where we are root: neither server runs as root."""
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if os.getuid() == 0 else {}


def die_with_us() -> None:
    """Let the kernel end a server whose tests were killed (Linux's PR_SET_PDEATHSIG); nothing is imported in the new process."""
    if _PRCTL:
        _PRCTL(1, signal.SIGKILL)


def make_certificate(folder: Path, user: str) -> tuple[Path, Path]:
    """Make a certificate of localhost, signed by itself, whose key is *user*'s alone."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout",
            key,
            "-out",
            cert,
        ],
        check=True,
        capture_output=True,
    )
    key.chmod(0o600)
    if os.getuid() == 0:
        os.chown(key, pwd.getpwnam(user).pw_uid, -1)
    return cert, key


@contextmanager
def _folder(user: str) -> Iterator[Path]:
    """A folder that *user* may use: pytest's own are closed to others than the one who runs it."""
    folder = Path(tempfile.mkdtemp(prefix=f"bokit-{user}-"))
    if os.getuid() == 0:
        found = pwd.getpwnam(user)
        os.chown(folder, found.pw_uid, found.pw_gid)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user(name: str) -> str:
    return name if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name


@contextmanager
def _stopping(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(server: Server, process: subprocess.Popen[bytes], folder: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, (folder / "out").read_text(errors="replace")[-2000:]
        try:
            server.run("SELECT 1")
        except Exception:
            sleep(0.1)
        else:
            return
    raise AssertionError("the database server does not answer")
