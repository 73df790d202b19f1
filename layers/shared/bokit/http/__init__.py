"""The HTTP API: routes over the engine's services, problem documents and the OpenAPI document.

Terms: a *call* is one authorized request; a *problem* is an error as RFC 9457 describes it; a *reply* is a written response.
May import: ``core.items``, ``core.model``, ``engine``, ``errors``, ``values``.
"""

__all__ = ["documents", "openapi", "page_files", "public", "schemas", "service", "sockets"]
