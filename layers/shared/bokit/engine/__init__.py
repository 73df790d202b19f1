"""The engine: the sync in its reading order, and what people ask of it."""
