"""Where messages and notices are sent.

A *queue* carries messages to the workers; a *notice* is what an owner should know, and *alerts* publish it; a *webhook* is sent
events, an *alert* goes to a tenant's own channel, and *connections* are open WebSockets.
May import: ``aws``, ``aws_errors``, ``core.alerts``, ``core.model``, ``errors``, ``net``, ``values``.
"""

__all__ = ["letters", "mail", "memory", "post", "protocols", "queue", "sns", "webhook", "websocket"]
