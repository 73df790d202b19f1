"""The store on DynamoDB, through PynamoDB.

An *item* is what the table stores, a *row* is an item as PynamoDB reads it, a *part* is a piece of a value larger than an item.
May import: ``aws``, ``aws_errors``, ``core.model``, ``errors``, ``store``, ``values``.
"""

__all__ = ["create_table", "store", "stream"]
