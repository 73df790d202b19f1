"""The errors of the local cloud and of deployments."""


class LocalError(Exception):
    """The local cloud failed; the message is one line that says why and how to fix it."""


class DeployError(Exception):
    """A deployment was refused or failed; the message is one line that says why and how to fix it."""


class RestoreError(Exception):
    """A restore was refused or failed; the message is one line that says why and how to fix it."""
