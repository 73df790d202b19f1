"""Limits of syncs of tables."""

MAX_PLAN_TRIES = 3
"""How often rows are planned again because somebody changed their records meanwhile."""
MAX_NOTE_LENGTH = 300
"""Characters of a table's message in its source's head, which one query reads with others."""
