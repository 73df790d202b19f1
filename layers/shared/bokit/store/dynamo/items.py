"""The table's items as they are, for a backup: read in an order in which a file is as good as the table after a crash.

A sync writes records, then the agreed state, then the head. A backup reads against that order, beside syncs that write:

    read      heads and schedules ──► agreed states ──► everything else
    so        a head is never newer than the agreed state, nor that newer than the records: the next sync reads the feed
              again where it must, as it does after a worker's death

One item is read whole. A value in several parts is read until its item and its parts are of one write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from bokit.core.model.backup_file import RawItem
from bokit.errors import StoreConflictError
from bokit.store.dynamo import keys
from bokit.store.dynamo.faults import translated
from bokit.store.dynamo.gateway import TableGateway
from bokit.store.dynamo.keys import Key
from bokit.store.limits import BATCH_FIRST_PAUSE, BATCH_MOST_PAUSE, MAX_BATCH_DELETES, MAX_BATCH_TRIES, MAX_READ_TRIES

RESTORE = Key("RESTORE", "RESTORE")
"""The key of the mark of a restore that has begun."""
_OWN_STATE = ("holder", "until", "nonce", "open_leases", "lowered")
"""What a lease or a claim leaves in a head, a schedule and an endpoint: who held it has ended by the time of a restore."""
_MARKS = frozenset({keys.SCHEMA.pk, RESTORE.pk})


class DynamoItems:
    """``ItemStore`` on the table."""

    _table: TableGateway

    # ── reading ──

    def read_items(self) -> Iterator[RawItem]:
        sources: set[tuple[str, str]] = set()
        for head in self._read_heads():
            if head["sk"]["S"] != "STATE":
                sources.add((head["tenant"]["S"], head["sk"]["S"]))
            yield neutralise(head)
        agreed = {_snapshot_partition(*source) for source in sources}
        for partition in sorted(agreed):
            yield from self._read_whole(self._query(partition))
        others = (item for item in self._pages("scan") if not _is_of(item, agreed))
        yield from map(neutralise, self._read_whole(others))
        if {(head["tenant"]["S"], head["sk"]["S"]) for head in self._read_heads() if "tenant" in head} != sources:
            raise StoreConflictError("sources were added or removed while the backup was read; make it again")

    def _read_heads(self) -> Iterator[RawItem]:
        for shard in self._query(keys.SHARDS):
            yield from self._query(f"SHARD#{shard['sk']['S']}")

    def _read_whole(self, items: Iterable[RawItem]) -> Iterator[RawItem]:
        """Yield each item, and after it the parts of its value."""
        for item in items:
            yield from self._with_parts(item) if "parts" in item else [item]

    def _with_parts(self, item: RawItem) -> list[RawItem]:
        key = Key(item["pk"]["S"], item["sk"]["S"])
        for _ in range(MAX_READ_TRIES * 4):
            parts = list(self._query(keys.part_partition(key), f"{item['stamp']['S']}#"))
            if len(parts) == int(item["parts"]["N"]):
                return [item, *parts]
            found = self._get(key)
            if found is None:
                return []
            if "parts" not in found:
                return [found]
            item = found
        raise StoreConflictError("a value was changed again and again while the backup was read; make it again")

    def _get(self, key: Key) -> RawItem | None:
        return self._ask("get_item", Key=_key_of(key), ConsistentRead=True).get("Item")  # type: ignore[no-any-return]

    def _query(self, pk: str, beginning: str = "") -> Iterator[RawItem]:
        names: dict[str, Any] = {":pk": {"S": pk}}
        if not beginning:
            return self._pages("query", KeyConditionExpression="pk = :pk", ExpressionAttributeValues=names)
        names[":sk"] = {"S": beginning}
        condition = "pk = :pk AND begins_with(sk, :sk)"
        return self._pages("query", KeyConditionExpression=condition, ExpressionAttributeValues=names)

    def _pages(self, call: str, **given: Any) -> Iterator[RawItem]:
        while True:
            answer = self._ask(call, ConsistentRead=True, **given)
            yield from answer["Items"]
            if not (last := answer.get("LastEvaluatedKey")):
                return
            given["ExclusiveStartKey"] = last

    def has_items(self) -> bool:
        return any(item["pk"]["S"] not in _MARKS for item in islice(self._pages("scan", Limit=5), 5))

    # ── writing ──

    def put_items(self, items: Iterable[RawItem]) -> None:
        self._write_all({"PutRequest": {"Item": item}} for item in items)

    def delete_items(self) -> None:
        keys_left = self._pages("scan", ProjectionExpression="pk, sk")
        self._write_all({"DeleteRequest": {"Key": key}} for key in keys_left if key["pk"]["S"] not in _MARKS)

    def _write_all(self, requests: Iterable[Mapping[str, Any]]) -> None:
        left = iter(requests)
        while group := list(islice(left, MAX_BATCH_DELETES)):
            self._write_group(group)

    def _write_group(self, group: list[Mapping[str, Any]]) -> None:
        table = self._table.name
        for attempt in range(MAX_BATCH_TRIES):
            answer = self._ask("batch_write_item", RequestItems={table: group})
            group = answer.get("UnprocessedItems", {}).get(table, [])
            if not group:
                return
            self._table.pauses.wait(attempt, first=BATCH_FIRST_PAUSE, most=BATCH_MOST_PAUSE)
        raise StoreConflictError("the table is busy; run the same command again, which goes on")

    def load_restore(self) -> Mapping[str, str]:
        found = self._get(RESTORE) or {}
        return {name: value["S"] for name, value in found.items() if name not in ("pk", "sk")}

    def save_restore(self, mark: Mapping[str, str]) -> None:
        item = {**_key_of(RESTORE), **{name: {"S": value} for name, value in mark.items()}}
        self._ask("put_item", TableName=self._table.name, Item=item)

    def end_restore(self) -> None:
        self._ask("delete_item", Key=_key_of(RESTORE))

    def _ask(self, call: str, **given: Any) -> Any:
        if call != "batch_write_item":
            given["TableName"] = self._table.name
        with translated({"table": self._table.name}):
            ask: Callable[..., Any] = getattr(self._table.client, call)
            return ask(**given)


def neutralise(item: RawItem) -> RawItem:
    """Return *item* as it is to be restored: nobody holds a claim or a lease any more.

    The fence stays, so a worker that wakes up with an older one is still refused.
    """
    if not item["pk"]["S"].startswith("SHARD#") and item["sk"]["S"] != "ENDPOINT":
        return item
    return {name: value for name, value in item.items() if name not in _OWN_STATE}


def is_left_out(pk: str) -> bool:
    """Return whether the items of a partition are not for a backup.

    outbox                  the stack that wrote it numbers and publishes it; again it would be said twice
    tickets, connections    they are of sockets that are closed by then
    usage                   counted from what there is, by the first write that needs it
    schema, restore         of the table itself
    """
    parts = pk.split("#")
    name = parts[2] if parts[0] == "T" and len(parts) > 2 else parts[0]
    return name in ("OUT", "TICKET", "CONNECTIONS", "USAGE") or pk in _MARKS


def is_part(pk: str) -> bool:
    """Return whether a partition has the parts of one value: they are read with their item."""
    parts = pk.split("#")
    if parts[0] == "PAGE":
        return parts[2:3] == ["PARTS"]
    if parts[0] != "T" or len(parts) < 4:
        return False
    return parts[3] == "PARTS" if parts[2] in ("RUNS", "ANSWERS") else parts[2] == "SNAPSHOT" and parts[4:5] == ["PARTS"]


def _is_of(item: RawItem, agreed: set[str]) -> bool:
    """Return whether an item was read already, is read with another one, or is left out."""
    pk = item["pk"]["S"]
    return pk.startswith("SHARD#") or pk in agreed or is_part(pk) or is_left_out(pk)


def _snapshot_partition(tenant: str, head: str) -> str:
    """Return the partition of the agreed state of the source whose head has the sort key *head*."""
    return f"{keys.join('T', tenant, 'SNAPSHOT')}#{head.removeprefix('HEAD#')}"


def _key_of(key: Key) -> dict[str, dict[str, str]]:
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}
