"""SQL databases as sources, read-only: MariaDB, MySQL, PostgreSQL and SQLite.

May import ``core.tables``, ``core.model``, ``net`` and ``errors``. SQLAlchemy and the drivers are imported when a database
is opened. ``errors``, ``connect``, ``grants``, ``query`` and ``shape`` are its own.
"""

__all__ = ["protocols", "table", "url"]
