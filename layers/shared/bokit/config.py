"""The environment, read once, and the file that the local cloud writes. No other module reads them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from bokit.core.model.options import read_flag, read_seconds
from bokit.core.model.quotas import Quotas, default_quotas, read_quotas
from bokit.errors import ConfigError, OptionError
from bokit.values import Value, field

T = TypeVar("T")
Env = Mapping[str, str]
LOCAL_FILE = Path(".bokit/local.json")
LOCAL_NAMES = {
    **{name: name for name in ("stack_name", "region", "endpoint_url", "api_url", "live_endpoint", "calendar_key")},
    "topic_arn": "alert_topic",
    "live_url": "ws_url",
}
"""Settings, and their names in the local cloud's file."""
CACHE_FOLDER = "bokit/stacks"
"""Below the user's cache folder: what deployed stacks said of themselves."""
MIN_DEFAULT_INTERVAL = 60  # seconds
MAX_CONCURRENCY = 64
QUOTAS_EXAMPLE = "tenant.sources=200 stack.sources=5000 interval=300"


class Settings(Value):
    """Where a process runs. :meth:`from_env` has the names of the variables."""

    table_name: str
    stack_name: str | None = None
    """The stack whose secrets sources may name; None: they may name none."""
    region: str | None = None
    endpoint_url: str | None = None
    queue_url: str | None = None
    """None: this process does the work, in a thread pool."""
    sql_queue_url: str | None = None
    """The queue of messages about databases; None: this process handles them."""
    deliver_queue_url: str | None = None
    """The queue of the turns of webhooks; None: this process takes them."""
    dead_letters: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    """Queues of dead letters by name, each with the queue to which a letter goes back (None: to none)."""
    sql_private_addresses: bool = False
    """Databases may be in private networks: the stack has a VPC."""
    topic_arn: str | None = None
    mail_from: str | None = None
    """The sender of e-mail by SES; None: the stack sends none."""
    api_url: str | None = None
    """The address of the stack's API, for links to outgoing calendars."""
    live_url: str | None = None
    """The address at which clients open the stack's WebSocket; None: there is none, and they ask for events instead."""
    live_endpoint: str | None = None
    """Where the gateway takes what is posted to connections; None: at *live_url*, by HTTPS."""
    issuer: str | None = None
    """The identity provider whose tokens the API takes; None: it takes Bokit's own."""
    page_client_id: str | None = None
    """The page's client id there."""
    page_locale: str = "en"
    """The language of a page whose browser asks for none that there is."""
    calendar_key: str | None = None
    """The secret from which the paths of outgoing calendars derive, or ``secret:<name>`` of it."""
    default_interval: int = 3600
    quotas: Quotas = field(default_factory=default_quotas)
    """How much each tenant and the stack may have."""
    allow_private_addresses: bool = False
    concurrency: int = 8
    """Sources that one process fetches at the same time."""
    stage: str = "local"
    log_level: str = "INFO"

    @classmethod
    def from_env(cls, env: Env | None = None) -> Settings:
        """Return the settings of the environment, or of *env*; raises ConfigError that names the variable."""
        env = os.environ if env is None else env
        if not (table := env.get("BOKIT_TABLE")):
            raise ConfigError("no stack is named: run `make up`, or set BOKIT_STACK to the name of a deployed one")
        interval = f"a duration of {MIN_DEFAULT_INTERVAL} s or more, such as 900, 15m or 24h"
        return cls(
            table_name=table,
            stack_name=env.get("BOKIT_STACK_NAME") or None,
            region=read_region(env),
            endpoint_url=env.get("AWS_ENDPOINT_URL_DYNAMODB") or env.get("AWS_ENDPOINT_URL"),
            queue_url=env.get("BOKIT_QUEUE_URL") or None,
            sql_queue_url=env.get("BOKIT_SQL_QUEUE_URL") or None,
            deliver_queue_url=env.get("BOKIT_DELIVER_QUEUE_URL") or None,
            dead_letters=_read(env, "BOKIT_DEAD_LETTERS", {}, read_dead_letters, "the stack's output DeadLetters"),
            sql_private_addresses=_read(env, "BOKIT_SQL_PRIVATE", False, read_flag, "true or false"),
            topic_arn=env.get("BOKIT_ALERT_TOPIC") or None,
            mail_from=env.get("BOKIT_MAIL_FROM") or None,
            api_url=env.get("BOKIT_API_URL") or None,
            live_url=env.get("BOKIT_LIVE_URL") or None,
            live_endpoint=env.get("BOKIT_LIVE_ENDPOINT") or None,
            issuer=env.get("BOKIT_ISSUER") or None,
            page_client_id=env.get("BOKIT_PAGE_CLIENT_ID") or None,
            page_locale=env.get("BOKIT_PAGE_LOCALE") or "en",
            calendar_key=env.get("BOKIT_CALENDAR_KEY") or None,
            default_interval=_read(env, "BOKIT_DEFAULT_INTERVAL", 3600, _read_interval, interval),
            quotas=_read(env, "BOKIT_QUOTAS", default_quotas(), read_quotas, f"quotas of the stack, as in {QUOTAS_EXAMPLE}"),
            allow_private_addresses=_read(env, "BOKIT_ALLOW_PRIVATE_ADDRESSES", False, read_flag, "true or false"),
            concurrency=_read(env, "BOKIT_CONCURRENCY", 8, _read_concurrency, "a whole number"),
            stage=env.get("BOKIT_STAGE", "local"),
            log_level=env.get("BOKIT_LOG_LEVEL", "INFO"),
        )

    @classmethod
    def from_local(cls, path: Path) -> Settings:
        """Return the settings of the local cloud that wrote *path*; raises ConfigError if it is not such a file."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            private = read_flag(document.get("allow_private_addresses", False))
            given = {name: document.get(key) for name, key in LOCAL_NAMES.items()}
            letters = read_dead_letters(document.get("dead_letters") or "")
            return cls(table_name=str(document["table_name"]), allow_private_addresses=private, dead_letters=letters, **given)
        except (OSError, ValueError, KeyError, AttributeError, TypeError, OptionError) as error:
            raise ConfigError("the local cloud's file cannot be read; run `make up` again", file=path.name) from error

    @classmethod
    def find(cls, folders: Iterable[Path], env: Env | None = None) -> Settings:
        """Return the settings of a stack: BOKIT_TABLE's if it is set, else those of the first LOCAL_FILE in *folders*."""
        env = os.environ if env is None else env
        files = () if env.get("BOKIT_TABLE") else (folder / LOCAL_FILE for folder in folders)
        found = next((file for file in files if file.is_file()), None)
        return cls.from_local(found) if found else cls.from_env(env)

    @classmethod
    def find_without_stack(cls, folders: Iterable[Path], env: Env | None = None) -> Settings:
        """Return settings for work that needs no table: a stack's if one is found, else the defaults."""
        env = os.environ if env is None else env
        try:
            return cls.find(folders, env)
        except ConfigError:
            return cls.from_env({**env, "BOKIT_TABLE": "-"})


def runs_in_lambda() -> bool:
    """Return whether this process is a function of Lambda, or of the local cloud, which sets the same variable."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def read_dead_letters(text: str) -> dict[str, tuple[str, str | None]]:
    """Return the queues of a stack's output ``DeadLetters``; raises ValueError.

    >>> read_dead_letters("sync=https://q/dead,https://q/sync tick=https://q/tick")
    {'sync': ('https://q/dead', 'https://q/sync'), 'tick': ('https://q/tick', None)}
    """
    found = {}
    for word in text.split():
        name, has_address, addresses = word.partition("=")
        letters, _, queue = addresses.partition(",")
        if not (name and has_address and letters):
            raise ValueError("not name=address,address")
        found[name] = (letters, queue or None)
    return found


class StackChoice(Value):
    """The deployed stack that a command line names, and as whom and where it asks; None: what the environment says."""

    stack: str | None = None
    profile: str | None = None
    region: str | None = None


def find_stack_name(choice: StackChoice, env: Env | None = None) -> str | None:
    """Return the name of the deployed stack that *choice* or BOKIT_STACK names; None: neither does.

    Raises ConfigError where BOKIT_STACK and BOKIT_TABLE are both set: the table of one, and the queues of the other.
    """
    env = os.environ if env is None else env
    if choice.stack:
        return choice.stack
    if env.get("BOKIT_STACK") and env.get("BOKIT_TABLE"):
        raise ConfigError("BOKIT_STACK and BOKIT_TABLE are both set: unset BOKIT_TABLE, which the stack's name finds")
    return env.get("BOKIT_STACK") or None


def read_region(env: Env | None = None) -> str | None:
    """Return the region that the environment names."""
    env = os.environ if env is None else env
    return env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or None


def read_environment() -> Env:
    """Return the environment of this process."""
    return os.environ


def find_cache_folder(env: Env | None = None) -> Path:
    """Return the user's folder for what can be asked for again."""
    env = os.environ if env is None else env
    return Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / CACHE_FOLDER


def use_profile(profile: str) -> None:
    """Let AWS clients take the credentials of *profile*, whatever keys the environment has."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        os.environ.pop(name, None)
    os.environ["AWS_PROFILE"] = profile


def is_debugging() -> bool:
    """Return whether BOKIT_DEBUG requests tracebacks."""
    return bool(os.environ.get("BOKIT_DEBUG"))


def set_default_credentials() -> None:
    """Give AWS clients a key for the local cloud, which accepts any, if the machine has none."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")


def _read_interval(text: str) -> int:
    return read_seconds(text, least=MIN_DEFAULT_INTERVAL)


def _read_concurrency(text: str) -> int:
    return max(1, min(MAX_CONCURRENCY, int(text)))


def _read(env: Env, name: str, default: T, read: Callable[[str], T], expected: str) -> T:
    """Return a variable's value, or *default* if it is not set; raises ConfigError that says what it must be."""
    if not (text := env.get(name)):
        return default
    try:
        return read(text)
    except (OptionError, ValueError) as error:
        raise ConfigError(f"{name} must be {expected}", value=text) from error
