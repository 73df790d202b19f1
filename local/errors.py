"""What can go wrong with the local cloud, in a line that says how to mend it."""


class LocalError(Exception):
    """The local cloud can't do what was asked; the message says what, and how to mend it."""
