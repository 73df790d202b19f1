"""Limits of syncs of long lists."""

from __future__ import annotations

from datetime import timedelta

MAX_PLAN_TRIES = 3
"""How often items are planned again because somebody changed their records meanwhile."""
MAX_PASS_AGE = timedelta(hours=6)
"""An older unfinished pass begins again: its list may have become another one."""
CHECKPOINT_ITEMS = 100
"""A pass stores how far it has come after a part, once so many of its items were written since it last did."""
CHECKPOINT_PARTS = 10
"""The same, in parts, where fewer were written."""
