"""A benchmark for the field: what policies make of simulated feeds with faults, scored against the truth beside them."""
