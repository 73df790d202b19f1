"""Where messages and notices are sent.

A *queue* carries messages to the workers; a *notice* is what an owner should know, and *alerts* publish it; a *webhook* is sent
events. May import: ``aws``, ``core.model``, ``errors``, ``net``.
"""

__all__ = ["memory", "protocols", "queue", "sns", "webhook"]
