"""The table's verbs, for the adapters of this package: thin over PynamoDB, errors translated in one place.

A condition that does not hold is an answer here (False, None, or the keys that failed), not an error: what it means
is for the caller to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException, TableDoesNotExist, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from bokit.aws import open_session
from bokit.errors import BokitError, InputError, StoreConflictError, StoreUnreachableError
from bokit.store.dynamo.keys import DUE, Key
from bokit.store.dynamo.model import Row, bind_row

_NOT_HELD = "ConditionalCheckFailedException"
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
_REFUSED = frozenset(
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
class Put:
    """Write one item whole, if *condition* holds of what is there."""

    key: Key
    attributes: Mapping[str, Any]
    condition: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Change some attributes of one item, if *condition* holds."""

    key: Key
    actions: Sequence[Action]
    condition: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Let the transaction pass only if *condition* holds of an item that it does not write."""

    key: Key
    condition: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Remove one item, if *condition* holds."""

    key: Key
    condition: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """All of it or nothing."""

    checks: Sequence[Check] = field(default=())
    deletes: Sequence[Delete] = field(default=())
    puts: Sequence[Put] = field(default=())
    updates: Sequence[Update] = field(default=())

    @property
    def keys(self) -> list[Key]:
        """The items, in the order in which PynamoDB sends them and DynamoDB tells reasons."""
        parts: list[Check | Delete | Put | Update] = [*self.checks, *self.deletes, *self.puts, *self.updates]
        return [part.key for part in parts]


class Rows:
    """One table's items. Every read is strongly consistent, but for the index, which cannot be."""

    def __init__(self, table_name: str, *, region: str | None, endpoint_url: str | None) -> None:
        self._row = bind_row(table_name, region, endpoint_url)
        self._facts = {"table": table_name}
        with self._translated():
            # The one client is made here, once, and not by the first 32 threads at the same time.
            self._connection = self._row.shared_connection()
            self._connection._local.session = open_session()  # PynamoDB has no other door for a session of one's own
            try:
                self.client: Any = self._connection.client
            except ValueError as error:
                raise StoreUnreachableError("the table's address is no URL; check AWS_ENDPOINT_URL", **self._facts) from error

    def get(self, key: Key) -> Row | None:
        """Return one item; None where there is none."""
        with self._translated():
            try:
                return self._row.get(key.pk, key.sk, consistent_read=True)
            except self._row.DoesNotExist:
                return None

    def get_all(self, keys: Iterable[Key]) -> dict[Key, Row]:
        """Return the items that exist, in batches of a hundred."""
        with self._translated():
            rows = self._row.batch_get([tuple(key) for key in keys], consistent_read=True)
            return {Key(row.pk, row.sk): row for row in rows}

    def query(
        self, pk: str, condition: Condition | None = None, *, newest_first: bool = False, limit: int | None = None
    ) -> list[Row]:
        """Return the items of a partition, in the order of their sort keys."""
        with self._translated():
            found = self._row.query(
                pk, condition, consistent_read=True, scan_index_forward=not newest_first, limit=limit, page_size=limit
            )
            return list(found)

    def query_keys(self, pk: str) -> list[Key]:
        """Return the keys of the items of a partition."""
        with self._translated():
            found = self._row.query(pk, consistent_read=True, attributes_to_get=["pk", "sk"])
            return [Key(row.pk, row.sk) for row in found]

    def query_one(self, pk: str, filtered: Condition) -> Row | None:
        """Return the first item of a partition of which *filtered* holds."""
        with self._translated():
            return next(iter(self._row.query(pk, filter_condition=filtered, consistent_read=True)), None)

    def query_due(self, until: int, limit: int) -> list[Key]:
        """Return the keys of what is due by *until*, earliest first."""
        with self._translated():
            found = self._row.due.query(DUE, Row.due_at <= until, limit=limit, page_size=limit)
            return [Key(row.pk, row.sk) for row in found]

    def scan_keys(self, filtered: Condition) -> list[Key]:
        """Return the keys of all items of which *filtered* holds: reads the whole table."""
        with self._translated():
            found = self._row.scan(filtered, consistent_read=True, attributes_to_get=["pk", "sk"])
            return [Key(row.pk, row.sk) for row in found]

    def put(self, put: Put) -> bool:
        """Write one item; False where its condition did not hold."""
        with self._translated():
            try:
                self._make(put).save(put.condition)
            except PynamoDBException as error:
                if error.cause_response_code == _NOT_HELD:
                    return False
                raise
            return True

    def update(self, update: Update) -> Row | None:
        """Change one item and return it as it is now; None where the condition did not hold."""
        row = self._row(update.key.pk, update.key.sk)
        with self._translated():
            try:
                row.update(actions=list(update.actions), condition=update.condition)
            except PynamoDBException as error:
                if error.cause_response_code == _NOT_HELD:
                    return None
                raise
            return row

    def delete(self, key: Key) -> None:
        """Remove one item; nothing happens where there is none."""
        with self._translated():
            self._row(key.pk, key.sk).delete()

    def delete_all(self, keys: Iterable[Key]) -> None:
        """Remove many items, 25 a request, without any condition."""
        with self._translated(), self._row.batch_write() as batch:
            for key in keys:
                batch.delete(self._row(key.pk, key.sk))

    def transact(self, transaction: Transaction) -> list[Key]:
        """Write all or nothing; return the keys whose condition did not hold: none where it was written."""
        try:
            with self._translated():
                self._send(transaction)
        except _Cancelled as cancelled:
            return [key for key, code in zip(transaction.keys, cancelled.codes, strict=True) if code == "ConditionalCheckFailed"]
        return []

    def _send(self, transaction: Transaction) -> None:
        with TransactWrite(connection=self._connection) as batch:
            for check in transaction.checks:
                batch.condition_check(self._row, check.key.pk, check.key.sk, condition=check.condition)
            for delete in transaction.deletes:
                batch.delete(self._row(delete.key.pk, delete.key.sk), condition=delete.condition)
            for put in transaction.puts:
                batch.save(self._make(put), condition=put.condition)
            for update in transaction.updates:
                batch.update(self._row(update.key.pk, update.key.sk), actions=list(update.actions), condition=update.condition)

    def _make(self, put: Put) -> Row:
        return self._row(put.key.pk, put.key.sk, **put.attributes)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn every error of PynamoDB and botocore into one of ours, or let it pass where it is unknown."""
        try:
            yield
        except (PynamoDBException, BotoCoreError, ClientError) as error:
            if (ours := translate_error(error, self._facts)) is None:
                raise
            raise ours from error


class _Cancelled(BokitError):
    """A transaction in which at least one condition did not hold, and nothing else was wrong."""

    def __init__(self, codes: list[str | None]) -> None:
        super().__init__("a condition of the transaction did not hold")
        self.codes = codes


def translate_error(error: Exception, facts: Mapping[str, Any]) -> BokitError | None:
    """Return ours for an error of AWS or PynamoDB; None for one that we do not know."""
    code = _code_of(error)
    if code == "TransactionCanceledException" and isinstance(error, TransactWriteError):
        return _translate_cancellation(error, facts)
    if code == _NOT_HELD:
        return StoreConflictError("changed by another since it was read; read it again")
    if code in _BUSY:
        return StoreConflictError("the table is busy; try again", code="store-busy", **facts)
    if code == "ResourceNotFoundException" or isinstance(error, TableDoesNotExist):
        return StoreUnreachableError("no such table; run `make up`, or set BOKIT_TABLE to the stack's output", **facts)
    if code in _REFUSED:
        return StoreUnreachableError("the table refuses us; check the AWS credentials and their rights", **facts)
    if code == "ValidationException" and _tells_size(_message_of(error)):
        return InputError("too large for the store", code="too-large")
    if code is None and _is_network(error):
        return StoreUnreachableError(
            "the table does not answer; run `make up`, or check AWS_ENDPOINT_URL and the region", **facts
        )
    return None


def _translate_cancellation(error: TransactWriteError, facts: Mapping[str, Any]) -> BokitError | None:
    codes = [None if reason is None else reason.code for reason in error.cancellation_reasons]
    if any(code in _BUSY for code in codes):
        return StoreConflictError("the table is busy; try again", code="store-busy", **facts)
    if "ConditionalCheckFailed" in codes:
        return _Cancelled(codes)
    if any(reason and _tells_size(reason.message) for reason in error.cancellation_reasons):
        return InputError("too large for the store", code="too-large")
    return None


def _code_of(error: Exception) -> str | None:
    if isinstance(error, PynamoDBException):
        return error.cause_response_code
    return str(error.response.get("Error", {}).get("Code")) if isinstance(error, ClientError) else None


def _message_of(error: Exception) -> str | None:
    return error.cause_response_message if isinstance(error, PynamoDBException) else str(error)


def _tells_size(message: str | None) -> bool:
    return "size" in (message or "").lower()


def _is_network(error: Exception) -> bool:
    """Whether botocore never got an answer: endpoint, connection, credentials, region."""
    return isinstance(error, BotoCoreError) or isinstance(getattr(error, "cause", None), BotoCoreError)
