"""Limits of what one item, record or API declaration may hold."""

MAX_ITEM_BYTES = 200_000
"""Bytes of an item, or of one change of a record."""
MAX_RECORD_BYTES = 1_000_000
"""Bytes of a record with all of its changes: what was accepted once can be changed later, by its source and by people."""
MAX_ITEM_DEPTH = 50
"""Objects and arrays inside each other."""
MAX_RECORD_FIELDS = 2000  # of one record
MAX_ITEM_PROBLEMS = 50
"""Problems of a fetch that are listed one by one."""
MAX_RELEASES_SHOWN = 1000
"""Records that a held plan lists one by one; applying it removes them all."""
MAX_EXPRESSION_LENGTH = 1000  # characters of an expression that finds items, ids or links
MAX_PAGE_SIZE = 10_000  # items that an API is asked for at once
MAX_EMPTY_PAGES = 10
"""In a row, where something says that there is more behind them."""
MAX_PAGE_CURSOR_LENGTH = 4000  # characters of a cursor to the next page
MAX_LINK_LENGTH = 4096  # characters of a link to the next page
MAX_IGNORED = 20  # places of one API where something means something else
MAX_API_HEADERS = 50  # of one API
MAX_API_HEADER_LENGTH = 4000  # characters of one
MAX_MAPPED_FIELDS = 1000  # of one API
MAX_FIELD_NAME_LENGTH = 200  # characters
