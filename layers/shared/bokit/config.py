"""The environment, read once: the only reader of it, and of the file that the local cloud writes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bokit.core.model.options import read_flag, read_seconds
from bokit.errors import ConfigError, OptionError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a process needs to know of where it runs. Variables are named in :meth:`from_env`."""

    table_name: str
    region: str | None = None
    endpoint_url: str | None = None
    queue_url: str | None = None
    """None: work is done in this process, by a thread pool."""
    sql_queue_url: str | None = None
    """Where messages about databases are passed on to; None: this process reads them itself."""
    sql_private_addresses: bool = False
    """Databases may be in private networks: the stack has a VPC."""
    topic_arn: str | None = None
    api_url: str | None = None
    """Where the stack's API answers, for the addresses of outgoing calendars."""
    calendar_key: str | None = None
    """The secret from which the paths of outgoing calendars derive, or ``secret:<name>`` of it."""
    default_interval: int = 3600
    allow_private_addresses: bool = False
    concurrency: int = 8
    """Sources that one process fetches at a time."""
    stage: str = "local"
    log_level: str = "INFO"

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Return the settings of the environment (or of *env*); raises ConfigError that names the variable."""
        env = os.environ if env is None else env
        return cls(
            table_name=_required(env, "BOKIT_TABLE"),
            region=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION"),
            endpoint_url=env.get("AWS_ENDPOINT_URL_DYNAMODB") or env.get("AWS_ENDPOINT_URL"),
            queue_url=env.get("BOKIT_QUEUE_URL") or None,
            sql_queue_url=env.get("BOKIT_SQL_QUEUE_URL") or None,
            sql_private_addresses=_read(env, "BOKIT_SQL_PRIVATE", "false", read_flag),
            topic_arn=env.get("BOKIT_ALERT_TOPIC") or None,
            api_url=env.get("BOKIT_API_URL") or None,
            calendar_key=env.get("BOKIT_CALENDAR_KEY") or None,
            default_interval=_read(env, "BOKIT_DEFAULT_INTERVAL", "3600", lambda text: read_seconds(text, least=60)),
            allow_private_addresses=_read(env, "BOKIT_ALLOW_PRIVATE_ADDRESSES", "false", read_flag),
            concurrency=_read(env, "BOKIT_CONCURRENCY", "8", lambda text: max(1, min(64, int(text)))),
            stage=env.get("BOKIT_STAGE", "local"),
            log_level=env.get("BOKIT_LOG_LEVEL", "INFO"),
        )

    @classmethod
    def from_local(cls, path: Path) -> Settings:
        """Return the settings of the local cloud that wrote *path*; raises ConfigError where it is no such file."""
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                table_name=str(told["table_name"]),
                region=told.get("region"),
                endpoint_url=told.get("endpoint_url"),
                topic_arn=told.get("alert_topic"),
                api_url=told.get("api_url"),
                calendar_key=told.get("calendar_key"),
                allow_private_addresses=read_flag(told.get("allow_private_addresses", False)),
            )
        except (OSError, ValueError, KeyError, AttributeError, TypeError, OptionError) as error:
            raise ConfigError("the local cloud's file cannot be read; run `make up` again", file=path.name) from error

    @classmethod
    def find(cls, folders: Iterable[Path], env: Mapping[str, str] | None = None) -> Settings:
        """Return the settings of a stack: BOKIT_TABLE's where it is set, else those of the first LOCAL_FILE in *folders*."""
        env = os.environ if env is None else env
        files = () if env.get("BOKIT_TABLE") else (folder / LOCAL_FILE for folder in folders)
        found = next((file for file in files if file.is_file()), None)
        return cls.from_local(found) if found else cls.from_env(env)

    @classmethod
    def find_without_stack(cls, folders: Iterable[Path], env: Mapping[str, str] | None = None) -> Settings:
        """Return settings for work that needs no table: a stack's where one is named, else the defaults."""
        env = os.environ if env is None else env
        try:
            return cls.find(folders, env)
        except ConfigError:
            return cls.from_env({**env, "BOKIT_TABLE": "-"})


LOCAL_FILE = Path(".bokit/local.json")


def is_debugging() -> bool:
    """Return whether BOKIT_DEBUG asks for tracebacks."""
    return bool(os.environ.get("BOKIT_DEBUG"))


def lend_credentials() -> None:
    """Give AWS clients a key for the local cloud, which takes any, where the machine has none."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")


def _required(env: Mapping[str, str], name: str) -> str:
    if not env.get(name):
        raise ConfigError("a variable is not set; run `make up`, or set it to the stack's output", variable=name)
    return env[name]


def _read(env: Mapping[str, str], name: str, default: str, read: Callable[[str], T]) -> T:
    try:
        return read(env.get(name) or default)
    except (OptionError, ValueError) as error:
        raise ConfigError("a variable has a value that it does not take", variable=name) from error
