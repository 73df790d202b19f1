"""Limits of what is fetched from a source."""

MAX_HEADER_LENGTH = 512
"""Of ETag and Last-Modified, which are stored with the source, and of Date and Age."""
MAX_PAGES = 2_000  # of one fetch of a JSON API
MAX_LIST_BYTES = 50_000_000
"""Of all pages of a JSON API."""
MAX_PAGE_BYTES = 20_000_000
"""Of one response of a JSON API."""
MAX_FETCH_SECONDS = 240.0
"""Of one fetch of a JSON API: less than a source's lease."""
MAX_PAGE_TRIES = 3  # of one page
MAX_RETRY_WAIT_SECONDS = 30.0
"""Before a page is asked again; an API that asks for a longer wait ends the fetch."""
MAX_PAGE_CURSOR_LENGTH = 4000  # characters of a cursor to the next page
MAX_LINK_LENGTH = 4096  # characters of a link to the next page
