"""What ``bokit doctor`` asks services beside the table: the API, the queues, the alert topic and secrets. Only reads.

What the caller may not ask, and what does not answer, is NotCheckedError: it says nothing of the stack.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bokit.config import Settings
    from bokit.core.model.records import TenantId

SECRET = "secret:"  # noqa: S105 - begins a reference, and is none
API_SECONDS = 15.0
"""A function that was not called for long starts first."""


class NotCheckedError(Exception):
    """Something could not be looked at; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCount:
    """About how many messages a queue has."""

    waiting: int = 0
    taken: int = 0
    """In the hands of a worker, or to be shown later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAnswer:
    """How the API answered."""

    status: int
    version: str | None = None
    """The release that the functions run."""
    skew: timedelta | None = None
    """How far this machine's clock is ahead of the service's; None: the service named no time."""


@contextmanager
def asking(what: str, right: str) -> Iterator[None]:
    """Raise NotCheckedError for an error of AWS's; where *right* is missing, it is named."""
    from bokit.aws_errors import AWS_ERRORS, AwsCause, AwsService, read_fault

    try:
        yield
    except (*AWS_ERRORS, ValueError) as error:
        fault = read_fault(error)
        if fault.cause is AwsCause.DENIED:
            raise NotCheckedError(f"these AWS credentials may not ask {what}: they need {right}") from error
        raise NotCheckedError(fault.describe(AwsService(name=what, missing=f"no such {what.removeprefix('the ')}"))) from error


def open_client(settings: Settings, service: str) -> Any:
    """Return the client of an AWS service where the stack is."""
    from bokit.aws import make_client

    return make_client(service, region=settings.region, endpoint_url=settings.endpoint_url)


def ask_api(settings: Settings, now: Callable[[], datetime]) -> ApiAnswer:
    """Return how the API's health check answers; its Date header is compared with this machine's clock."""
    from bokit.errors import BokitError
    from bokit.net.session import SafeSession

    if not settings.api_url:
        raise NotCheckedError("the API's address is not known here; `--stack NAME`, or BOKIT_STACK, finds it")
    client = SafeSession(allow_private_addresses=settings.allow_private_addresses, deadline=API_SECONDS)
    began = now()
    try:
        response = client.get(f"{settings.api_url.rstrip('/')}/health")
    except BokitError as error:
        raise NotCheckedError(f"the API does not answer: {error.message}") from error
    middle = began + (now() - began) / 2
    return ApiAnswer(
        status=response.status_code, version=_read_version(response.text), skew=read_skew(response.headers.get("date"), middle)
    )


def _read_version(text: str) -> str | None:
    import json

    try:
        found = json.loads(text)["version"]
    except (ValueError, LookupError, TypeError):
        return None
    return found if isinstance(found, str) else None


def read_skew(date: str | None, now: datetime) -> timedelta | None:
    """Return how far *now* is ahead of a Date header, which has whole seconds; None: there is none, or no date.

    >>> noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    >>> read_skew("Wed, 01 Jul 2026 11:58:00 GMT", noon), read_skew("now", noon), read_skew(None, noon)
    (datetime.timedelta(seconds=120), None, None)
    """
    try:
        at = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return now - (at if at.tzinfo else at.replace(tzinfo=UTC))


def count_messages(settings: Settings) -> dict[str, QueueCount]:
    """Return about how many messages each queue of work has."""
    return _count_each(settings, {name: queue for name, (_, queue) in settings.dead_letters.items() if queue})


def count_dead_letters(settings: Settings) -> dict[str, int]:
    """Return about how many dead letters there are, by the name of their queue."""
    counts = _count_each(settings, {name: dead for name, (dead, _) in settings.dead_letters.items()})
    return {name: count.waiting + count.taken for name, count in counts.items()}


def _count_each(settings: Settings, urls: Mapping[str, str]) -> dict[str, QueueCount]:
    if not urls:
        raise NotCheckedError("no queue is known here; `--stack NAME`, or BOKIT_STACK, finds them")
    with asking("the queues", "sqs:GetQueueAttributes"):
        client = open_client(settings, "sqs")
        return {name: _count(client, url) for name, url in urls.items()}


def _count(client: Any, url: str) -> QueueCount:
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=list(names)).get("Attributes", {})
    waiting, *others = (int(found.get(name, 0)) for name in names)
    return QueueCount(waiting=waiting, taken=sum(others))


def count_subscribers(settings: Settings) -> int:
    """Return how many confirmed subscriptions the alert topic has."""
    if not settings.topic_arn:
        return 0
    with asking("the alert topic", "sns:GetTopicAttributes"):
        found = open_client(settings, "sns").get_topic_attributes(TopicArn=settings.topic_arn)["Attributes"]
        return int(found.get("SubscriptionsConfirmed", 0))


def find_references(value: object) -> Iterator[str]:
    """Yield each ``secret:…`` in a setting, however deep.

    >>> list(find_references({"headers": {"Authorization": "secret:crm"}, "items": ["data", 1]}))
    ['secret:crm']
    """
    if isinstance(value, str):
        yield from [value] if value.startswith(SECRET) else []
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from find_references(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from find_references(each)


def find_secret_faults(settings: Settings, tenant: TenantId, references: Collection[str]) -> dict[str, str | None]:
    """Read the secret of outgoing calendars, and those of *tenant*, as a sync does; return why each is unusable, None: it is not.

    What they hold is forgotten at once. Raises NotCheckedError where one may not be read from here.
    """
    from bokit.sources.secrets import Secrets

    own = list(find_references(settings.calendar_key))
    secrets = Secrets(partial(open_client, settings), settings.stack_name)
    found = {reference: _find_fault(partial(secrets.reveal_own, reference)) for reference in own}
    return found | {reference: _find_fault(partial(secrets.reveal, reference, tenant)) for reference in sorted(references)}


def _find_fault(read: Callable[[], str]) -> str | None:
    from bokit.errors import LaterError, NeverError
    from bokit.sources.secrets import SecretRefusedError

    try:
        read()
    except SecretRefusedError as error:
        rights = "secretsmanager:GetSecretValue or ssm:GetParameter, and kms:Decrypt"
        raise NotCheckedError(f"these AWS credentials may not read secrets: they need {rights}") from error
    except LaterError as error:
        raise NotCheckedError(error.message) from error
    except NeverError as error:
        return error.message
    return None
