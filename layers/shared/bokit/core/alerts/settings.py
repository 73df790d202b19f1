"""Readers of what an owner enters for a channel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bokit.core.alerts.forms import FORMS
from bokit.core.alerts.limits import MAX_CHANNEL_NAME, MAX_SETTING_LENGTH
from bokit.core.model.alerts import SECRET_PREFIX, ChannelKind, Severity
from bokit.errors import InputError

SETTINGS = ("address", "chat_id", "service", "token", "topic", "url")
"""Every setting that some kind has."""
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]")
_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]*")
_SHAPES = {
    "address": (
        re.compile(r"[^@\s<>,;]{1,64}@[^@\s<>,;.]{1,63}(?:\.[^@\s<>,;.]{1,63}){1,8}"),
        "an e-mail address, as in host@example.com",
    ),
    "topic": (re.compile(r"[A-Za-z0-9_-]{1,64}"), "a topic of ntfy: 1 to 64 letters, digits, _ and -"),
    "service": (re.compile(r"[a-z0-9_]{1,100}"), "a notify service of Home Assistant, as in mobile_app_phone"),
    "chat_id": (re.compile(r"-?\d{1,20}|@[A-Za-z0-9_]{4,64}"), "a chat's number, or @name of a channel"),
}


def read_kind(value: Any) -> ChannelKind:
    """Return the kind of this name; raises InputError that lists them."""
    try:
        return ChannelKind(str(value).strip().casefold().replace("-", "_"))
    except ValueError:
        raise InputError(f"kind must be one of {', '.join(ChannelKind)}", code="bad-field", field="kind") from None


def read_channel_name(value: Any) -> str:
    """Return a channel's name: one line of text, not empty."""
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > MAX_CHANNEL_NAME or not _LINE.fullmatch(text):
        raise InputError(f"one line of 1 to {MAX_CHANNEL_NAME} characters", code="bad-field", field="name")
    return text


def read_severity(value: Any) -> Severity:
    """Return the severity of this name; raises InputError that lists them."""
    try:
        return Severity(str(value).strip().casefold())
    except ValueError:
        raise InputError(f"severity must be one of {', '.join(Severity)}", code="bad-field", field="severity") from None


def read_settings(kind: ChannelKind, values: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings of a channel of *kind*; raises InputError that names the one that is missing, unknown or wrong."""
    form = FORMS[kind]
    known = (*form.required, *form.optional)
    given = {name: value for name, value in values.items() if value not in (None, "")}
    for name in given:
        if name not in known:
            raise InputError(
                f"a channel of kind {kind} has no such field", code="unknown-field", field=name, known=", ".join(known)
            )
    for name in form.required:
        if name not in given:
            raise InputError(f"a channel of kind {kind} needs it", code="bad-field", field=name)
    return {name: _read_setting(name, value) for name, value in given.items()}


def _read_setting(name: str, value: Any) -> str:
    text = value.strip() if isinstance(value, str) else str(value) if isinstance(value, int) else ""
    if not text or len(text) > MAX_SETTING_LENGTH or _CONTROL.search(text) or text == SECRET_PREFIX:
        raise InputError(f"one word of 1 to {MAX_SETTING_LENGTH} characters", code="bad-field", field=name)
    shape = _SHAPES.get(name)
    if shape and not text.startswith(SECRET_PREFIX) and not shape[0].fullmatch(text):
        raise InputError(f"not {shape[1]}", code="bad-field", field=name)
    return text
