"""The HTTP API: routes over the engine's desks, problem documents, and the OpenAPI document. It is handed the engine."""
