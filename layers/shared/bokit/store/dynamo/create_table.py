"""Creates the table from the model, for tests on moto and the emulator; a real stack's comes from the template."""

from __future__ import annotations

from bokit.store.dynamo.model import bind_row


def create_table(table_name: str, *, region: str | None = None, endpoint_url: str | None = None) -> None:
    """Create the table, its index and its TTL where they do not exist."""
    row = bind_row(table_name, region, endpoint_url)
    if not row.exists():
        row.create_table(wait=True)
