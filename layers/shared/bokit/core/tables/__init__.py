"""Tables of SQL sources: how they are declared, how rows become records, and what is kept between two syncs. Pure.

Terms: the *manifest* lists the *chunks* of every table; a chunk holds a digest for each row of a key range; a *watermark*
is the last updated-at value seen; a *pass* reads a whole table, in as many syncs as it takes.
May import: core.items, core.model, errors, values.
"""

__all__ = ["agreement", "chunks", "limits", "listing", "marks", "progress", "rules", "spec", "values"]
