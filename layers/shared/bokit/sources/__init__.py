"""Where content comes from: calendars and JSON APIs over HTTP, SQL databases, and the secrets that open them.

May import: aws_errors, core.items, core.model, core.tables, errors, net, values.
"""

__all__ = ["ical", "json_api", "limits", "protocols", "responses", "secrets"]
