"""Errors of AWS and of PynamoDB, as the stores raise them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError
from pynamodb.exceptions import PynamoDBException, TableDoesNotExist, TransactWriteError

from bokit.aws_errors import AWS_ERRORS, AwsCause, AwsFault, AwsService, read_code, read_fault
from bokit.errors import NO_TABLE, BokitError, InputError, RequestRefusedError, StoreConflictError, StoreUnreachableError

TABLE = AwsService(
    name="the table",
    missing="no such table; run `make up`, or set BOKIT_STACK to the name of a deployed stack",
    unreachable="run `make up`, or check AWS_ENDPOINT_URL and the region",
)
_NO_TABLE = read_code("ResourceNotFoundException")
_MET = frozenset({"TransactionConflictException", "ReplicatedWriteConflictException"})
"""The answers to a single write that met a transaction."""
_UNKNOWN = read_code("PynamoDB")


class ConditionFailedError(StoreConflictError):
    """At least one condition failed, and nothing else was wrong; *failed* says of each write of a transaction whether its did."""

    def __init__(self, failed: Sequence[bool] = ()) -> None:
        super().__init__("changed by another since it was read; read it again")
        self.failed = failed


class CollisionError(StoreConflictError):
    """A transaction met another write, or no room, and was cancelled: nothing is written, and botocore did not try it again."""

    code = "store-busy"


@contextmanager
def translated(facts: Mapping[str, Any]) -> Iterator[None]:
    """Raise an error of ours, with *facts*, for each of PynamoDB's or botocore's."""
    try:
        yield
    except (PynamoDBException, *AWS_ERRORS) as error:
        raise translate_error(error, facts) from error


def translate_error(error: Exception, facts: Mapping[str, Any]) -> BokitError:
    """Return our error for one of AWS or PynamoDB.

    busy                      StoreConflictError, ``store-busy``; of a cancelled transaction CollisionError
    a condition failed        ConditionFailedError
    too large                 InputError, ``too-large``
    wrong in itself           RequestRefusedError
    any other                 StoreUnreachableError, with what to check
    """
    reasons = error.cancellation_reasons if isinstance(error, TransactWriteError) else []
    faults = [None if reason is None else read_code(reason.code, reason.message or "", 400) for reason in reasons]
    fault = _first_of(faults) or _read_cause(error)
    if fault.cause is AwsCause.CONDITION:
        return ConditionFailedError([each is not None and each.cause is AwsCause.CONDITION for each in faults])
    if fault.cause is AwsCause.BUSY:
        kind = CollisionError if faults or fault.code in _MET else StoreConflictError
        return kind(fault.describe(TABLE), code="store-busy", **facts)
    if fault.cause is AwsCause.TOO_LARGE:
        return InputError("too large for the store", code="too-large")
    if fault.cause is AwsCause.MISSING:
        return StoreUnreachableError(fault.describe(TABLE), code=NO_TABLE, **facts, error=fault.code)
    other = RequestRefusedError if fault.cause is AwsCause.INVALID else StoreUnreachableError
    return other(fault.describe(TABLE), **facts, error=fault.code)


def _first_of(faults: Sequence[AwsFault | None]) -> AwsFault | None:
    """Return the reason that counts of a cancelled transaction's: where one is busy, nothing is known of the conditions."""
    found = {fault.cause: fault for fault in faults if fault}
    most = (AwsCause.BUSY, AwsCause.CONDITION, AwsCause.TOO_LARGE, *AwsCause)
    return next((found[cause] for cause in most if cause in found), None)


def _read_cause(error: Exception) -> AwsFault:
    cause = error.cause if isinstance(error, PynamoDBException) else error
    if isinstance(error, TableDoesNotExist):
        return _NO_TABLE
    if not isinstance(cause, AWS_ERRORS):
        return _UNKNOWN
    whole = cause.__cause__  # PynamoDB's copy of an answer lacks its HTTP status
    return read_fault(whole if isinstance(whole, ClientError) else cause)
