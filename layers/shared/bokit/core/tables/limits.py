"""Limits of tables: what their declaration, a row and a chunk may hold."""

MAX_TABLES = 200
"""Tables of one source."""
MAX_COLUMN_NAME_LENGTH = 128
"""No database takes longer names; PostgreSQL 63, MySQL 64, SQL Server 128."""
MAX_KEY_COLUMNS = 16  # of one table
MAX_FILTER_LENGTH = 4000  # characters of a table's condition
MAX_BYTES_VALUE_LENGTH = 255
"""Bytes of a binary value; longer ones are files, not fields."""
MAX_ROW_BYTES = 256 * 1024
"""Bytes of JSON: a record and its change are stored in one item each, which takes 400 KB."""
