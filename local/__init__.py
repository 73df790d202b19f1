"""The local cloud: the same stack on one machine, without an account or Docker."""
