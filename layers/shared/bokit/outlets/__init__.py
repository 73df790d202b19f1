"""Where messages and notices are sent. Imports the core, ``errors`` and ``net``.

A *queue* carries messages to the workers; a *notice* is what an owner should know, and *alerts* publish it.
"""

__all__ = ["memory", "protocols", "queue", "sns"]
