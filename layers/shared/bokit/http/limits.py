"""Limits of the HTTP API."""

from __future__ import annotations

from datetime import timedelta

MAX_BODY_BYTES = 256 * 1024  # of a request
MAX_BODY_DEPTH = 32  # levels of nested objects and arrays
MAX_TEXT_LENGTH = 4000  # characters of a note, an address, a guest's name …
MAX_TIME_LENGTH = 40  # characters of a time
MAX_GUESTS = 999  # of a booking: guests, adults, children
MAX_EDITS = 100  # edits that one request gives up
MAX_RELEASED_NIGHTS = 4000  # of one booking
MAX_HEADER_LENGTH = 1000  # characters of a precondition, or of a list of words
MAX_PAGE_ITEMS = 200  # of a list
MAX_PAGE_BYTES = 2 * 2**20  # of a list's page, unless its first item is larger; a response of Lambda may have 6 MB
MAX_PREVIEW_ENTRIES = 200  # that a preview shows
MAX_FACT_LENGTH = 500  # characters of an error's fact; a longer one is left out of the problem document
MAX_SHOWN_NAME = 60  # characters of an unknown query parameter's name that the error shows
TURNOVER_SPAN, MAX_TURNOVER_SPAN = timedelta(days=31), timedelta(days=366)  # the days that one list covers
MAX_ROTATION_OVERLAP = timedelta(days=30)  # how long a calendar's former address may work
