"""Limits of writes to records."""

MAX_RECORD_EDIT_TRIES = 5
"""How often an edit is made because a sync changed the record meanwhile."""
MAX_PATCH_TRIES = 40
MAX_PATCH_PAUSE_SECONDS = 0.4
"""Between two tries; chance spreads them, so writers elsewhere get their turn."""
