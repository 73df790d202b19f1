"""What every part of the engine uses: clock and ids, lookup by name, retries, tenant options, the reconciler's protocol.

Terms: a *reconciler* makes derived data (conflicts, published calendars) agree with a collection's records after a write.

May import: core.model, errors, store, values.
"""

__all__ = ["backup", "clock", "faults", "fields", "lookup", "moves", "reconcile", "retention", "retry", "tenant_options", "usage"]
