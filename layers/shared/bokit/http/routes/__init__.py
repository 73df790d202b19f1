"""The routes, one module for each resource. Each is imported at the first request for one of its paths (``http.routers``)."""

__all__: list[str] = []
