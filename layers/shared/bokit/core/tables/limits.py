"""Limits of tables: what their declaration, a row and a chunk may hold."""

MAX_TABLES = 200
"""Tables of one source."""
MAX_LISTED_TABLES = 200
"""Tables of a database that a preview lists."""
MAX_LISTED_COLUMNS = 4000
"""Columns of all tables that a preview lists, together."""
MAX_COLUMN_NAME_LENGTH = 128
"""No database takes longer names; PostgreSQL 63, MySQL 64, SQL Server 128."""
MAX_KEY_COLUMNS = 16  # of one table
MAX_FILTER_LENGTH = 4000  # characters of a table's condition
MAX_BYTES_VALUE_LENGTH = 255
"""Bytes of a binary value; longer ones are files, not fields."""
MAX_ROW_BYTES = 256 * 1024
"""Bytes of a row as JSON. What a person changes in its record later, and what its source said then, is stored beside it."""
MAX_VALUE_DEPTH = 50
"""Objects and arrays inside each other."""
MAX_UNSTAMPED_ROWS = 2000
"""Rows without a time in their updated-at column that an incremental pass reads; with more of them every pass is whole."""
MAX_DUPLICATE_KEYS = 50
"""Keys of a table that several rows may share, each a problem of its own; with more of them the key is refused."""
