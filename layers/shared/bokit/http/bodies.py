"""Types of request bodies. They check JSON types and lengths; the engine checks the rest, as for the command line."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from bokit.http.params import DAY

_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
ONE_LINE = rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$"
"""One line of text that is not blank."""
MAX_SECONDS = 31_536_000  # a year

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=ONE_LINE, description="One line.", examples=["Garden flat"])]
Zone = Annotated[str | None, Field(max_length=64, description="An IANA name; null: inherited.", examples=["Europe/Rome"])]
Turnover = Annotated[
    int | None, Field(ge=0, le=30, description="Days between a departure and the next arrival; null: inherited.")
]
Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=4096,
        examples=["https://feeds.example/garden-flat.ics"],
        description="`https://…`, or `secret:NAME` or `secret:NAME#KEY` of the tenant; later only its host is shown.",
    ),
]
Seconds = Annotated[
    int | None, Field(ge=60, le=MAX_SECONDS, description="Seconds between two syncs; null: the tenant's.", examples=[900])
]
Wait = Annotated[
    int | None,
    Field(ge=0, le=MAX_SECONDS, description="Seconds before a missing stay is cancelled; null: the tenant's.", examples=[86400]),
]
Platform = Annotated[str | None, Field(max_length=100, description="null: detected.", examples=["airbnb"])]
Day = Annotated[str, Field(pattern=DAY, json_schema_extra={"format": "date"}, examples=["2026-07-01"])]
Text = Annotated[str | None, Field(max_length=4000)]
GuestCount = Annotated[int | None, Field(ge=0, le=999)]
Word = Annotated[str, Field(min_length=1, max_length=200)]


class Body(BaseModel):
    """A request body. Unknown fields are refused, and values are never converted."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)

    def sent(self) -> dict[str, Any]:
        """Return the fields that the request named."""
        return self.model_dump(exclude_unset=True)


class EditsToDrop(Body):
    """Which edits to give up."""

    fields: list[Word] | None = Field(default=None, max_length=100, description="null or left out: all of them.")
