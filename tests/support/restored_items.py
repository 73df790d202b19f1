"""What a restore makes of a table, item for item, by the rules that docs/restore.md lists."""

from __future__ import annotations

from typing import Any

from bokit.core.model.backup_file import RawItem
from bokit.core.model.limits import EVENT_JUMP
from bokit.store.dynamo.items import is_left_out, neutralise
from bokit.store.dynamo.store import DynamoStore

MARKS = {"SCHEMA", "RESTORE"}
OF_A_RAISE = ("stamp", "nonce")


def scan(store: DynamoStore) -> dict[tuple[str, str], RawItem]:
    """Return every item, by its key."""
    pages = store.client.get_paginator("scan").paginate(TableName=store.table_name, ConsistentRead=True)
    return {(i["pk"]["S"], i["sk"]["S"]): i for page in pages for i in page["Items"] if i["pk"]["S"] not in MARKS}


def expected(items: dict[tuple[str, str], RawItem]) -> dict[tuple[str, str], RawItem]:
    """Return what a restore makes of a table's items, by the rules that docs/restore.md lists."""
    kept: dict[tuple[str, str], dict[str, Any]] = {
        key: dict(neutralise(item)) for key, item in items.items() if not is_left_out(key[0])
    }
    for (_, sk), item in kept.items():
        if sk == "SEQ":
            item["seq"] = {"N": str(int(item["seq"]["N"]) + EVENT_JUMP)}
    return dict(kept)


def same(found: dict[tuple[str, str], RawItem], wanted: dict[tuple[str, str], RawItem]) -> None:
    """Fail with the first items that differ."""
    assert set(found) == set(wanted)
    assert [(key, found[key], item) for key, item in wanted.items() if _plain(key, found[key]) != _plain(key, item)] == []


def _plain(key: tuple[str, str], item: RawItem) -> Any:
    """Return *item* with its sets in order; without what a raise of the events' number leaves of itself, which is another's."""
    left_out = OF_A_RAISE if key[1] == "SEQ" else ()
    kept = {name: value for name, value in item.items() if name not in left_out}
    return {n: {k: sorted(v) if k in ("SS", "NS", "BS") else v for k, v in value.items()} for n, value in kept.items()}
