"""Where messages and notices are sent.

A *queue* carries messages to the workers; a *notice* is what an owner should know, and *alerts* publish it; a *webhook* is sent
events, and an *alert* goes to a tenant's own channel. May import: ``aws``, ``core.alerts``, ``core.model``, ``errors``, ``net``.
"""

__all__ = ["mail", "memory", "post", "protocols", "queue", "sns", "webhook"]
