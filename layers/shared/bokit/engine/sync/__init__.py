"""Syncing one source: lease, fetch, read, plan, guard, apply, reconcile, notices, head.

Terms: the *fast path* ends after an unchanged fetch; the *slow path* holds the source's *lease*, and every write
carries its *fence*.
May import: ``engine.base``, ``core.model``, the protocols of sources, outlets and store.
"""

__all__ = ["actions", "finish", "job", "kinds", "lease", "notices", "sync"]
