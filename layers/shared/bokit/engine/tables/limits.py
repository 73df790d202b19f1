"""Limits of syncs of tables."""

MAX_TABLE_PROBLEMS = 50
"""Problems of a sync that are listed one by one."""
MAX_PLAN_TRIES = 3
"""How often rows are planned again because somebody changed their records meanwhile."""
