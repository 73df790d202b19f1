"""``python -m simulator billing``: a billing database in a file, to be made, changed, emptied, and described to Bokit."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.truth import SimulatorError

if TYPE_CHECKING:
    from simulator.billing import Billing


def add_billing(commands: Any) -> None:
    """Add the command with its actions."""
    billing = commands.add_parser("billing", help="make and change a billing database of five tables, in a file or on a server")
    billing.add_argument("action", choices=("make", "change", "remove", "empty", "config"), help="config prints it for Bokit")
    billing.add_argument("place", metavar="FILE_OR_URL", help="a file for SQLite, or a database URL that may write")
    billing.add_argument("--rows", type=int, default=1000, metavar="N", help="of all five tables, where it is made; %(default)s")
    billing.add_argument(
        "--share", type=float, default=1.0, metavar="PERCENT", help="of the rows to change or remove; %(default)s"
    )
    billing.add_argument("--table", help="this table alone")
    billing.add_argument("--version", type=int, default=1, help="what changed rows say; another one changes them again")
    billing.set_defaults(run=run_billing)


def run_billing(told: argparse.Namespace) -> int:
    """Do what the command line says, and print what was done as one JSON document."""
    from sqlalchemy.exc import SQLAlchemyError

    from simulator.billing import SPECS, TABLES, Billing

    if told.table is not None and told.table not in TABLES:
        raise SimulatorError(f"no such table: {told.table}; there are {', '.join(TABLES)}")
    url = told.place if "://" in told.place else f"sqlite:///{Path(told.place).resolve()}"
    if told.action == "config":
        source = {"name": "Billing", "kind": "sql", "url": url, "interval": 300, "on_missing": "mark", "tables": SPECS}
        names = [{"name": spec["collection"]} for spec in SPECS]
        print(json.dumps({"collections": names, "sources": [source]}, indent=1))
        return 0
    try:
        billing = Billing(url)
        print(json.dumps({"table": {name: _act(told, billing, name) for name in _names(told, billing)}}))
        billing.close()
    except SQLAlchemyError as error:
        raise SimulatorError(f"the database does not take it: {type(error).__name__}; `billing make` makes the tables") from error
    return 0


def _names(told: argparse.Namespace, billing: Billing) -> list[str]:
    from simulator.billing import TABLES

    if told.action == "make":
        billing.create()
    return [told.table] if told.table else list(TABLES)


def _act(told: argparse.Namespace, billing: Billing, table: str) -> int:
    """Act on one table; return how many rows it is about."""
    from simulator.billing import SHARES

    if told.action == "make":
        count = int(told.rows) * SHARES[table] // 100
        billing.add(table, range(1, count + 1))
        return count
    rows = billing.count(table)
    if told.action == "empty":
        billing.empty(table)
        return rows
    count = max(1, round(rows * told.share / 100)) if rows else 0
    if told.action == "change":
        return billing.change(table, range(1, count + 1), told.version)
    return billing.remove(table, range(rows - count + 1, rows + 1)) if count else 0
