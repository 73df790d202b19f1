"""What DynamoDB really answers, given to the real store: each ends in an error of ours that says what to do."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as botocore_errors

import bokit.store.dynamo
from bokit.errors import BokitError, InputError, RequestRefusedError, StoreConflictError, StoreUnreachableError
from bokit.store.dynamo.gateway import CheckItem, DeleteItem, PutItem, TableGateway, Transaction, UpdateItem
from bokit.store.dynamo.keys import Key
from bokit.store.dynamo.model import ItemRow
from bokit.store.dynamo.pauses import Pauses
from bokit.store.dynamo.store import DynamoStore
from bokit.store.limits import MAX_BATCH_TRIES
from bokit.store.protocols import Store
from bokit.store.schema import SCHEMA
from bokit.values import replace
from tests.support.emulator import REGION
from tests.support.made_up import make_up_arguments
from tests.support.wire import CORAL, DYNAMO, SECRET, WireAnswer, cancellation, document, refusal, scripted

TABLE = "bokit-table"
BUSY, STOPS, REFUSED, LARGE = StoreConflictError, StoreUnreachableError, RequestRefusedError, InputError
MAX_ATTEMPTS = 4
"""Of botocore for one call."""


@dataclass
class Waits:
    """Pauses that are kept and not made; chance is at its most."""

    seconds: list[float] = field(default_factory=list)

    def pauses(self) -> Pauses:
        return Pauses(sleep=self.seconds.append, chance=lambda: 1.0)


@pytest.fixture(scope="module")
def waits() -> Waits:
    return Waits()


@pytest.fixture(scope="module")
def store(aws: None, waits: Waits) -> DynamoStore:
    """A store on a table that is nowhere: what it sends is answered by the tests."""
    return DynamoStore(TABLE, region=REGION, pauses=waits.pauses())


@pytest.fixture(autouse=True)
def known_schema(store: DynamoStore) -> None:
    """The schema number was read: a test's requests are those of what it calls."""
    store._table.remember_schema(SCHEMA)


@pytest.fixture
def rested(aws: None, waits: Waits) -> DynamoStore:
    """A store of its own: botocore tries less often where many calls of a client have failed."""
    store = DynamoStore(TABLE, region=REGION, pauses=waits.pauses())
    store._table.remember_schema(SCHEMA)
    return store


def no_answer(kind: type[Exception], **given: Any) -> WireAnswer:
    return WireAnswer(error=kind(**given))


def address(kind: type[Exception]) -> WireAnswer:
    return no_answer(kind, endpoint_url=f"https://{SECRET}.example", error="x", proxy_url="x")


CHECKSUM = {"checksum_type": "crc32", "expected_checksum": 1, "actual_checksum": SECRET}
HTML = b"<html><body><b>Http/1.1 Service Unavailable</b></body></html>"
LATE = "Signature expired: 20260601T120000Z is now earlier than 20260601T121000Z"
CASES: dict[str, tuple[WireAnswer, type[BokitError], str]] = {
    # busy, or broken at AWS
    "throttled": (refusal(f"{CORAL}ThrottlingException"), BUSY, "try again"),
    "throughput": (refusal(f"{DYNAMO}ProvisionedThroughputExceededException"), BUSY, "try again"),
    "request limit": (refusal(f"{DYNAMO}RequestLimitExceeded"), BUSY, "try again"),
    "500": (refusal(f"{DYNAMO}InternalServerError", 500), BUSY, "try again"),
    "500 empty": (WireAnswer(status=500, body=b""), BUSY, "try again"),
    "502 empty": (WireAnswer(status=502, body=b""), BUSY, "try again"),
    "503": (refusal("com.amazon.coral.availability#ServiceUnavailableException", 503), BUSY, "try again"),
    "503 page": (WireAnswer(status=503, body=HTML), BUSY, "try again"),
    "504 unknown": (refusal("Odd", 504), BUSY, "try again"),
    "429 empty": (WireAnswer(status=429, body=b""), BUSY, "try again"),
    "met a transaction": (refusal(f"{DYNAMO}TransactionConflictException"), BUSY, "try again"),
    "met a replica": (refusal(f"{DYNAMO}ReplicatedWriteConflictException"), BUSY, "try again"),
    "transaction in progress": (refusal(f"{DYNAMO}TransactionInProgressException"), BUSY, "try again"),
    "KMS throttled": (refusal(f"{CORAL}KMSThrottlingException"), BUSY, "try again"),
    # the set-up
    "KMS denied": (refusal(f"{CORAL}KMSAccessDeniedException"), STOPS, "KMS key"),
    "KMS disabled": (refusal(f"{CORAL}KMSDisabledException"), STOPS, "KMS key"),
    "KMS state": (refusal(f"{CORAL}KMSInvalidStateException"), STOPS, "KMS key"),
    "KMS gone": (refusal(f"{CORAL}KMSNotFoundException"), STOPS, "KMS key"),
    "denied": (refusal(f"{CORAL}AccessDeniedException"), STOPS, "their rights"),
    "denied by KMS": (refusal(f"{CORAL}AccessDeniedException", message="kms:Decrypt on the resource"), STOPS, "KMS key"),
    "403 page": (WireAnswer(status=403, body=HTML), STOPS, "their rights"),
    "unknown key": (refusal(f"{CORAL}UnrecognizedClientException"), STOPS, "credentials"),
    "expired token": (refusal(f"{CORAL}ExpiredTokenException"), STOPS, "sign in again"),
    "no token": (refusal(f"{CORAL}MissingAuthenticationTokenException"), STOPS, "credentials"),
    "wrong secret key": (refusal(f"{CORAL}InvalidSignatureException", message="does not match"), STOPS, "credentials"),
    "late": (refusal(f"{CORAL}InvalidSignatureException", message=LATE), STOPS, "clock"),
    "skewed": (refusal("RequestTimeTooSkewed", 403), STOPS, "clock"),
    "no table": (refusal(f"{DYNAMO}ResourceNotFoundException"), STOPS, "BOKIT_STACK"),
    "account limit": (refusal(f"{DYNAMO}LimitExceededException"), STOPS, "Service Quotas"),
    # no answer
    "no connection in time": (address(botocore_errors.ConnectTimeoutError), STOPS, "AWS_ENDPOINT_URL"),
    "no answer in time": (address(botocore_errors.ReadTimeoutError), STOPS, "AWS_ENDPOINT_URL"),
    "refused connection": (address(botocore_errors.EndpointConnectionError), STOPS, "AWS_ENDPOINT_URL"),
    "closed connection": (address(botocore_errors.ConnectionClosedError), STOPS, "AWS_ENDPOINT_URL"),
    "proxy": (address(botocore_errors.ProxyConnectionError), STOPS, "AWS_ENDPOINT_URL"),
    "cut answer": (no_answer(botocore_errors.ResponseStreamingError, error="x"), STOPS, "AWS_ENDPOINT_URL"),
    "wrong checksum": (no_answer(botocore_errors.ChecksumError, **CHECKSUM), STOPS, "AWS_ENDPOINT_URL"),
    "TLS": (address(botocore_errors.SSLError), STOPS, "AWS_CA_BUNDLE"),
    "no credentials": (no_answer(botocore_errors.NoCredentialsError), STOPS, "AWS_PROFILE"),
    "half of them": (no_answer(botocore_errors.PartialCredentialsError, provider="env", cred_var="x"), STOPS, "AWS_PROFILE"),
    "no role": (no_answer(botocore_errors.CredentialRetrievalError, provider="x", error_msg=SECRET), STOPS, "AWS_PROFILE"),
    "no profile": (no_answer(botocore_errors.ProfileNotFound, profile="x"), STOPS, "AWS_PROFILE"),
    # a fault of Bokit
    "validation": (refusal(f"{CORAL}ValidationException", message="Invalid UpdateExpression"), REFUSED, "report it"),
    "serialization": (refusal(f"{CORAL}SerializationException"), REFUSED, "report it"),
    "unknown operation": (refusal(f"{CORAL}UnknownOperationException"), REFUSED, "report it"),
    "another request's token": (refusal(f"{DYNAMO}IdempotentParameterMismatchException"), REFUSED, "report it"),
    "parameters": (no_answer(botocore_errors.ParamValidationError, report=SECRET), REFUSED, "report it"),
    # what is written
    "item size": (refusal(f"{CORAL}ValidationException", message="Item size has exceeded the maximum"), LARGE, "too large"),
    "collection size": (refusal(f"{DYNAMO}ItemCollectionSizeLimitExceededException"), LARGE, "too large"),
}
KEY, ANOTHER = Key("T#a#CATALOG", "X"), Key("T#a#CATALOG", "Y")
EXISTS = ItemRow.pk.exists()
PUT, UPDATE = PutItem(key=KEY, attributes={"doc": "x"}, condition=EXISTS), UpdateItem(key=KEY, actions=[ItemRow.doc.set("x")])


def load_schema(table: TableGateway) -> object:
    """Read the schema number as a process does that has not read it yet."""
    table.remember_schema(None)
    return table.load_schema()


CALLS: dict[str, Callable[[TableGateway], object]] = {
    "load_schema": load_schema,
    "get": lambda table: table.get(KEY),
    "get_all": lambda table: table.get_all([KEY, ANOTHER]),
    "query": lambda table: table.query(KEY.pk),
    "query_page": lambda table: table.query_page(KEY.pk, None, 10),
    "query_keys": lambda table: table.query_keys(KEY.pk),
    "query_one": lambda table: table.query_one(KEY.pk, ItemRow.doc.exists()),
    "query_due": lambda table: table.query_due(1, 1),
    "query_due_page": lambda table: table.query_due_page(1, 1, None),
    "count": lambda table: table.count(KEY.pk),
    "scan_keys": lambda table: table.scan_keys(EXISTS),
    "put": lambda table: table.put(PUT),
    "update": lambda table: table.update(UPDATE),
    "write": lambda table: table.write(UPDATE, [replace(PUT, key=ANOTHER)]),
    "delete": lambda table: table.delete(KEY),
    "delete_all": lambda table: table.delete_all([KEY, ANOTHER]),
    "transact": lambda table: table.transact(Transaction(puts=[PUT], checks=[CheckItem(key=ANOTHER, condition=EXISTS)])),
}


def public(kind: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


def test_every_kind_of_call_is_tried() -> None:
    """A new operation of the gateway belongs into CALLS; ``remember_schema`` sends nothing."""
    assert set(CALLS) == public(TableGateway) - {"remember_schema"}


@pytest.mark.parametrize("call", CALLS)
def test_every_answer_ends_in_an_error_of_ours_that_says_what_to_do(call: str, store: DynamoStore) -> None:
    """Of the right class, after at most four requests, with what to do and without a word of AWS's; nothing passes raw."""
    for name, (answer, kind, advice) in CASES.items():
        with scripted(store.client, lambda *_, given=answer: given) as wire, pytest.raises(BokitError) as caught:
            CALLS[call](store._table)
        error = caught.value
        assert (name, type(error).__mro__[:-3].count(kind)) == (name, 1), repr(error)
        assert (name, advice in str(error), SECRET in repr(error)) == (name, True, False), str(error)
        assert 1 <= len(wire.asked) <= MAX_ATTEMPTS, name
        assert isinstance(error, InputError) or error.facts["table"] == TABLE


CANCELLED: dict[str, tuple[WireAnswer, type[BokitError] | None]] = {
    "met another": (cancellation("TransactionConflict", "None"), BUSY),
    "throttled": (cancellation("ThrottlingError", "None"), BUSY),
    "throughput": (cancellation("None", "ProvisionedThroughputExceeded"), BUSY),
    "condition, and met another": (cancellation("ConditionalCheckFailed", "TransactionConflict"), BUSY),
    "condition, and throttled": (cancellation("ThrottlingError", "ConditionalCheckFailed"), BUSY),
    "condition": (cancellation("None", "ConditionalCheckFailed"), None),
    "exists already": (cancellation("None", "DuplicateItem"), None),
    "collection size": (cancellation("None", "ItemCollectionSizeLimitExceeded"), LARGE),
    "item size": (cancellation("None", "ValidationError", message="Item size has exceeded"), LARGE),
    "validation": (cancellation("ValidationError", "None"), REFUSED),
    "denied": (cancellation("AccessDenied", "None"), STOPS),
    "unknown": (cancellation("None", "OfTomorrow"), REFUSED),
    "without a reason": (cancellation(), BUSY),
}


@pytest.mark.parametrize("name", CANCELLED)
def test_every_reason_of_a_cancelled_transaction_is_known(name: str, store: DynamoStore) -> None:
    """Where one is busy it is tried again later; a failed condition is an answer, and says which key."""
    answer, kind = CANCELLED[name]
    with scripted(store.client, lambda *_: answer) as wire:
        if kind is None:
            assert CALLS["transact"](store._table) == [KEY]
        else:
            with pytest.raises(kind) as caught:
                CALLS["transact"](store._table)
            assert SECRET not in repr(caught.value)
    assert len(wire.asked) == 1


def test_a_transaction_is_sent_again_with_its_own_token(rested: DynamoStore) -> None:
    """By which DynamoDB does it once, though its first answers were lost; another transaction has another token."""
    tokens = []
    for _ in "12":
        with scripted(rested.client, lambda *_: WireAnswer(status=500, body=b"")) as wire, pytest.raises(BUSY):
            CALLS["transact"](rested._table)
        tokens.append({asked["ClientRequestToken"] for _, asked in wire.asked})
        assert len(wire.asked) == MAX_ATTEMPTS

    assert [len(sent) for sent in tokens] == [1, 1]
    assert tokens[0] != tokens[1]


FOUND_NONE = document({"Items": [], "Count": 0, "ScannedCount": 0})
NOTHING = {
    "GetItem": document({}),
    "Query": FOUND_NONE,
    "Scan": FOUND_NONE,
    "BatchGetItem": document({"Responses": {TABLE: []}, "UnprocessedKeys": {}}),
    "BatchWriteItem": document({"UnprocessedItems": {}}),
    "PutItem": document({}),
    "UpdateItem": refusal(f"{DYNAMO}ConditionalCheckFailedException"),
    "DeleteItem": document({}),
    "TransactWriteItems": document({}),
}
"""The answers of an empty table."""
METHODS = {name: method for name, method in inspect.getmembers(Store, inspect.isfunction) if not name.startswith("_")}
LATER_CASES = ("503 page", "KMS disabled", "validation", "no answer in time")


@dataclass
class FailsFrom:
    """An empty table of which every request from a number on fails alike."""

    first: int
    answer: WireAnswer
    sent: int = 0
    failed: int = 0

    def __call__(self, operation: str, asked: dict[str, Any]) -> WireAnswer:
        self.sent += 1
        self.failed += self.sent >= self.first
        return self.answer if self.failed else NOTHING[operation]


TWICE = pytest.param("apply_records", marks=pytest.mark.breaks("item-twice"))
"""What is made up has one id, the notice and the event of a write too."""


@pytest.mark.parametrize("name", [TWICE if name == "apply_records" else name for name in METHODS])
def test_every_method_of_the_store_ends_in_an_error_of_ours(name: str, store: DynamoStore) -> None:
    """At whichever of its requests the table fails: a method that is new here is tried as well, with made-up arguments."""
    arguments = make_up_arguments(METHODS[name])
    if name == "apply_records":
        arguments["writes"] = None  # counting them is tried by itself; in an empty table it ends the write
    tried = 0
    for case in LATER_CASES:
        answer, kind, _ = CASES[case]
        for first in range(1, 30):
            script, error = FailsFrom(first=first, answer=answer), None
            if name in ("load_schema", "raise_schema"):
                store._table.remember_schema(None)
            with scripted(store.client, script):
                try:
                    getattr(store, name)(**arguments)
                except BokitError as caught:
                    error = caught
            if not script.failed:
                break
            tried += 1
            assert isinstance(error, kind), f"{case} at request {first}: {error!r}"
            assert script.failed <= MAX_ATTEMPTS
    assert tried >= (0 if name == "load_events" else len(LATER_CASES))


def test_only_the_gateway_and_its_helpers_call_pynamodb() -> None:
    """The stores build conditions and actions of PynamoDB's; all that sends, and so all that can fail, is in few modules."""
    folder = Path(bokit.store.dynamo.__file__).parent
    senders = {
        path.stem
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in ("pynamodb", "botocore")
        if not str(node.module).startswith("pynamodb.expressions")
    }

    assert senders == {"gateway", "batches", "faults", "model"}


# ── batches ──


class HalfDone:
    """A table that does of each batch what *does* says, and returns the rest."""

    def __init__(self, does: Callable[[int, int], int]) -> None:
        self.does, self.turns = does, 0
        self.done: list[dict[str, Any]] = []

    def __call__(self, operation: str, asked: dict[str, Any]) -> WireAnswer:
        whole = asked["RequestItems"][TABLE]
        listed = whole["Keys"] if operation == "BatchGetItem" else whole
        self.turns += 1
        most = self.does(self.turns, len(listed))
        self.done += listed[:most]
        rest = (
            {TABLE: {**whole, "Keys": listed[most:]} if operation == "BatchGetItem" else listed[most:]} if listed[most:] else {}
        )
        if operation == "BatchGetItem":
            return document({"Responses": {TABLE: listed[:most]}, "UnprocessedKeys": rest})
        return document({"UnprocessedItems": rest})


BATCHES: dict[str, Callable[[TableGateway, list[Key]], Any]] = {
    "get_all": lambda table, keys: table.get_all(keys),
    "delete_all": lambda table, keys: table.delete_all(keys),
}


@pytest.mark.parametrize("call", BATCHES)
def test_what_a_batch_leaves_is_asked_again_after_pauses(call: str, store: DynamoStore, waits: Waits) -> None:
    """Each rest alone, until nothing is left; every key once, though it was named twice, and each pause longer."""
    keys = [Key("p", f"{n:03d}") for n in range(20)]
    waits.seconds.clear()
    table = HalfDone(lambda turn, size: size if turn == 5 else turn)
    with scripted(store.client, table) as wire:
        found = BATCHES[call](store._table, [*keys, *keys[:5]])

    assert [len(table_of(asked)) for _, asked in wire.asked] == [20, 19, 17, 14, 10]
    assert len(table.done) == len(keys)
    assert found is None or set(found) == set(keys)
    assert waits.seconds == [0.05, 0.1, 0.2, 0.4]


def table_of(asked: dict[str, Any]) -> list[Any]:
    whole = asked["RequestItems"][TABLE]
    return whole["Keys"] if isinstance(whole, dict) else whole


@pytest.mark.parametrize("call", BATCHES)
def test_a_batch_of_which_nothing_is_done_ends_in_an_error(call: str, store: DynamoStore, waits: Waits) -> None:
    """After ten tries and less than six seconds; PynamoDB would ask for ever, without a pause."""
    waits.seconds.clear()
    with scripted(store.client, HalfDone(lambda turn, size: 0)) as wire, pytest.raises(StoreConflictError) as caught:
        BATCHES[call](store._table, [KEY, ANOTHER])

    assert caught.value.stable_code == "store-busy"
    assert len(wire.asked) == MAX_BATCH_TRIES == 10
    assert len(waits.seconds) == MAX_BATCH_TRIES - 1
    assert sum(waits.seconds) < 6
    assert max(waits.seconds) == 1.0


@pytest.mark.parametrize("call", BATCHES)
def test_many_keys_are_asked_in_batches_that_dynamodb_takes(call: str, store: DynamoStore, waits: Waits) -> None:
    """A hundred reads or 25 deletions a request, and none for no key."""
    waits.seconds.clear()
    sizes = {"get_all": [100, 100, 50], "delete_all": [25] * 10}[call]
    for count, expected in ((250, sizes), (0, [])):
        with scripted(store.client, HalfDone(lambda turn, size: size)) as wire:
            BATCHES[call](store._table, [Key("p", str(n)) for n in range(count)])
        assert [len(table_of(asked)) for _, asked in wire.asked] == expected
    assert waits.seconds == []


def test_a_pause_is_a_random_part_of_a_time_that_doubles() -> None:
    """So that writers who met do not meet again, and nobody waits longer than the most."""
    waited: list[float] = []
    for chance in (0.0, 0.5, 1.0):
        pauses = Pauses(sleep=waited.append, chance=partial(float, chance))
        for attempt in range(4):
            pauses.wait(attempt, first=1.0, most=5.0)

    assert waited == [0, 0, 0, 0, 0.5, 1, 2, 2.5, 1, 2, 4, 5]


# ── transactions that count ──


@pytest.mark.parametrize("reason", ["TransactionConflict", "ThrottlingError"])
def test_a_cancelled_transaction_that_counts_is_tried_again_after_pauses(reason: str, store: DynamoStore, waits: Waits) -> None:
    """Nothing of it was written, and botocore does not try it again; it ends in an error that says to."""
    waits.seconds.clear()
    arguments = make_up_arguments(METHODS["save_token"])
    with scripted(store.client, lambda *_: cancellation(reason, "None", "None")) as wire, pytest.raises(BUSY) as caught:
        store.save_token(**arguments)

    assert caught.value.stable_code == "usage-busy"
    assert len(wire.asked) == len(waits.seconds) == 6
    assert waits.seconds == sorted(waits.seconds)


def test_a_throttled_transaction_is_not_tried_again_by_two(rested: DynamoStore, waits: Waits) -> None:
    """What botocore has tried four times, and what may have been written, goes to the caller at once."""
    waits.seconds.clear()
    for answer in (refusal(f"{CORAL}ThrottlingException"), WireAnswer(status=500, body=b"")):
        with scripted(rested.client, lambda *_, given=answer: given) as wire, pytest.raises(BUSY):
            rested.save_token(**make_up_arguments(METHODS["save_token"]))
        assert len(wire.asked) == MAX_ATTEMPTS
    assert waits.seconds == []


def test_deletions_of_a_transaction_are_known_by_their_keys(store: DynamoStore) -> None:
    """The reasons are in the order in which the writes are sent: checks, deletions, puts, updates."""
    sent = Transaction(
        checks=[CheckItem(key=Key("a", "1"), condition=EXISTS)],
        deletes=[DeleteItem(key=Key("b", "2"))],
        puts=[PutItem(key=Key("c", "3"), attributes={})],
        updates=[UpdateItem(key=Key("d", "4"), actions=[ItemRow.doc.set("x")])],
    )
    for place, key in enumerate(sent.keys):
        reasons = ["ConditionalCheckFailed" if n == place else "None" for n in range(4)]
        with scripted(store.client, lambda *_, given=reasons: cancellation(*given)) as wire:
            assert store._table.transact(sent) == [key]
    actions = [next(iter(action.values())) for action in wire.asked[0][1]["TransactItems"]]
    assert [(a.get("Key") or a["Item"])["pk"]["S"] for a in actions] == [key.pk for key in sent.keys]
