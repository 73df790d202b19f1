"""What requests may say in their bodies. Types are JSON's own; the desks judge the rest, as they do for the command line."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bokit.http.params import DAY

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S", examples=["Garden flat"])]
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
        min_length=1, max_length=4096, examples=["https://feeds.example/garden-flat.ics"],
        description="`https://…`, or `secret:NAME` of a secret that holds it; never shown again beyond its host.",
    ),
]  # fmt: skip
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


class NewProperty(Body):
    """A property to add."""

    name: Name
    timezone: Zone = None
    turnover_days: Turnover = None


class PropertyEdit(Body):
    """What to change of a property."""

    name: Name = ""
    timezone: Zone = None
    turnover_days: Turnover = None


class NewUnit(Body):
    """A unit to add to a property."""

    property_id: Word
    name: Name
    timezone: Zone = None
    turnover_days: Turnover = None
    parts: list[Word] = Field(default=[], max_length=100, description="Ids of the units that it is made of.")


class UnitEdit(Body):
    """What to change of a unit."""

    name: Name = ""
    timezone: Zone = None
    turnover_days: Turnover = None
    parts: list[Word] = Field(default=[], max_length=100, description="Ids of the units that it is made of.")


class NewSource(Body):
    """A source to add to a unit."""

    unit_id: Word
    name: Name
    url: Url
    kind: str = Field(default="ical", max_length=20, description="What it is.", examples=["ical"])
    platform: Platform = None
    interval: Seconds = None
    cancel_after: Wait = None
    timezone: Zone = None
    enabled: bool = Field(default=True, description="false: it is added paused.")


class SourceEdit(Body):
    """What to change of a source."""

    name: Name = ""
    url: Url = ""
    platform: Platform = None
    interval: Seconds = None
    cancel_after: Wait = None
    timezone: Zone = None
    enabled: bool = Field(default=True, description="false: it is paused, and what it holds stays held.")


class Settling(Body):
    """Which held plan is meant."""

    plan: str | None = Field(
        default=None, max_length=100, description="The plan that the source showed; refused where it has changed since."
    )


class OptionValue(Body):
    """An option's new value."""

    value: Any = Field(description="In the option's own type.", examples=[900])


class BookingEdit(Body):
    """What a person says of a booking; it stands, whatever the source says."""

    kind: str | None = Field(default=None, max_length=20, description="`reservation` or `block`.")
    status: str | None = Field(default=None, max_length=20, examples=["confirmed"])
    check_in: Day | None = None
    check_out: Day | None = None
    released_nights: list[Day] = Field(default=[], max_length=4000, description="Nights that it holds no longer.")
    release: bool = Field(
        default=False, description="Release every night that the source still holds and the booking, so edited, does not."
    )
    summary: Text = None
    guest_name: Text = None
    reservation_code: Text = None
    reservation_url: Text = None
    phone_last4: Text = None
    phone: Text = None
    email: Text = None
    country: Text = None
    ota: Text = None
    ota_reference: Text = None
    comments: Text = None
    notes: Text = None
    guests: Count = None
    adults: Count = None
    children: Count = None


class Acceptance(Body):
    """Which edits are given up."""

    fields: list[Word] | None = Field(default=None, max_length=100, description="null or left out: all of them.")


class NewToken(Body):
    """A token to make."""

    name: str = Field(default="", max_length=200, description="What it is for.", examples=["Front desk"])
    role: Literal["viewer", "operator", "admin"] = "viewer"
    expires_in: int | None = Field(default=None, ge=1, le=316_224_000, description="Seconds; null: it does not expire.")


class TokenEdit(Body):
    """What to change of a token."""

    name: str = Field(default="", max_length=200)


class TriggerRequest(Body):
    """What to sync; what it does not name is not asked."""

    source_ids: list[Word] | None = Field(default=None, min_length=1, max_length=1000, description="These sources.")
    unit_id: Word | None = Field(default=None, description="The sources of this unit.")
    collection: Word | None = Field(default=None, description="The sources of this collection.")
    new_only: bool | None = Field(default=None, description="Add what is new, touch nothing else; null: as the option says.")
    force: bool = Field(default=False, description="Ignore interval and unchanged content.")
    dry_run: bool = Field(default=False, description="Answer with the plan, and write nothing.")
    delay_seconds: int = Field(default=0, ge=0, le=900, description="Begin so much later.")


class MonitorStart(Body):
    """The monitor to start."""

    interval: int = Field(ge=60, le=31_622_400, description="Seconds between two runs.", examples=[300])
    new_only: bool | None = Field(default=None, description="Add what is new, touch nothing else; null: as the option says.")
    max_runs: int | None = Field(default=None, ge=1, le=1_000_000_000, description="It ends after so many; null: when stopped.")
