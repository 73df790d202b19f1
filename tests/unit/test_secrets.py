"""Secrets by reference."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, NoRegionError

from bokit.errors import BokitError, SourceRefusedError, SourceUnavailableError
from bokit.sources.secrets import KEEP_SECONDS, Secrets

VALUE = "https://feeds.example.org/SENTINEL"


class RecordingCloud:
    """Plays both services, and keeps what it was asked."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.made: list[str] = []
        self._answer = answer

    def make(self, service: str) -> RecordingCloud:
        self.made.append(service)
        return self

    def get_secret_value(self, **asked: Any) -> Any:
        self.asked.append(("secretsmanager", asked))
        return self._answer()

    def get_parameter(self, **asked: Any) -> Any:
        self.asked.append(("ssm", asked))
        return self._answer()


class Clock:
    """Stands still until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def a_cloud(value: str = VALUE) -> RecordingCloud:
    """A cloud with one secret."""
    return RecordingCloud(lambda: {"SecretString": value, "Parameter": {"Value": value}})


def a_cloud_that_fails(error: Exception) -> RecordingCloud:
    """A cloud that answers with *error*."""

    def fail() -> Any:
        raise error

    return RecordingCloud(fail)


def test_text_that_is_not_a_reference_is_used_as_it_is() -> None:
    """Plain text is returned without a request."""
    cloud = a_cloud()
    assert Secrets(cloud.make).reveal("https://feeds.example.org/x") == "https://feeds.example.org/x"
    assert cloud.made == []


def test_a_name_is_one_of_secrets_manager() -> None:
    """``secret:<name>`` is asked of Secrets Manager."""
    cloud = a_cloud()
    assert Secrets(cloud.make).reveal("secret:bokit/rosa/booking") == VALUE
    assert cloud.asked == [("secretsmanager", {"SecretId": "bokit/rosa/booking"})]


def test_a_name_with_ssm_is_one_of_parameter_store() -> None:
    """``secret:ssm:<name>`` is asked of Parameter Store, decrypted."""
    cloud = a_cloud()
    assert Secrets(cloud.make).reveal("secret:ssm:/bokit/rosa") == VALUE
    assert cloud.asked == [("ssm", {"Name": "/bokit/rosa", "WithDecryption": True})]


def test_space_around_a_value_is_dropped() -> None:
    """A secret that was made from a file ends in a line feed, which is not part of it."""
    assert Secrets(a_cloud(f" {VALUE}\n").make).reveal("secret:x") == VALUE


def test_a_value_is_kept_for_a_while() -> None:
    """A value is asked for again only once it is five minutes old."""
    cloud, clock = a_cloud(), Clock()
    secrets = Secrets(cloud.make, clock)
    for waited, asked in ((0.0, 1), (KEEP_SECONDS - 1, 1), (2.0, 2), (1.0, 2)):
        clock.now += waited
        assert secrets.reveal("secret:x") == VALUE
        assert len(cloud.asked) == asked
    secrets.reveal("secret:y")
    assert len(cloud.asked) == 3


def test_a_failure_is_not_kept() -> None:
    """After a failure the secret is asked for again."""
    cloud = a_cloud_that_fails(NoCredentialsError())
    secrets = Secrets(cloud.make)
    for _ in range(2):
        with pytest.raises(SourceUnavailableError):
            secrets.reveal("secret:x")
    assert len(cloud.asked) == 2


def test_threads_share_one_client() -> None:
    """Making a client takes longer than a call: threads that ask at once make one."""
    cloud = a_cloud()
    secrets, together = Secrets(cloud.make), threading.Barrier(8)

    def ask(number: int) -> str:
        together.wait(timeout=10)
        return secrets.reveal(f"secret:{number}")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [VALUE] * 8
    assert cloud.made == ["secretsmanager"]


def refused(code: str) -> ClientError:
    """Return AWS's error of *code*, whose text holds more than we may show."""
    return ClientError({"Error": {"Code": code, "Message": VALUE}}, "GetSecretValue")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refused("ResourceNotFoundException"), SourceRefusedError),
        (refused("ParameterNotFound"), SourceRefusedError),
        (refused("InvalidRequestException"), SourceRefusedError),
        (refused("ValidationException"), SourceRefusedError),
        (refused("AccessDeniedException"), SourceRefusedError),
        (refused("ThrottlingException"), SourceUnavailableError),
        (refused("DecryptionFailure"), SourceUnavailableError),
        (refused("InternalServiceError"), SourceUnavailableError),
        (EndpointConnectionError(endpoint_url=VALUE), SourceUnavailableError),
        (NoCredentialsError(), SourceUnavailableError),
        (NoRegionError(), SourceUnavailableError),
    ],
)
def test_a_failure_is_reported_without_the_text_of_aws(error: Exception, kind: type[BokitError]) -> None:
    """Each failure ends in the error for it, which names the secret and quotes nothing of AWS's."""
    with pytest.raises(kind) as caught:
        Secrets(a_cloud_that_fails(error).make).reveal("secret:bokit/rosa")
    assert (caught.value.stable_code, caught.value.facts) == ("secret", {"name": "bokit/rosa"})
    assert caught.value.__context__ is None
    assert "SENTINEL" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("answer", [{"SecretBinary": b"SENTINEL"}, {}, {"SecretString": None}])
def test_a_secret_without_text_is_refused(answer: dict[str, Any]) -> None:
    """A binary secret is none that can be used."""
    with pytest.raises(SourceRefusedError) as caught:
        Secrets(RecordingCloud(lambda: answer).make).reveal("secret:x")
    assert "SENTINEL" not in repr(caught.value)


def test_a_value_is_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Neither a log nor the object itself shows a value."""
    secrets = Secrets(a_cloud().make)
    with caplog.at_level(logging.DEBUG):
        secrets.reveal("secret:x")
    assert "SENTINEL" not in caplog.text + repr(secrets) + str(secrets)
