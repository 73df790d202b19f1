"""The local cloud: the same stack on one machine, without account or Docker."""
