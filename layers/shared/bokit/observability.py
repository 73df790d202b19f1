"""The one logger, and the redaction of what no log may contain."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = "bokit"
_URL = re.compile(r"\b([a-z][a-z0-9+.-]{1,20}://)(?:[^\s/@\"']*@)?([^\s/?#\"'<>:]+)(?::\d+)?[^\s\"'<>]*", re.IGNORECASE)


def redact(text: str) -> str:
    """Return *text* with every URL cut to its scheme and host.

    >>> redact("got https://user:pw@host.example/x.ics?s=1 twice")
    'got https://host.example/… twice'
    """
    return _URL.sub(r"\1\2/…", text)


class Redaction(logging.Filter):
    """Redacts message, arguments, facts and exception of every record, and passes it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.getMessage())
        record.args = ()
        facts = getattr(record, "facts", None)
        if isinstance(facts, Mapping):
            record.facts = {name: redact(value) if isinstance(value, str) else value for name, value in facts.items()}
        if record.exc_info and not record.exc_text:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
            record.traceback = record.exc_text  # the JSON formatter reads exc_info only, and would print it unredacted
        return True


class PlainFormatter(logging.Formatter):
    """A line for people: time, message, facts as ``name=value``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        facts = getattr(record, "facts", None) or {}
        return " ".join((super().format(record), *(f"{name}={value}" for name, value in facts.items())))


def log_event(log: logging.Logger, message: str, level: int = logging.INFO, **facts: Any) -> None:
    """Log a constant *message*, with *facts* under one key: their names cannot collide with the record's own."""
    log.log(level, message, extra={"facts": facts})


def configure_plain(level: str = "WARNING", file: Path | None = None) -> logging.Logger:
    """Log to standard error for people; and to *file*, if given, everything from INFO on."""
    root = _reset(level)
    _add(root, logging.StreamHandler(sys.stderr), level)
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        _add(root, logging.FileHandler(file, encoding="utf-8"), "INFO")
        root.setLevel("INFO" if logging.getLevelName(level) > logging.INFO else level)
    return root


def configure_lambda(service: str, level: str) -> Any:
    """Log JSON lines as Powertools does; return its logger, for the handler's decorator."""
    from aws_lambda_powertools import Logger

    logger = Logger(service=service, level=level, stream=sys.stderr, child=False)
    root = _reset(level)
    for handler in logger.handlers:
        handler.addFilter(Redaction())
        root.addHandler(handler)
    return logger


def _reset(level: str) -> logging.Logger:
    root = logging.getLogger(ROOT)
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.propagate = False
    root.setLevel(level)
    return root


def _add(root: logging.Logger, handler: logging.Handler, level: str) -> None:
    handler.setLevel(level)
    handler.addFilter(Redaction())
    handler.setFormatter(PlainFormatter())
    root.addHandler(handler)
