"""Records of declared collections: items of JSON APIs, and the changes that people and programs make to records. Pure.

Terms: an *item* is one object of an API's list; a *row* is an item read (key and fields); a *record* is what is stored;
a *patch* is a requested change of one record.
May import: core.model, errors, values.
"""

__all__ = [
    "api_spec", "by_hand", "cells", "edit", "guard", "links", "long_lists", "page_signals", "paging", "planning",
    "reader", "rules", "settings", "undo",
]  # fmt: skip
