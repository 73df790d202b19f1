"""The store on DynamoDB, through PynamoDB. Imports the core, ``errors``, ``aws`` and the rest of ``store``.

An *item* is what the table stores, a *row* is an item as PynamoDB reads it, a *part* is a piece of a value larger than an item.
"""

__all__ = ["create_table", "store"]
