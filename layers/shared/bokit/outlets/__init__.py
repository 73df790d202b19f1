"""Where messages and notices are sent.

A *queue* carries messages to the workers; a *notice* is what an owner should know, and *alerts* publish it.
May import: ``aws``, ``core.model``, ``errors``.
"""

__all__ = ["memory", "protocols", "queue", "sns"]
