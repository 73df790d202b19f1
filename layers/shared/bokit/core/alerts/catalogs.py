"""The words of alerts, by language. A language is a catalog with the keys and placeholders of English; a test compares them.

Each text says what happened, where, for which nights, what it means, and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping

Catalog = Mapping[str, str]

ENGLISH: Catalog = {
    # ── names and dates ──
    "months": "January February March April May June July August September October November December",
    "weekdays": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "day": "{day} {month}",
    "day_with_year": "{day} {month} {year}",
    "one_night": "the night of {first}",
    "nights": "{count} nights, from {first} to {last}",
    "nights_apart": "{count} nights between {first} and {last}",
    "stay": "{source}, {check_in} to {check_out}",
    "stay_without_days": "{source}",
    "by_hand": "entered by hand",
    "and": " and ",
    "more": "{count} more",
    # ── double bookings ──
    "conflict.title": "Double booking: {unit}",
    "conflict.text": (
        "{unit} is booked twice for {nights}. These bookings share them: {bookings}.\n"
        "Two groups of guests could arrive at the same time.\n"
        "What to do: keep one booking. Call the other platform or guest now, and move or cancel the other booking there. "
        "Bokit writes again when the calendars agree."
    ),
    "conflict_possible.title": "Possible double booking: {unit}",
    "conflict_possible.text": (
        "{unit}: these bookings hold {nights}: {bookings}.\n"
        "It may be one booking that a second calendar repeats, or two real ones.\n"
        "What to do: look at both. If it is one booking, acknowledge it in Bokit; if there are two, move or cancel one."
    ),
    "conflict_turnover.title": "Too little time between guests: {unit}",
    "conflict_turnover.text": (
        "{unit}: between these bookings there is less time than the unit needs, around {nights}: {bookings}.\n"
        "The unit may not be ready when the next guests arrive.\n"
        "What to do: arrange the cleaning, or agree on other times with the guests."
    ),
    "conflict_over.title": "Solved: {unit}",
    "conflict_over.text": "The conflict in {unit} over {nights} is over. There is nothing left to do.",
    "conflicts.title": "{count} double bookings",
    "conflicts.text": (
        "These nights are booked more than once:\n{items}\n"
        "Two groups of guests could arrive at the same time.\n"
        "What to do: for each, keep one booking, and move or cancel the other on its platform."
    ),
    "conflicts_over.title": "{count} conflicts are solved",
    "conflicts_over.text": "These conflicts are over:\n{items}\nThere is nothing left to do.",
    "conflict_item": "{unit}: {nights}",
    # ── calendars and other sources ──
    "source.failing.title": "{name} cannot be read",
    "source.failing.text": (
        "Bokit cannot read {name}: {detail}.\n"
        "Bookings stay as they were. New bookings and cancellations from there are missing until it works again.\n"
        "What to do: open the calendar's address in a browser. If it does not work there either, copy a new one from the "
        "platform into Bokit."
    ),
    "source.held.title": "{name}: a change waits for you",
    "source.held.text": (
        "{name}: {detail}\n"
        "Nothing was cancelled, and no night was opened. New bookings are taken as always.{opens}\n"
        "What to do: look at the platform. Then apply or discard the change in Bokit (source {source_id})."
    ),
    "source.held.opens": " If you do nothing, the nights that it frees open on {opens_at}.",
    "source.stale.title": "{name} is out of date",
    "source.stale.text": (
        "{name} has shown nothing new since {since}.\n"
        "New bookings may be missing, and so may cancellations. Nothing is cancelled meanwhile.\n"
        "What to do: compare the calendar with the platform, and close by hand what is missing."
    ),
    "source.recovered.title": "{name} works again",
    "source.recovered.text": "Bokit reads {name} again. There is nothing left to do.",
    "sources.failing.title": "{count} calendars cannot be read",
    "sources.failing.text": (
        "Bokit cannot read {items}: {detail}.\n"
        "Bookings stay as they were. New bookings and cancellations from there are missing until it works again.\n"
        "What to do: it is probably one cause. Look whether the platform works; if it does, copy new addresses from there."
    ),
    "sources.held.title": "{count} calendars: changes wait for you",
    "sources.held.text": (
        "{items}: {detail}\n"
        "Nothing was cancelled, and no night was opened. New bookings are taken as always.{opens}\n"
        "What to do: look at the platform. Then apply or discard each change in Bokit."
    ),
    "sources.stale.title": "{count} calendars are out of date",
    "sources.stale.text": (
        "{items} have shown nothing new since {since} or longer.\n"
        "New bookings may be missing, and so may cancellations. Nothing is cancelled meanwhile.\n"
        "What to do: compare the calendars with the platforms, and close by hand what is missing."
    ),
    "sources.recovered.title": "{count} calendars work again",
    "sources.recovered.text": "Bokit reads {items} again. There is nothing left to do.",
    "unknown_detail": "an unexpected error",
    "unknown_time": "an unknown time",
    # ── others ──
    "webhook.disabled.title": "A webhook was switched off",
    "webhook.disabled.text": (
        "Bokit sends nothing more to {name}: {detail}.\n"
        "The program behind it no longer hears of bookings.\n"
        "What to do: repair the program, then switch the webhook on again and send what it missed."
    ),
    "webhook.failed.title": "A webhook missed an event",
    "webhook.failed.text": (
        "Bokit tried for days to send an event to {name}, and has given it up.\n"
        "The program behind it has not heard of it; others may follow.\n"
        "What to do: repair the program, then send what it missed again from the webhook's list of deliveries."
    ),
    "webhook.gone": "it answered that it is gone for good",
    "webhook.failing": "it accepted nothing for days",
    "calendar.unread.title": "{reader} no longer reads the calendar of {unit}",
    "calendar.unread.text": (
        "{reader} has not read the calendar of {unit} for {late}; it usually reads it every {usual}.\n"
        "Nights that were taken elsewhere since then may still be open there.\n"
        "What to do: look on the platform whether Bokit's calendar is still imported, and import it again if it is not. "
        "Until it is read, close by hand what was taken since."
    ),
    "span.minutes": "{count} min",
    "span.hours": "{count} h",
    "span.days": "{count} days",
    # ── digest and test ──
    "digest.title": "{weekday}, {day}",
    "digest.arrivals": "Arrivals: {items}.",
    "digest.departures": "Departures: {items}.",
    "digest.no_arrivals": "No arrivals.",
    "digest.no_departures": "No departures.",
    "digest.conflicts": "Open double bookings: {count}.",
    "digest.troubled": "Calendars that need you: {items}.",
    "digest.visit": "{source} ({nights})",
    "digest.visit_by_hand": "{unit} ({source}, {nights})",
    "digest.nights.one": "1 night",
    "digest.nights.more": "{count} nights",
    "test.title": "Test message from Bokit",
    "test.text": "This channel works. Bokit writes here when a booking or a calendar needs you.",
    "lost.title": "Some messages are missing",
    "lost.text": (
        "This channel did not work for so long that {count} events are no longer in Bokit's log.\n"
        "What to do: look at the double bookings and the calendars in Bokit."
    ),
}

CATALOGS: Mapping[str, Catalog] = {"en": ENGLISH}


def find_catalog(locale: str) -> Catalog:
    """Return the catalog of *locale* (``de-AT``), else of its language, else English."""
    return CATALOGS.get(locale) or CATALOGS.get(locale.partition("-")[0]) or ENGLISH
