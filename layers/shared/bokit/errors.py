"""Every error of Bokit, grouped by what the engine does about it.

    error                                             the engine
    LaterError: SourceUnavailableError,               records it, lets the queue deliver again, backs off
      StoreConflictError, StaleFenceError
    NeverError: SourceRefusedError,                   records it, notifies the owner, waits for the next interval
      SourceMalformedError
    InputError: UnknownIdError, UnknownNameError,     refuses: exit code 2 on the command line, 4xx over HTTP
      AddressRefusedError, OptionError, StateError,
      QuotaError
    StoreUnreachableError, ConfigError                stops, and says what to check
    RequestRefusedError, any other                    records the step and raises; the dead letters keep the message

A plan that a guard holds is not an exception; the hold is part of the plan. Messages are constant sentences, and facts are
fields: neither contains a URL, a guest or a body.
"""

from __future__ import annotations

from typing import Any, ClassVar


class BokitError(Exception):
    """An error with a stable *code*, a constant *message*, and facts.

    >>> str(UnknownIdError("no such source; `bokit source list` shows them", id="src_1"))
    'no such source; `bokit source list` shows them (id: src_1)'
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, code: str | None = None, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts
        self.own_code = code

    @property
    def stable_code(self) -> str:
        """Return the code for programs: the error's own, or its class's."""
        return self.own_code or self.code

    def __str__(self) -> str:
        facts = ", ".join(f"{name}: {value}" for name, value in self.facts.items())
        return f"{self.message} ({facts})" if facts else self.message


class LaterError(BokitError):
    """A retry may succeed."""

    code = "later"


class SourceUnavailableError(LaterError):
    """The source did not answer, or with 429 or 5xx; *retry_after* in seconds if it said so."""

    code = "source-unavailable"

    def __init__(self, message: str, *, code: str | None = None, retry_after: float | None = None, **facts: Any) -> None:
        super().__init__(message, code=code, **facts)
        self.retry_after = retry_after


class StoreConflictError(LaterError):
    """A condition of a write failed: another write was first."""

    code = "conflict"


class StaleFenceError(StoreConflictError):
    """Another run took over the claim or lease; this one must not write any more."""

    code = "stale-fence"


class NeverError(BokitError):
    """A retry fails again until the owner changes something."""

    code = "never"


class SourceRefusedError(NeverError):
    """The source answered 401, 403, 404 or 410."""

    code = "source-refused"


class SourceMalformedError(NeverError):
    """The source's content cannot be read."""

    code = "source-malformed"


class InputError(BokitError):
    """Wrong use or bad input; the message says what, and how to correct it."""

    code = "bad-input"


class UnknownIdError(InputError):
    """The tenant has nothing with this id."""

    code = "not-found"


class UnknownNameError(UnknownIdError):
    """Nothing has this id or name: facts are *name* and *suggestions*, the full names that may be meant."""

    def __str__(self) -> str:
        return self.message  # it says them


class AddressRefusedError(InputError):
    """A URL that is not fetched: a wrong scheme, or an address that is not public."""

    code = "address-refused"


class OptionError(InputError):
    """An unknown option, or a value that it does not accept."""

    code = "bad-option"


class StateError(InputError):
    """The request is not possible in the present state."""

    code = "wrong-state"


class QuotaError(StateError):
    """A quota is used up: facts are *quota*, *limit*, *used*, and the *parameter* of the stack that sets it."""

    code = "quota"

    def __str__(self) -> str:
        return self.message  # it says them


NO_TABLE = "no-table"
"""The code of a StoreUnreachableError where the table does not exist."""


class StoreUnreachableError(BokitError):
    """The table does not answer, does not exist, or may not be used as the process is set up; the message says what to check."""

    code = "store-unreachable"


class RequestRefusedError(BokitError):
    """AWS refused a request as wrong in itself: a fault of Bokit, whose traceback belongs in the log."""

    code = "request-refused"


class ConfigError(BokitError):
    """A variable of the environment is missing or wrong."""

    code = "config"
