"""The pure core: what feeds mean and what must change. No I/O, no clock, no environment."""
