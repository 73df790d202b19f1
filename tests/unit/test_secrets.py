"""Secrets by reference."""

from __future__ import annotations

import json
import logging
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, NoRegionError

from bokit.config import Settings
from bokit.core.model.catalog import ShardId, Source
from bokit.core.model.records import Scope, SourceId, TenantId
from bokit.errors import BokitError, SourceRefusedError, SourceUnavailableError
from bokit.sources.secrets import KEEP_SECONDS, Secrets, read_reference
from bokit.wiring import open_kinds

VALUE = "https://feeds.example.org/SENTINEL"
ROSA, OTHER = TenantId("rosa"), TenantId("other")


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


def secrets_of(cloud: RecordingCloud, clock: Callable[[], float] = time.monotonic) -> Secrets:
    """The secrets of the stack "stack" in *cloud*."""
    return Secrets(cloud.make, "stack", clock)


def a_cloud_that_fails(error: Exception) -> RecordingCloud:
    """A cloud that answers with *error*."""

    def fail() -> Any:
        raise error

    return RecordingCloud(fail)


def test_text_that_is_not_a_reference_is_used_as_it_is() -> None:
    """Plain text is returned without a request."""
    cloud = a_cloud()
    assert secrets_of(cloud).reveal("https://feeds.example.org/x", ROSA) == "https://feeds.example.org/x"
    assert cloud.made == []


def test_a_name_is_one_of_secrets_manager() -> None:
    """``secret:<name>`` is asked of Secrets Manager, below the tenant's prefix."""
    cloud = a_cloud()
    assert secrets_of(cloud).reveal("secret:booking", ROSA) == VALUE
    assert cloud.asked == [("secretsmanager", {"SecretId": "bokit/stack/rosa/booking"})]


def test_a_name_with_ssm_is_one_of_parameter_store() -> None:
    """``secret:ssm:<name>`` is asked of Parameter Store, decrypted, below the tenant's prefix."""
    cloud = a_cloud()
    assert secrets_of(cloud).reveal("secret:ssm:booking", ROSA) == VALUE
    assert cloud.asked == [("ssm", {"Name": "/bokit/stack/rosa/booking", "WithDecryption": True})]


def test_space_around_a_value_is_dropped() -> None:
    """A secret that was made from a file ends in a line feed, which is not part of it."""
    assert secrets_of(a_cloud(f" {VALUE}\n")).reveal("secret:x", ROSA) == VALUE


def test_a_value_is_kept_for_a_while() -> None:
    """A value is asked for again only once it is five minutes old."""
    cloud, clock = a_cloud(), Clock()
    secrets = secrets_of(cloud, clock)
    for waited, asked in ((0.0, 1), (KEEP_SECONDS - 1, 1), (2.0, 2), (1.0, 2)):
        clock.now += waited
        assert secrets.reveal("secret:x", ROSA) == VALUE
        assert len(cloud.asked) == asked
    secrets.reveal("secret:y", ROSA)
    assert len(cloud.asked) == 3


def test_a_failure_is_not_kept() -> None:
    """After a failure the secret is asked for again."""
    cloud = a_cloud_that_fails(NoCredentialsError())
    secrets = secrets_of(cloud)
    for _ in range(2):
        with pytest.raises(SourceUnavailableError):
            secrets.reveal("secret:x", ROSA)
    assert len(cloud.asked) == 2


def test_threads_share_one_client() -> None:
    """Making a client takes longer than a call: threads that ask at once make one."""
    cloud = a_cloud()
    secrets, together = secrets_of(cloud), threading.Barrier(8)

    def ask(number: int) -> str:
        together.wait(timeout=10)
        return secrets.reveal(f"secret:{number}", ROSA)

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
        secrets_of(a_cloud_that_fails(error)).reveal("secret:booking", ROSA)
    assert (caught.value.stable_code, caught.value.facts) == ("secret", {"name": "booking"})
    assert caught.value.__context__ is None
    assert "SENTINEL" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("answer", [{"SecretBinary": b"SENTINEL"}, {}, {"SecretString": None}])
def test_a_secret_without_text_is_refused(answer: dict[str, Any]) -> None:
    """A binary secret is none that can be used."""
    with pytest.raises(SourceRefusedError) as caught:
        secrets_of(RecordingCloud(lambda: answer)).reveal("secret:x", ROSA)
    assert "SENTINEL" not in repr(caught.value)


def test_a_value_is_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Neither a log nor the object itself shows a value."""
    secrets = secrets_of(a_cloud())
    with caplog.at_level(logging.DEBUG):
        secrets.reveal("secret:x", ROSA)
    assert "SENTINEL" not in caplog.text + repr(secrets) + str(secrets)


ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:"
SSM_ARN = "arn:aws:ssm:eu-west-1:111122223333:parameter/"
OWN = "bokit/stack/rosa/"


@pytest.mark.parametrize(
    "name",
    [f"{OWN}x", f"{ARN}{OWN}x-AbCdEf", f"ssm:/{OWN}x", f"ssm:{OWN}x", f"ssm:{SSM_ARN}{OWN}x"],
)
def test_a_full_name_of_the_tenants_own_is_used_as_it_is(name: str) -> None:
    """A full name or an ARN below the tenant's prefix is what is asked for."""
    full = read_reference(name, "stack", ROSA).full
    assert full.removeprefix("/") == name.removeprefix("ssm:").removeprefix("/")


FOREIGN = [
    "bokit/stack/other/feed",
    "bokit/stack/rosa2/feed",
    "bokit/stack/rosa",
    "bokit/stack2/rosa/feed",
    "bokit/rosa/feed",
    "/bokit/stack/other/feed",
    "../other/feed",
    f"{ARN}bokit/stack/other/feed-AbCdEf",
    f"{ARN}bokit/stack/other/feed:secret:{OWN}x",
    f"{ARN}prod/database-AbCdEf",
    f"arn:aws:secretsmanager:eu-west-1:111122223333:{OWN}secret:bokit/stack/other/feed",
    "ssm:/bokit/stack/other/feed",
    "ssm:bokit/stack/other/feed",
    "ssm://bokit/stack/other/feed",
    "ssm:/prod/password",
    f"ssm:{SSM_ARN}bokit/stack/other/feed",
    f"ssm:{SSM_ARN}bokit/stack/other/feed:parameter/{OWN}x",
    f"ssm:arn:aws:secretsmanager:eu-west-1:111122223333:parameter/{OWN}x",
]


@pytest.mark.parametrize("name", FOREIGN)
def test_no_reference_leaves_the_tenant(name: str) -> None:
    """What is asked for begins with the tenant's prefix, whatever the reference says."""
    full = read_reference(f"secret:{name}", "stack", ROSA).full
    assert full.startswith((OWN, f"/{OWN}"))


def vault(values: dict[str, str]) -> RecordingCloud:
    """A cloud that has just these secrets and parameters, and answers for others as AWS does."""
    cloud = RecordingCloud(lambda: values)

    def answer() -> Any:
        service, asked = cloud.asked[-1]
        name = asked.get("SecretId") or asked["Name"]
        if name not in values:
            raise refused("ResourceNotFoundException" if service == "secretsmanager" else "ParameterNotFound")
        return {"SecretString": values[name], "Parameter": {"Value": values[name]}}

    cloud._answer = answer
    return cloud


@pytest.mark.parametrize("name", FOREIGN)
def test_missing_and_foreign_secrets_are_alike(name: str) -> None:
    """Another's secret, even just read by its owner, gives the error of a missing one after as many calls."""
    kept = {"bokit/stack/other/feed": VALUE, "/bokit/stack/other/feed": VALUE, name: VALUE, name.removeprefix("ssm:"): VALUE}
    cloud = vault(kept)
    secrets = secrets_of(cloud)
    assert secrets.reveal("secret:feed", OTHER) == VALUE
    seen = []
    for given in (name, "nothing"):
        before = len(cloud.asked)
        with pytest.raises(SourceRefusedError) as caught:
            secrets.reveal(f"secret:{given}", ROSA)
        assert caught.value.facts == {"name": given}
        seen.append((caught.value.message, caught.value.stable_code, len(cloud.asked) - before))
    assert seen[0] == seen[1]


def test_tenants_do_not_share_what_is_cached() -> None:
    """Two tenants' secrets of one name are two secrets."""
    secrets = secrets_of(vault({"bokit/stack/rosa/feed": "of rosa", "bokit/stack/other/feed": "of other"}))
    assert [secrets.reveal("secret:feed", tenant) for tenant in (ROSA, OTHER, ROSA)] == ["of rosa", "of other", "of rosa"]


def test_without_the_stacks_name_nothing_is_asked() -> None:
    """A process that does not know its stack reveals no tenant's secret."""
    cloud = a_cloud()
    with pytest.raises(SourceUnavailableError, match="BOKIT_STACK"):
        Secrets(cloud.make, None).reveal("secret:x", ROSA)
    assert cloud.asked == []


def test_the_stack_reads_its_own_secret_by_its_name() -> None:
    """The key of outgoing calendars is asked for by its ARN, which no tenant can give."""
    cloud = a_cloud()
    assert Secrets(cloud.make, None).reveal_own(f"secret:{ARN}CalendarKey-AbCdEf") == VALUE
    assert secrets_of(cloud).reveal_own("a key") == "a key"
    assert cloud.asked == [("secretsmanager", {"SecretId": f"{ARN}CalendarKey-AbCdEf"})]


@pytest.mark.parametrize("service", ["", "ssm:"])
def test_a_key_is_read_from_a_json_secret(service: str) -> None:
    """``#key`` gives one value of a JSON object; one request serves all keys."""
    cloud = a_cloud(json.dumps({"user": "rosa", "pin": 7}))
    secrets = secrets_of(cloud)
    assert [secrets.reveal(f"secret:{service}feeds#{key}", ROSA) for key in ("user", "pin")] == ["rosa", "7"]
    assert len(cloud.asked) == 1


@pytest.mark.parametrize(
    "value", ["plain", "[1]", '"user"', "{}", '{"user": null}', '{"user": {"x": 1}}', '{"user": ""}', "[" * 9999]
)
def test_a_key_that_is_not_there_is_refused(value: str) -> None:
    """Without a text or number under the key there is an error that quotes nothing of the secret."""
    with pytest.raises(SourceRefusedError) as caught:
        secrets_of(a_cloud(value)).reveal("secret:feeds#user", ROSA)
    assert (caught.value.stable_code, caught.value.facts) == ("secret", {"name": "feeds", "key": "user"})
    assert caught.value.__context__ is None


@pytest.mark.parametrize("kind", ["ical", "json", "sql"])
def test_every_kind_of_source_reveals_for_its_own_tenant(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the wiring hands to each fetcher asks for the secret of the source's tenant, in the URL and in headers."""
    cloud = vault({"bokit/stack/other/feed": VALUE, "bokit/stack/rosa/url": "https://127.0.0.1:1/x"})
    monkeypatch.setattr("bokit.aws.make_client", lambda service, **_: cloud.make(service))
    fetcher = open_kinds(Settings(table_name="t", stack_name="stack"))[kind].fetcher
    by_kind: dict[str, dict[str, Any]] = {
        "ical": {},
        "json": {"headers": {"Authorization": "Bearer secret:bokit/stack/other/feed"}, "id": "id"},
        "sql": {"tables": [{"table": "clients", "collection": "clients", "key": ["id"]}]},
    }
    url = "secret:url" if kind == "json" else "secret:bokit/stack/other/feed"
    scope, shard = Scope("unit"), ShardId("shard")
    source = Source(
        id=SourceId("s"), tenant=ROSA, name="x", kind=kind, url=url, scope=scope, shard_id=shard, settings=by_kind[kind]
    )
    with pytest.raises(SourceRefusedError, match="secret not found"):
        fetcher.fetch(source)
    assert cloud.asked[-1][1]["SecretId"] == "bokit/stack/rosa/bokit/stack/other/feed"
