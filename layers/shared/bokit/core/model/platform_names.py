"""The platforms that an owner may name; ``core.ical.platforms`` has a file for each, and a test compares the two."""

PLATFORM_NAMES = (
    "airbnb", "booking_com", "vrbo", "beds24", "smoobu", "tripadvisor", "guesty", "ownerrez", "google", "outlook", "lodgify",
    "hostaway", "expedia", "hbook", "generic",
)  # fmt: skip
_ALIASES = {"booking": "booking_com", "booking.com": "booking_com", "abritel": "vrbo", "homeaway": "vrbo", "office365": "outlook"}


def find_platform_name(word: str) -> str | None:
    """Return the platform that *word* names, in any spelling, or None if there is none."""
    name = word.strip().lower().replace("-", "_")
    name = _ALIASES.get(name, name)
    return name if name in PLATFORM_NAMES else None
