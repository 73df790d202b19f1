"""SQL databases as sources, read-only: MariaDB, MySQL, PostgreSQL and SQLite.

SQLAlchemy and the drivers are imported when a database is opened.
May import: core.model, core.tables, errors, net, sources, values.
"""

__all__ = ["protocols", "table", "url"]
