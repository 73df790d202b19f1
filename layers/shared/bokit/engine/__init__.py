"""The engine, assembled: what handlers and the command line call.

Every service is made at its first use.

May import: core.model, engine, errors, outlets, store, values.
"""

__all__ = ["app"]
