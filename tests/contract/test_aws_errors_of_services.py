"""What the other services really answer, given to the real outlets and secrets."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as botocore_errors

import bokit
from bokit.aws import make_client
from bokit.aws_errors import AwsCause, read_code, read_fault
from bokit.core.model.alerts import PendingAlert
from bokit.core.model.connections import ConnectionId
from bokit.core.model.notices import Notice
from bokit.core.model.records import TenantId
from bokit.errors import BokitError, LaterError, SourceRefusedError, SourceUnavailableError
from bokit.outlets.mail import SesMail
from bokit.outlets.queue import SqsQueue
from bokit.outlets.sns import SnsAlerts
from bokit.outlets.websocket import GatewayConnections
from bokit.sources.secrets import Secrets
from tests.support.emulator import REGION
from tests.support.made_up import make_up
from tests.support.wire import SECRET, WireAnswer, document, refusal, scripted, xml_refusal

QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/sync"
TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:alerts"
HTML = b"<html><body>proxy</body></html>"
MAX_ATTEMPTS = 5
"""Of botocore for one call."""


def ask_queue(client: Any) -> None:
    SqsQueue(lambda: client, QUEUE_URL).send(["a", "b"])


def ask_topic(client: Any) -> None:
    SnsAlerts(lambda: client, TOPIC_ARN).publish([make_up(Notice)])


def ask_mail(client: Any) -> None:
    SesMail(lambda: client, "bokit@example.com").send("rosa@example.com", make_up(PendingAlert))


def ask_to_post(client: Any) -> None:
    GatewayConnections(lambda: client).post(ConnectionId("L0SM9cOFvHcCIhw="), "{}")


def ask_to_close(client: Any) -> None:
    GatewayConnections(lambda: client).close(ConnectionId("L0SM9cOFvHcCIhw="))


def ask_secret(client: Any) -> None:
    Secrets(lambda service: client, "stack").reveal("secret:booking", TenantId("rosa"))


def ask_parameter(client: Any) -> None:
    Secrets(lambda service: client, "stack").reveal("secret:ssm:booking", TenantId("rosa"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call of one service: how it refuses, and by which codes."""

    service: str
    ask: Callable[[Any], None]
    later: type[BokitError]
    codes: Mapping[str, str]
    """What the service says of each cause: a word of the error of ours."""
    never: Mapping[str, str]
    """As *codes*, where a retry fails again: SourceRefusedError."""
    refuse: Callable[..., WireAnswer] = refusal


KMS = "KMS key"
COMMON = {"ThrottlingException": "busy", "AccessDeniedException": "rights", "ExpiredTokenException": "sign in again"}
SQS = {
    "com.amazonaws.sqs#QueueDoesNotExist": "no such queue",
    "AWS.SimpleQueueService.NonExistentQueue": "no such queue",
    "com.amazonaws.sqs#KmsDisabled": KMS,
    "com.amazonaws.sqs#KmsAccessDenied": KMS,
    "KMS.NotFoundException": KMS,
    "com.amazonaws.sqs#KmsThrottled": "busy",
    "com.amazonaws.sqs#OverLimit": "busy",
    "com.amazonaws.sqs#RequestThrottled": "busy",
    "com.amazonaws.sqs#InvalidMessageContents": "report it",
    "com.amazonaws.sqs#BatchRequestTooLong": "too large",
}
SNS = {
    "NotFound": "no such alert topic",
    "AuthorizationError": "rights",
    "KMSAccessDenied": KMS,
    "KMSDisabled": KMS,
    "KMSInvalidState": KMS,
    "KMSNotFound": KMS,
    "KMSOptInRequired": KMS,
    "KMSThrottling": "busy",
    "Throttled": "busy",
    "InternalError": "busy",
    "InvalidParameter": "report it",
    "InvalidClientTokenId": "credentials",
    "ExpiredToken": "sign in again",
    "SignatureDoesNotMatch": "credentials",
}
SES = COMMON | {"NotFoundException": "MailFrom", "LimitExceededException": "Service Quotas", "TooManyRequestsException": "busy"}
MANAGER = COMMON | {"DecryptionFailure": KMS, "InternalServiceError": "busy"}
STORE = COMMON | {"InvalidKeyId": KMS, "InternalServerError": "busy"}
DENIED = {"AccessDeniedException": "may not read"}
GATEWAY = {"ForbiddenException": "rights", "PayloadTooLargeException": "too large", "LimitExceededException": "Service Quotas"}
MISSING = dict.fromkeys(("ParameterNotFound", "ParameterVersionNotFound", "ValidationException"), "not found")
ASKED = {
    "queue": Asked(service="sqs", ask=ask_queue, later=LaterError, codes=COMMON | SQS, never={}),
    "alert topic": Asked(service="sns", ask=ask_topic, later=LaterError, codes=COMMON | SNS, never={}, refuse=xml_refusal),
    "mail": Asked(
        service="sesv2",
        ask=ask_mail,
        later=SourceUnavailableError,
        codes=SES,
        never={"MessageRejected": "verified", "MailFromDomainNotVerifiedException": "verified"},
    ),
    "socket": Asked(service="apigatewaymanagementapi", ask=ask_to_post, later=LaterError, codes=COMMON | GATEWAY, never={}),
    "socket's end": Asked(service="apigatewaymanagementapi", ask=ask_to_close, later=LaterError, codes=COMMON, never={}),
    "secret": Asked(
        service="secretsmanager",
        ask=ask_secret,
        later=SourceUnavailableError,
        codes={code: word for code, word in MANAGER.items() if code not in DENIED},
        never=DENIED | {"ResourceNotFoundException": "not found", "InvalidRequestException": "not found"},
    ),
    "parameter": Asked(
        service="ssm",
        ask=ask_parameter,
        later=SourceUnavailableError,
        codes={code: word for code, word in STORE.items() if code not in DENIED},
        never=DENIED | MISSING,
    ),
}
WITHOUT_CODE: dict[str, tuple[WireAnswer, str]] = {
    "503 page": (WireAnswer(status=503, body=HTML), "busy"),
    "500 empty": (WireAnswer(status=500, body=b""), "busy"),
    "no connection in time": (
        WireAnswer(error=botocore_errors.ConnectTimeoutError(endpoint_url=SECRET, error="x")),
        "does not answer",
    ),
    "no answer in time": (WireAnswer(error=botocore_errors.ReadTimeoutError(endpoint_url=SECRET)), "does not answer"),
    "refused connection": (WireAnswer(error=botocore_errors.EndpointConnectionError(endpoint_url=SECRET)), "does not answer"),
    "TLS": (WireAnswer(error=botocore_errors.SSLError(endpoint_url=SECRET, error="x")), "AWS_CA_BUNDLE"),
    "no credentials": (WireAnswer(error=botocore_errors.NoCredentialsError()), "AWS_PROFILE"),
    "no role": (WireAnswer(error=botocore_errors.CredentialRetrievalError(provider="x", error_msg=SECRET)), "AWS_PROFILE"),
}


@pytest.fixture(scope="module")
def clients(aws: None) -> Callable[[str], Any]:
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        endpoint = "https://live.example/live" if service == "apigatewaymanagementapi" else None
        if service not in made:
            made[service] = make_client(service, region=REGION, endpoint_url=endpoint)
        return made[service]

    return client


def answers_to(asked: Asked) -> Iterator[tuple[str, WireAnswer, type[BokitError], str]]:
    """Yield what is answered, the class of the error that it ends in, and a word of that."""
    for code, word in asked.codes.items():
        yield code, asked.refuse(code), asked.later, word
    for code, word in asked.never.items():
        yield code, asked.refuse(code), SourceRefusedError, word
    yield "429", asked.refuse("OfTomorrow", 429), asked.later, "busy"
    for name, (answer, word) in WITHOUT_CODE.items():
        yield name, answer, asked.later, word


@pytest.mark.parametrize("name", ASKED)
def test_every_answer_ends_in_an_error_of_ours_that_says_what_to_do(name: str, clients: Callable[[str], Any]) -> None:
    """Of the class that the engine acts on, with few requests, and without a word of AWS's."""
    asked = ASKED[name]
    client = clients(asked.service)
    for case, answer, kind, word in answers_to(asked):
        with scripted(client, lambda *_, given=answer: given) as wire, pytest.raises(BokitError) as caught:
            asked.ask(client)
        error = caught.value
        assert (case, isinstance(error, kind)) == (case, True), repr(error)
        assert (case, word in str(error), SECRET in repr(error)) == (case, True, False), str(error)
        assert 1 <= len(wire.asked) <= MAX_ATTEMPTS, case


def test_messages_that_the_queue_did_not_take_are_an_error(clients: Callable[[str], Any]) -> None:
    """A batch may be taken in part: sending one twice is harmless."""
    failed = [{"Id": "1", "SenderFault": False, "Code": "InternalError", "Message": SECRET}]
    client = clients("sqs")
    with scripted(client, lambda *_: document({"Successful": [], "Failed": failed})), pytest.raises(LaterError) as caught:
        ask_queue(client)

    assert (caught.value.facts, SECRET in str(caught.value)) == ({"failed": 1}, False)


def test_an_answer_that_is_not_of_aws_counts_as_silence(clients: Callable[[str], Any]) -> None:
    """A proxy's page in the place of XML, which botocore raises by a class that nothing else of it has."""
    client = clients("sns")
    for status in (200, 403):
        page = WireAnswer(status=status, body=b"<not xml")
        with scripted(client, lambda *_, given=page: given), pytest.raises(LaterError) as caught:
            ask_topic(client)
        assert "does not answer" in str(caught.value)


def test_a_denial_by_kms_names_the_key(clients: Callable[[str], Any]) -> None:
    """Secrets Manager says it in the text of the denial alone."""
    client = clients("secretsmanager")
    answer = refusal("AccessDeniedException", message="Access to KMS is not allowed")
    with scripted(client, lambda *_: answer), pytest.raises(SourceUnavailableError, match="KMS key of the secret"):
        ask_secret(client)


@pytest.mark.parametrize(
    ("code", "status", "cause"),
    [
        ("AccessDenied", 403, AwsCause.DENIED),
        ("InvalidClientTokenId", 403, AwsCause.CREDENTIALS),
        ("ExpiredToken", 400, AwsCause.CREDENTIALS),
        ("RequestExpired", 400, AwsCause.CLOCK),
        ("RegionDisabledException", 403, AwsCause.DENIED),
        ("OfTomorrow", 418, AwsCause.INVALID),
        ("OfTomorrow", 409, AwsCause.BUSY),
        ("OfTomorrow", 599, AwsCause.BUSY),
        ("", None, AwsCause.INVALID),
        ("404", None, AwsCause.MISSING),
    ],
)
def test_a_code_that_is_not_in_the_table_is_judged_by_its_status(code: str, status: int | None, cause: AwsCause) -> None:
    """As STS and services to come answer."""
    assert read_code(code, status=status).cause is cause


def test_a_code_is_shown_without_what_does_not_belong_there() -> None:
    """It comes over the wire: letters, digits, dots and dashes, 80 of them."""
    assert read_code("a\n\x1b[31mb<script>" + "x" * 200).code == "a31mbscript" + "x" * 69


def test_an_error_of_botocores_that_is_not_in_the_table_got_no_answer() -> None:
    """Every class of botocore's has a cause; a new one is taken for a network that fails."""
    kinds = {name: kind for name, kind in vars(botocore_errors).items() if isinstance(kind, type)}
    ours = [k for k in kinds.values() if issubclass(k, botocore_errors.BotoCoreError)]
    causes = {kind.__name__: read_fault(kind.__new__(kind)).cause for kind in ours}

    assert len(causes) > 80
    assert causes["WaiterError"] is causes["ProxyConnectionError"] is AwsCause.UNREACHABLE
    assert causes["UnauthorizedSSOTokenError"] is causes["LoginRefreshRequired"] is AwsCause.CREDENTIALS
    assert causes["NoRegionError"] is causes["InvalidRegionError"] is AwsCause.SETTINGS
    assert causes["ParamValidationError"] is causes["RangeError"] is AwsCause.INVALID


def test_botocores_errors_are_read_in_one_place() -> None:
    """A module that catches errors of AWS takes them, and what they mean, from the table."""
    folder = Path(bokit.__file__).parent
    found = {
        path.relative_to(folder).with_suffix("").as_posix()
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "botocore"
    }

    assert found == {"aws", "aws_errors", "store/dynamo/faults"}
