"""The command line of Bokit: a thin shell over ``bokit.wiring``."""
