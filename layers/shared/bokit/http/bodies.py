"""Types of request bodies. They check JSON types and lengths; the engine checks the rest, as for the command line."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from bokit.core.model.limits import MAX_SPAN_SECONDS, MAX_SPAN_TEXT, MAX_ZONE_NAME_LENGTH, MIN_INTERVAL_SECONDS
from bokit.core.model.options import SPAN_PATTERN, read_seconds
from bokit.engine.catalog.limits import MAX_CLEANING_MINUTES, MAX_NAME_LENGTH, MAX_TURNOVER_DAYS, MAX_URL_LENGTH
from bokit.errors import OptionError
from bokit.http.limits import MAX_EDITS, MAX_GUESTS, MAX_TEXT_LENGTH
from bokit.http.params import DAY

_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
ONE_LINE = rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$"
"""One line of text that is not blank."""
MAX_READ_SECONDS = 10**12
"""Of a text that is read before its field's own bound is asked."""


class SpanText:
    """In ``Annotated``: a number of seconds may also be sent as people write it, such as ``"30m"``."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(_read_span, handler(source))

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        seconds = handler(schema)
        text = {"type": "string", "pattern": SPAN_PATTERN, "maxLength": MAX_SPAN_TEXT}
        return {"anyOf": [*seconds.get("anyOf", [seconds]), text]}


def _read_span(value: Any) -> Any:
    """Return the seconds that a text means; the type judges everything else, and the bounds."""
    if not isinstance(value, str):
        return value
    try:
        return read_seconds(value, most=MAX_READ_SECONDS)
    except OptionError as error:
        raise PydanticCustomError("span", "{message}", {"message": error.message}) from None


Name = Annotated[
    str, Field(min_length=1, max_length=MAX_NAME_LENGTH, pattern=ONE_LINE, description="One line.", examples=["Garden flat"])
]
Zone = Annotated[
    str | None, Field(max_length=MAX_ZONE_NAME_LENGTH, description="An IANA name; null: inherited.", examples=["Europe/Rome"])
]
Turnover = Annotated[
    int | None, Field(ge=0, le=MAX_TURNOVER_DAYS, description="Days between a departure and the next arrival; null: inherited.")
]
ClockTime = Annotated[
    str | None,
    Field(
        max_length=MAX_NAME_LENGTH,
        description="HH:MM, in the unit's timezone; null: inherited.",
        examples=["15:00"],
        json_schema_extra={"pattern": r"^(\s*([01]?[0-9]|2[0-3]):[0-5][0-9]\s*)?$"},  # the engine says more clearly what is wrong
    ),
]
Minutes = Annotated[
    int | None, Field(ge=0, le=MAX_CLEANING_MINUTES, description="How long cleaning takes; null: inherited.", examples=[180])
]
Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_URL_LENGTH,
        examples=["https://feeds.example/garden-flat.ics"],
        description="`https://…`, or `secret:NAME` or `secret:NAME#KEY` of the tenant; later only its host is shown.",
    ),
]
Seconds = Annotated[
    int | None,
    Field(
        ge=MIN_INTERVAL_SECONDS,
        le=MAX_SPAN_SECONDS,
        description="Time between two syncs, in seconds or as `15m`; null: the tenant's.",
        examples=[900, "15m"],
    ),
    SpanText(),
]
Wait = Annotated[
    int | None,
    Field(
        ge=0,
        le=MAX_SPAN_SECONDS,
        description="Time before a missing stay is cancelled, in seconds or as `24h`; null: the tenant's.",
        examples=[86400, "24h"],
    ),
    SpanText(),
]
EndsOnWord = Annotated[
    Literal["departure", "last-night"],
    Field(description="What the end of an all-day event is: the day of departure, or the last night."),
]
Platform = Annotated[str | None, Field(max_length=100, description="null: detected.", examples=["airbnb"])]
Day = Annotated[str, Field(pattern=DAY, json_schema_extra={"format": "date"}, examples=["2026-07-01"])]
Text = Annotated[str | None, Field(max_length=MAX_TEXT_LENGTH)]
GuestCount = Annotated[int | None, Field(ge=0, le=MAX_GUESTS)]
Word = Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH)]


class Body(BaseModel):
    """A request body. Unknown fields are refused, and values are never converted."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)

    def sent(self) -> dict[str, Any]:
        """Return the fields that the request named."""
        return self.model_dump(exclude_unset=True)


class EditsToDrop(Body):
    """Which edits to give up."""

    fields: list[Word] | None = Field(default=None, max_length=MAX_EDITS, description="null or left out: all of them.")
