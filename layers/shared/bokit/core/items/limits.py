"""Limits of what one item, record or API declaration may hold."""

MAX_ITEM_BYTES = 200_000
"""Bytes of an item: a record and its change are stored in one item of the table each, which takes 400 KB."""
MAX_ITEM_DEPTH = 50
"""Objects and arrays inside each other."""
MAX_RECORD_FIELDS = 2000  # of one record
MAX_ITEM_PROBLEMS = 50
"""Problems of a fetch that are listed one by one."""
MAX_RELEASES_SHOWN = 1000
"""Records that a held plan lists one by one; applying it removes them all."""
MAX_EXPRESSION_LENGTH = 1000  # characters of an expression that finds items, ids or links
MAX_PAGE_SIZE = 10_000  # items that an API is asked for at once
MAX_API_HEADERS = 50  # of one API
MAX_API_HEADER_LENGTH = 4000  # characters of one
MAX_MAPPED_FIELDS = 1000  # of one API
MAX_FIELD_NAME_LENGTH = 200  # characters
