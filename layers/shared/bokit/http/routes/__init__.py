"""The routes, one module for each resource. Each is imported at the first request for one of its paths (``http.routers``).

May import: ``core.alerts``, ``core.items``, ``core.model``, ``engine``, ``errors``, ``http``, ``values``.
"""

__all__: list[str] = []
