"""The operations on the table that the stores of this package use: thin over PynamoDB, and errors translated.

A condition that fails is a return value (False, None, or the keys that failed), not an error: the caller knows its meaning.

An answer may be lost on its way, by a timeout or a reset connection. botocore then sends the same request again, and the second
answer is the one that arrives:

    time ─────────┬──────────────────┬───────────────────┬──────────────────────────►
    request       │ written, nonce n │ the answer is lost ·
    again         ·                  ·                   │ refused: n is there, so the write was this one

A put with a condition, and an update that must not happen twice (``once``), write a nonce by which the second answer is
recognised. A transaction has a token of botocore's, by which DynamoDB does the same.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from bokit.aws import open_session
from bokit.errors import StoreUnreachableError
from bokit.store.dynamo.batches import BatchRequests
from bokit.store.dynamo.faults import ConditionFailedError, translated
from bokit.store.dynamo.keys import DUE, SCHEMA, Key
from bokit.store.dynamo.model import ItemRow, bind_row
from bokit.store.dynamo.pauses import Pauses
from bokit.store.schema import check_schema
from bokit.values import Value

IndexPlace = Mapping[str, Any]
"""The keys of an item of the index, as DynamoDB has them: a query goes on after it."""
_UNREAD = -1
"""In the place of a schema number that was not read yet."""


class PutItem(Value):
    """Replace one item if *condition* holds of the stored one."""

    key: Key
    attributes: Mapping[str, Any]
    condition: Condition | None = None


class UpdateItem(Value):
    """Change some attributes of one item if *condition* holds."""

    key: Key
    actions: Sequence[Action]
    condition: Condition | None = None
    once: bool = False
    """It must not happen twice, or its condition fails after it: a repetition of the same request is refused and recognised."""


class CheckItem(Value):
    """Let the transaction pass only if *condition* holds of an item that it does not write."""

    key: Key
    condition: Condition


class DeleteItem(Value):
    """Remove one item if *condition* holds."""

    key: Key
    condition: Condition | None = None


class Transaction(Value):
    """Writes of which all happen, or none."""

    checks: Sequence[CheckItem] = ()
    deletes: Sequence[DeleteItem] = ()
    puts: Sequence[PutItem] = ()
    updates: Sequence[UpdateItem] = ()

    @property
    def keys(self) -> list[Key]:
        """Return the items' keys in the order in which PynamoDB sends them and DynamoDB returns the reasons."""
        items: list[CheckItem | DeleteItem | PutItem | UpdateItem] = [*self.checks, *self.deletes, *self.puts, *self.updates]
        return [item.key for item in items]


class TableGateway:
    """One table's items. Every read is strongly consistent, except for the index, which cannot be."""

    def __init__(self, table_name: str, *, region: str | None, endpoint_url: str | None, pauses: Pauses | None = None) -> None:
        self.pauses = pauses or Pauses()
        self._row = bind_row(table_name, region, endpoint_url)
        self.name, self._facts = table_name, {"table": table_name}
        self._schema_lock = threading.Lock()
        self._schema: int | None = _UNREAD
        with self._translated():
            # The client is made here, once, and not by the first 32 threads at the same time.
            self._connection = self._row.shared_connection()
            self._connection._local.session = open_session()  # PynamoDB has no public way to pass a session
            try:
                self.client: Any = self._connection.client
            except ValueError as error:
                raise StoreUnreachableError("the table's address is not a URL; check AWS_ENDPOINT_URL", **self._facts) from error
        self._batches = BatchRequests(connection=self._connection, table=table_name, pauses=self.pauses)

    def load_schema(self) -> int | None:
        """Return the table's schema number, read once by each process; None: no release has stored one."""
        with self._schema_lock:
            if self._schema == _UNREAD:
                row = self.get(SCHEMA)
                self._schema = None if row is None else int(row.schema_number)
        return self._schema

    def remember_schema(self, number: int | None) -> None:
        """Note the number that was stored; None: another process stored one, which is read when it is needed."""
        self._schema = _UNREAD if number is None else number

    def _admit_write(self) -> None:
        """Raise StoreUnreachableError before this process's first write to a table of a newer release."""
        check_schema(self.load_schema())

    def get(self, key: Key) -> ItemRow | None:
        """Return one item, or None."""
        with self._translated():
            try:
                return self._row.get(key.pk, key.sk, consistent_read=True)
            except self._row.DoesNotExist:
                return None

    def get_all(self, keys: Iterable[Key]) -> dict[Key, ItemRow]:
        """Return the items that exist, read a hundred at a time."""
        with self._translated():
            rows = [self._row.from_raw_data(item) for item in self._batches.read(keys)]
        return {Key(row.pk, row.sk): row for row in rows}

    def query(
        self, pk: str, condition: Condition | None = None, *, newest_first: bool = False, limit: int | None = None
    ) -> list[ItemRow]:
        """Return the items of a partition, in the order of their sort keys."""
        with self._translated():
            found = self._row.query(
                pk, condition, consistent_read=True, scan_index_forward=not newest_first, limit=limit, page_size=limit
            )
            return list(found)

    def query_page(self, pk: str, condition: Condition | None, limit: int) -> tuple[list[ItemRow], bool]:
        """Return the first items of a partition, by one request that reads a megabyte at most, and whether more may follow."""
        with self._translated():
            found = self._row.query(pk, condition, consistent_read=True, limit=limit, page_size=limit).page_iter
            page = next(found)
            return [self._row.from_raw_data(item) for item in page["Items"]], found.last_evaluated_key is not None

    def query_keys(self, pk: str, condition: Condition | None = None) -> list[Key]:
        """Return the keys of the items of a partition."""
        with self._translated():
            return _keys_of(self._row.query(pk, condition, consistent_read=True, attributes_to_get=["pk", "sk"]))

    def count(self, pk: str, condition: Condition | None = None) -> int:
        """Return the number of items of a partition; reads them all."""
        with self._translated():
            return int(self._row.count(pk, condition, consistent_read=True))

    def query_one(self, pk: str, filtered: Condition, *, newest_first: bool = False) -> ItemRow | None:
        """Return the first item of a partition for which *filtered* holds."""
        with self._translated():
            found = self._row.query(pk, filter_condition=filtered, consistent_read=True, scan_index_forward=not newest_first)
            return next(iter(found), None)

    def query_due(self, until: int, limit: int, partition: str = DUE) -> list[Key]:
        """Return the keys of the items of a *partition* of the index that are due by *until*, earliest first."""
        with self._translated():
            return _keys_of(self._row.due.query(partition, ItemRow.due_at <= until, limit=limit, page_size=limit))

    def query_due_page(self, until: int, limit: int, after: IndexPlace | None) -> tuple[list[Key], IndexPlace | None]:
        """Return the keys of DUE *after* a place in the index, as ``query_due`` does, and the place where more may follow."""
        with self._translated():
            place = None if after is None else dict(after)
            found = self._row.due.query(DUE, ItemRow.due_at <= until, limit=limit, page_size=limit, last_evaluated_key=place)
            return _keys_of(found), found.last_evaluated_key

    def scan_keys(self, filtered: Condition) -> list[Key]:
        """Return the keys of all items for which *filtered* holds. Reads the whole table."""
        with self._translated():
            return _keys_of(self._row.scan(filtered, consistent_read=True, attributes_to_get=["pk", "sk"]))

    def put(self, put: PutItem) -> bool:
        """Write one item; return False if its condition failed."""
        self._admit_write()
        row, nonce = self._make(put), None if put.condition is None else _new_nonce()
        row.nonce = nonce
        try:
            with self._translated():
                row.save(put.condition)
        except ConditionFailedError:
            return self._find_written(put.key, nonce) is not None
        return True

    def update(self, update: UpdateItem) -> ItemRow | None:
        """Change one item and return it as it is now; return None if the condition failed."""
        self._admit_write()
        row, nonce = self._row(update.key.pk, update.key.sk), _new_nonce() if update.once else None
        try:
            with self._translated():
                row.update(actions=_actions_of(update, nonce), condition=_condition_of(update, nonce))
        except ConditionFailedError:
            return self._find_written(update.key, nonce)
        return row

    def _find_written(self, key: Key, nonce: str | None) -> ItemRow | None:
        """Return the item if the request of this nonce wrote it last: its first answer was lost."""
        row = self.get(key) if nonce is not None else None
        return row if row is not None and row.nonce == nonce else None

    def write(self, write: PutItem | UpdateItem | DeleteItem, with_it: Sequence[PutItem]) -> bool:
        """Write one item, and others in the same transaction where there are any; return False if its condition failed."""
        if with_it or isinstance(write, DeleteItem):
            return not self.transact(_with(write, with_it))
        return self.put(write) if isinstance(write, PutItem) else self.update(write) is not None

    def delete(self, key: Key) -> None:
        """Remove one item, if it exists."""
        self._admit_write()
        with self._translated():
            self._row(key.pk, key.sk).delete()

    def delete_all(self, keys: Iterable[Key]) -> None:
        """Remove many items, 25 a request, without a condition."""
        self._admit_write()
        with self._translated():
            self._batches.delete(keys)

    def transact(self, transaction: Transaction) -> list[Key]:
        """Write all or nothing; return the keys whose condition failed, none if it was written."""
        self._admit_write()
        try:
            with self._translated():
                self._send(transaction)
        except ConditionFailedError as error:
            if not error.failed:
                raise
            return [key for key, failed in zip(transaction.keys, error.failed, strict=True) if failed]
        return []

    def _send(self, transaction: Transaction) -> None:
        with TransactWrite(connection=self._connection) as batch:
            for check in transaction.checks:
                batch.condition_check(self._row, check.key.pk, check.key.sk, condition=check.condition)
            for delete in transaction.deletes:
                batch.delete(self._row(*delete.key), condition=delete.condition)
            for put in transaction.puts:
                batch.save(self._make(put), condition=put.condition)
            for update in transaction.updates:
                batch.update(self._row(*update.key), actions=list(update.actions), condition=update.condition)

    def _make(self, put: PutItem) -> ItemRow:
        return self._row(*put.key, **put.attributes)

    def _translated(self) -> AbstractContextManager[None]:
        """Raise an error of ours for each of PynamoDB's or botocore's."""
        return translated(self._facts)


def _new_nonce() -> str:
    return secrets.token_urlsafe(9)


def _actions_of(update: UpdateItem, nonce: str | None) -> list[Action]:
    return [*update.actions, *([] if nonce is None else [ItemRow.nonce.set(nonce)])]


def _condition_of(update: UpdateItem, nonce: str | None) -> Condition | None:
    """Return the condition of *update*, and that this request has not written the item before."""
    if nonce is None:
        return update.condition
    is_first: Condition = ItemRow.nonce.does_not_exist() | (ItemRow.nonce != nonce)
    both: Condition = is_first if update.condition is None else update.condition & is_first
    return both


def _with(write: PutItem | UpdateItem | DeleteItem, puts: Sequence[PutItem]) -> Transaction:
    """Return the transaction of one write and *puts*."""
    if isinstance(write, PutItem):
        return Transaction(puts=[write, *puts])
    if isinstance(write, UpdateItem):
        return Transaction(puts=puts, updates=[write])
    return Transaction(puts=puts, deletes=[write])


def _keys_of(rows: Iterable[ItemRow]) -> list[Key]:
    return [Key(row.pk, row.sk) for row in rows]
