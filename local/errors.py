"""The error of the local cloud."""


class LocalError(Exception):
    """The local cloud failed; the message is one line that says why and how to fix it."""
