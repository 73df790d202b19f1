"""The demo's last chapter: clients of an API and tables of a database, synced with the same care as bookings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.demo import Demo


def show_records(demo: Demo) -> None:
    """Declare a client API and a billing database, sync both, and sync them again."""
    home = demo.place.home
    for name, config in (("clients", client_api(demo.place.simulator_url)), ("billing", billing(demo, home / "billing.db"))):
        file = home / f"demo-{name}.json"
        file.write_text(json.dumps(config))
        demo.bokit("config", "import", str(file))
    counts = sync_records(demo)
    again = sync_records(demo)
    print(f"A client API and five tables of a billing database hold {counts['seen']} records; Bokit knows them all now.")
    print(f"Synced again, it wrote {again['created'] + again['updated']}: what did not change costs a hash.")


def client_api(url: str) -> dict[str, Any]:
    """Return a config of the simulated client API."""
    source = {
        "name": "CRM",
        "kind": "json",
        "url": f"{url}/api/clients",
        "headers": {"Authorization": "Bearer sim-key"},
        "items": "data",
        "id": "id",
        "collection": "contacts",
        "on_missing": "mark",
    }
    return {"collections": [{"name": "contacts", "preserve": ["created_at"]}], "sources": [source]}


def billing(demo: Demo, file: Path) -> dict[str, Any]:
    """Make the billing database where there is none, and return a config of its five tables."""
    if not file.exists():
        demo.simulate_billing("make", str(file), "--rows", "500")
    return dict(json.loads(demo.simulate_billing("config", str(file))))


def sync_records(demo: Demo) -> dict[str, int]:
    """Sync both sources, due or not, and return what was done."""
    runs = [demo.bokit("sync", "--source", name)["counts"] for name in ("CRM", "Billing")]
    return {name: sum(run[name] for run in runs) for name in runs[0]}
