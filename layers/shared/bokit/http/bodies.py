"""What requests may say in their bodies. Types are JSON's own; the desks judge the rest, as they do for the command line."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from bokit.http.params import DAY

_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
ONE_LINE = rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$"
"""One line of text that is not blank."""
Name = Annotated[
    str,
    Field(min_length=1, max_length=200, pattern=ONE_LINE, description="One line.", examples=["Garden flat"]),
]
Zone = Annotated[
    str | None,
    Field(max_length=64, description="An IANA name; null: that of what it belongs to.", examples=["Europe/Rome"]),
]
Turnover = Annotated[
    int | None,
    Field(ge=0, le=30, description="Days between a departure and the next arrival; null: those of what it belongs to."),
]
Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=4096,
        examples=["https://feeds.example/garden-flat.ics"],
        description="`https://…`, or `secret:NAME` of a secret that holds it; never shown again beyond its host.",
    ),
]
Seconds = Annotated[int | None, Field(ge=60, le=31_536_000, description="Seconds; null: the tenant's.", examples=[900])]
Wait = Annotated[int | None, Field(ge=0, le=31_536_000, description="Seconds; null: the tenant's.", examples=[86400])]
Platform = Annotated[
    str | None, Field(max_length=100, description="null: told by the content and the host.", examples=["airbnb"])
]
Day = Annotated[str, Field(pattern=DAY, json_schema_extra={"format": "date"}, examples=["2026-07-01"])]
Text = Annotated[str | None, Field(max_length=4000)]
Count = Annotated[int | None, Field(ge=0, le=999)]
Word = Annotated[str, Field(min_length=1, max_length=200)]


class Body(BaseModel):
    """A body: what it does not name is refused, and nothing is taken for something else."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)

    def told(self) -> dict[str, Any]:
        """Return what was said; what was left out is left out."""
        return self.model_dump(exclude_unset=True)
