"""The demo's last chapter: clients of an API and tables of a database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from local.demo_session import DemoSession

CRM, BILLING = "Freight CRM", "Freight billing"
PREFIX = "freight-"
"""Of the demo's collections: the names of README's examples stay free."""


def show_records(demo: DemoSession) -> None:
    """Declare a client API and a billing database, and sync both twice."""
    home = demo.place.home
    configs = {"clients": client_api(demo.place.simulator_url), "billing": billing(demo, home / "billing.db")}
    for name, config in configs.items():
        file = home / f"demo-{name}.json"
        file.write_text(json.dumps(config))
        demo.bokit("config", "import", str(file))
    first, second = sync_records(demo), sync_records(demo)
    print(f"Synced {first['seen']} records from a client API and five tables of a billing database.")
    print(f"A second sync wrote {second['created'] + second['updated']} records: unchanged data causes no writes.")


def client_api(url: str) -> dict[str, Any]:
    """Return a config file for the simulated client API."""
    collection = f"{PREFIX}contacts"
    source = {"name": CRM, "kind": "json", "url": f"{url}/api/clients", "collection": collection, "on_missing": "mark"}
    reading = {"headers": {"Authorization": "Bearer sim-key"}, "items": "data", "id": "id"}
    return {"collections": [{"name": collection, "preserve": ["created_at"]}], "sources": [{**source, **reading}]}


def billing(demo: DemoSession, file: Path) -> dict[str, Any]:
    """Make the billing database if it is missing, and return a config file for its five tables."""
    if not file.exists():
        demo.simulate_billing("make", str(file), "--rows", "500")
    config: dict[str, Any] = json.loads(demo.simulate_billing("config", str(file)))
    source = config["sources"][0]
    tables = [{**table, "collection": PREFIX + table["collection"]} for table in source["tables"]]
    names = [{"name": table["collection"]} for table in tables]
    return {"collections": names, "sources": [{**source, "name": BILLING, "tables": tables}]}


def sync_records(demo: DemoSession) -> dict[str, int]:
    """Sync both sources and return the sums of their counts."""
    runs = [demo.bokit("sync", "--source", name)["counts"] for name in (CRM, BILLING)]
    return {name: sum(run[name] for run in runs) for name in runs[0]}
