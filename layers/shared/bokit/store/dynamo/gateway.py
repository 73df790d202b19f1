"""The operations on the table that the stores of this package use: thin over PynamoDB, errors translated here only.

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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException, TableDoesNotExist, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from bokit.aws import open_session
from bokit.errors import BokitError, InputError, StoreConflictError, StoreUnreachableError
from bokit.store.dynamo.keys import DUE, Key
from bokit.store.dynamo.model import ItemRow, bind_row

_CONDITION_FAILED = frozenset({"ConditionalCheckFailedException", "ConditionalCheckFailed"})
_BUSY = frozenset(
    {
        "TransactionConflictException",
        "TransactionInProgressException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "ProvisionedThroughputExceededException",
        "InternalServerError",
        "TransactionConflict",
        "ThrottlingError",
    }
)
_DENIED = frozenset(
    {
        "AccessDeniedException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "ExpiredTokenException",
        "MissingAuthenticationTokenException",
        "IncompleteSignatureException",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PutItem:
    """Replace one item if *condition* holds of the stored one."""

    key: Key
    attributes: Mapping[str, Any]
    condition: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateItem:
    """Change some attributes of one item if *condition* holds."""

    key: Key
    actions: Sequence[Action]
    condition: Condition | None = None
    once: bool = False
    """It must not happen twice (it adds to a number): a repetition of the same request is refused and recognised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckItem:
    """Let the transaction pass only if *condition* holds of an item that it does not write."""

    key: Key
    condition: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteItem:
    """Remove one item if *condition* holds."""

    key: Key
    condition: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
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


class _ConditionFailedError(StoreConflictError):
    """At least one condition failed, and nothing else was wrong."""

    def __init__(self, reasons: Sequence[str | None] = ()) -> None:
        super().__init__("changed by another since it was read; read it again")
        self.reasons = reasons


class TableGateway:
    """One table's items. Every read is strongly consistent, except for the index, which cannot be."""

    def __init__(self, table_name: str, *, region: str | None, endpoint_url: str | None) -> None:
        self._row = bind_row(table_name, region, endpoint_url)
        self._facts = {"table": table_name}
        with self._translated():
            # The client is made here, once, and not by the first 32 threads at the same time.
            self._connection = self._row.shared_connection()
            self._connection._local.session = open_session()  # PynamoDB has no public way to pass a session
            try:
                self.client: Any = self._connection.client
            except ValueError as error:
                raise StoreUnreachableError("the table's address is not a URL; check AWS_ENDPOINT_URL", **self._facts) from error

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
            rows = self._row.batch_get([tuple(key) for key in keys], consistent_read=True)
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

    def scan_keys(self, filtered: Condition) -> list[Key]:
        """Return the keys of all items for which *filtered* holds. Reads the whole table."""
        with self._translated():
            return _keys_of(self._row.scan(filtered, consistent_read=True, attributes_to_get=["pk", "sk"]))

    def put(self, put: PutItem) -> bool:
        """Write one item; return False if its condition failed."""
        row, nonce = self._make(put), None if put.condition is None else _new_nonce()
        row.nonce = nonce
        try:
            with self._translated():
                row.save(put.condition)
        except _ConditionFailedError:
            return self._find_written(put.key, nonce) is not None
        return True

    def update(self, update: UpdateItem) -> ItemRow | None:
        """Change one item and return it as it is now; return None if the condition failed."""
        row, nonce = self._row(update.key.pk, update.key.sk), _new_nonce() if update.once else None
        try:
            with self._translated():
                row.update(actions=_actions_of(update, nonce), condition=_condition_of(update, nonce))
        except _ConditionFailedError:
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
        with self._translated():
            self._row(key.pk, key.sk).delete()

    def delete_all(self, keys: Iterable[Key]) -> None:
        """Remove many items, 25 a request, without a condition."""
        with self._translated(), self._row.batch_write() as batch:
            for key in keys:
                batch.delete(self._row(key.pk, key.sk))

    def transact(self, transaction: Transaction) -> list[Key]:
        """Write all or nothing; return the keys whose condition failed, none if it was written."""
        try:
            with self._translated():
                self._send(transaction)
        except _ConditionFailedError as error:
            if not error.reasons:
                raise
            return [key for key, code in zip(transaction.keys, error.reasons, strict=True) if code in _CONDITION_FAILED]
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

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise our error for one of PynamoDB or botocore; let it pass where it is unknown."""
        try:
            yield
        except (PynamoDBException, BotoCoreError, ClientError) as error:
            if (ours := translate_error(error, self._facts)) is None:
                raise
            raise ours from error


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


def translate_error(error: Exception, facts: Mapping[str, Any]) -> BokitError | None:
    """Return our error for one of AWS or PynamoDB, or None if it is unknown."""
    code = _code_of(error)
    if code == "TransactionCanceledException" and isinstance(error, TransactWriteError):
        return _translate_cancellation(error, facts)
    if code in _CONDITION_FAILED:
        return _ConditionFailedError()
    if code in _BUSY:
        return _busy(facts)
    if code == "ResourceNotFoundException" or isinstance(error, TableDoesNotExist):
        return StoreUnreachableError("no such table; run `make up`, or set BOKIT_TABLE to the stack's output", **facts)
    if code in _DENIED:
        return StoreUnreachableError("access to the table is denied; check the AWS credentials and their rights", **facts)
    if code == "ValidationException" and _names_size(_message_of(error)):
        return _too_large()
    if code is None and _is_network(error):
        return StoreUnreachableError(
            "the table does not answer; run `make up`, or check AWS_ENDPOINT_URL and the region", **facts
        )
    return None


def _translate_cancellation(error: TransactWriteError, facts: Mapping[str, Any]) -> BokitError | None:
    codes = [None if reason is None else reason.code for reason in error.cancellation_reasons]
    if not _BUSY.isdisjoint(codes):
        return _busy(facts)
    if not _CONDITION_FAILED.isdisjoint(codes):
        return _ConditionFailedError(codes)
    if any(reason and _names_size(reason.message) for reason in error.cancellation_reasons):
        return _too_large()
    return None


def _with(write: PutItem | UpdateItem | DeleteItem, puts: Sequence[PutItem]) -> Transaction:
    """Return the transaction of one write and *puts*."""
    if isinstance(write, PutItem):
        return Transaction(puts=[write, *puts])
    if isinstance(write, UpdateItem):
        return Transaction(puts=puts, updates=[write])
    return Transaction(puts=puts, deletes=[write])


def _busy(facts: Mapping[str, Any]) -> StoreConflictError:
    return StoreConflictError("the table is busy; try again", code="store-busy", **facts)


def _too_large() -> InputError:
    return InputError("too large for the store", code="too-large")


def _keys_of(rows: Iterable[ItemRow]) -> list[Key]:
    return [Key(row.pk, row.sk) for row in rows]


def _code_of(error: Exception) -> str | None:
    if isinstance(error, PynamoDBException):
        return error.cause_response_code
    return str(error.response.get("Error", {}).get("Code")) if isinstance(error, ClientError) else None


def _message_of(error: Exception) -> str | None:
    return error.cause_response_message if isinstance(error, PynamoDBException) else str(error)


def _names_size(message: str | None) -> bool:
    return "size" in (message or "").lower()


def _is_network(error: Exception) -> bool:
    """Return whether botocore got no answer: endpoint, connection, credentials, region."""
    return isinstance(error, BotoCoreError) or isinstance(getattr(error, "cause", None), BotoCoreError)
