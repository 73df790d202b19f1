"""Limits of what is fetched from a source."""

MAX_HEADER_LENGTH = 512
"""Of ETag and Last-Modified, which are stored with the source, and of Date and Age."""
MAX_PAGES = 2_000  # of one fetch of a JSON API
MAX_LIST_BYTES = 50_000_000
"""Of all pages of a JSON API that become one body."""
MAX_LONG_LIST_BYTES = 500_000_000
"""Of all pages of a long list that one worker reads."""
MAX_BODY_ITEMS = 2_000
"""Of a JSON API: a list with more pages after so many items is a long one, which is read part by part."""
MAX_BODY_BYTES = 2_000_000
"""The same, in bytes of its responses."""
MAX_WHOLE_ITEMS = 20_000
"""Of a list that comes in one response, or ends so: one with more items is a long one, too."""
MAX_WHOLE_BYTES = 10_000_000
"""The same, in bytes."""
MIN_LONG_PAGE_ITEMS = 20
"""Of a page of a long list, on average."""
MAX_PAGE_BYTES = 20_000_000
"""Of one response of a JSON API."""
MAX_FETCH_SECONDS = 240.0
"""Of one fetch of a JSON API: less than a source's lease."""
MAX_PAGE_TRIES = 3  # of one page
MAX_RETRY_WAIT_SECONDS = 30.0
"""Before a page is asked again; an API that asks for a longer wait ends the fetch."""
