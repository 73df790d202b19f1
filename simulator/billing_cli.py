"""``python -m simulator billing``: make and change a billing database, and print its config file for Bokit."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.model import SimulatorError

if TYPE_CHECKING:
    from simulator.billing import Billing


def add_billing(commands: Any) -> None:
    """Add the command."""
    billing = commands.add_parser("billing", help="make and change a billing database of five tables, in a file or on a server")
    billing.add_argument("action", choices=("make", "change", "remove", "empty", "config"), help="config prints the config file")
    billing.add_argument("place", metavar="FILE_OR_URL", help="an SQLite file, or a database URL with write access")
    billing.add_argument("--rows", type=int, default=1000, metavar="N", help="rows to make in all tables; default %(default)s")
    billing.add_argument(
        "--share", type=float, default=1.0, metavar="PERCENT", help="rows to change or remove; default %(default)s"
    )
    billing.add_argument("--table", help="only this table")
    billing.add_argument("--version", type=int, default=1, help="version of changed rows; a new version changes them again")
    billing.set_defaults(run=run_billing)


def run_billing(options: argparse.Namespace) -> int:
    """Run the action and print its result as one JSON document."""
    from sqlalchemy.exc import SQLAlchemyError

    from simulator.billing import SPECS, TABLES, Billing

    if options.table is not None and options.table not in TABLES:
        raise SimulatorError(f"no such table: {options.table}; tables are {', '.join(TABLES)}")
    url = options.place if "://" in options.place else f"sqlite:///{Path(options.place).resolve()}"
    if options.action == "config":
        source = {"name": "Billing", "kind": "sql", "url": url, "interval": 300, "on_missing": "mark", "tables": SPECS}
        names = [{"name": spec["collection"]} for spec in SPECS]
        print(json.dumps({"collections": names, "sources": [source]}, indent=1))
        return 0
    try:
        billing = Billing(url)
        print(json.dumps({"table": {name: _run_action(options, billing, name) for name in _read_tables(options, billing)}}))
        billing.close()
    except SQLAlchemyError as error:
        raise SimulatorError(f"the database refused it: {type(error).__name__}; `billing make` creates the tables") from error
    return 0


def _read_tables(options: argparse.Namespace, billing: Billing) -> list[str]:
    from simulator.billing import TABLES

    if options.action == "make":
        billing.create()
    return [options.table] if options.table else list(TABLES)


def _run_action(options: argparse.Namespace, billing: Billing, table: str) -> int:
    """Run the action on one table; return the number of affected rows."""
    from simulator.billing import SHARES

    if options.action == "make":
        count = int(options.rows) * SHARES[table] // 100
        billing.add(table, range(1, count + 1))
        return count
    rows = billing.count(table)
    if options.action == "empty":
        billing.empty(table)
        return rows
    count = max(1, round(rows * options.share / 100)) if rows else 0
    if options.action == "change":
        return billing.change(table, range(1, count + 1), options.version)
    return billing.remove(table, range(rows - count + 1, rows + 1)) if count else 0
