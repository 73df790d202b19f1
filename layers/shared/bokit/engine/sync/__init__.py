"""Syncs one source: lease, fetch, read, plan, guard, apply, reconcile, notices, head.

Terms: the *fast path* ends after an unchanged fetch; the *slow path* holds the source's *lease*, and every write carries its
*fence*.

May import: core.model, engine.base, errors, sources, store, values.
"""

__all__ = ["actions", "elsewhere", "finish", "job", "kinds", "lease", "limits", "pass_session", "plan_limit", "sync"]
