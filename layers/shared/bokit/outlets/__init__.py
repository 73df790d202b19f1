"""Where work and notices go: the queue and the alert topic."""
