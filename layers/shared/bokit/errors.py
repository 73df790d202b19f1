"""Every error of Bokit, grouped by what the engine does about it.

BokitError
├── LaterError                  try again: the queue delivers once more, the source backs off
│   ├── SourceUnavailableError      network, timeout, 429, 5xx
│   └── StoreConflictError          somebody else wrote first, or holds the lease
│       └── StaleFenceError             our lease was taken over: nothing more may be written
├── NeverError                  trying again changes nothing: tell the owner, wait for the next interval
│   ├── SourceRefusedError          401, 403, 404, 410
│   └── SourceMalformedError        what came cannot be read
├── PlanHeldError               a guard waits for a person or for evidence
├── InputError                  wrong use or bad input: exit 2 on the command line, 4xx over HTTP
│   ├── UnknownIdError              no such thing
│   ├── AddressRefusedError         a URL that we do not fetch
│   ├── OptionError                 no such option, or a value that it does not take
│   └── StateError                  not now: it runs already, the plan has changed
├── StoreUnreachableError       the table cannot be reached
└── ConfigError                 the environment lacks something, or has it wrong

Messages are constant sentences; facts are fields. No message holds a URL, a guest or a body.
"""

from __future__ import annotations

from typing import Any, ClassVar


class BokitError(Exception):
    """An error with a stable *code*, a constant *message* and facts beside it.

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
        """The code for programs: the error's own where it has one, else its class's."""
        return self.own_code or self.code

    def __str__(self) -> str:
        told = ", ".join(f"{name}: {value}" for name, value in self.facts.items())
        return f"{self.message} ({told})" if told else self.message


class LaterError(BokitError):
    """Trying again later may help."""

    code = "later"


class SourceUnavailableError(LaterError):
    """The source did not answer as it should; *retry_after* in seconds where it said so."""

    code = "source-unavailable"

    def __init__(self, message: str, *, code: str | None = None, retry_after: float | None = None, **facts: Any) -> None:
        super().__init__(message, code=code, **facts)
        self.retry_after = retry_after


class StoreConflictError(LaterError):
    """A condition of a write did not hold: somebody else was first."""

    code = "conflict"


class StaleFenceError(StoreConflictError):
    """The lease was taken over by another run; this one must write nothing more."""

    code = "stale-fence"


class NeverError(BokitError):
    """Trying again changes nothing until the owner does something."""

    code = "never"


class SourceRefusedError(NeverError):
    """The source says no: 401, 403, 404 or 410."""

    code = "source-refused"


class SourceMalformedError(NeverError):
    """What the source sent cannot be read."""

    code = "source-malformed"


class PlanHeldError(BokitError):
    """A guard held what the feed would cancel or free."""

    code = "held"


class InputError(BokitError):
    """Wrong use or bad input; the message says what, and how to mend it."""

    code = "bad-input"


class UnknownIdError(InputError):
    """Nothing has this id, in this tenant."""

    code = "not-found"


class AddressRefusedError(InputError):
    """A URL that Bokit does not fetch: wrong scheme, or an address that is not public."""

    code = "address-refused"


class OptionError(InputError):
    """No such option, or a value that it does not take."""

    code = "bad-option"


class StateError(InputError):
    """The request does not fit the present state."""

    code = "wrong-state"


class StoreUnreachableError(BokitError):
    """The table cannot be reached or does not exist."""

    code = "store-unreachable"


class ConfigError(BokitError):
    """The environment lacks a setting, or has a wrong one."""

    code = "config"
