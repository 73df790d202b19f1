"""How a command ends that fails: one line on standard error, and under ``--json`` one document on standard output.

    error                        code             exit code
    wrong use                    ``bad-input``    2
    an error of Bokit's own      its own          2
    a signal, or "no"            ``interrupted``  130
    any other                    ``unexpected``   1

It is imported once something has failed.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from typer import exceptions as usage

from bokit.config import is_debugging
from bokit.core.model.suggestions import did_you_mean, suggest
from bokit.errors import BokitError, InputError
from bokit_cli.lines import fit
from bokit_cli.show import clean

if TYPE_CHECKING:
    from bokit_cli.documents import CommandFailureDocument

INTERRUPTED = "interrupted"
UNEXPECTED = "unexpected error in Bokit: {name}; set BOKIT_DEBUG=1 to see where"
NO_ARGUMENTS = "NoArgsIsHelpError"  # typer keeps the class to itself
_TYPERS_OFFER = re.compile(r"\. Did you mean (.+)\?$")

_REASON = re.compile(r"(?<=': )[A-Z](?=[a-z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFailure:
    """Why a command failed."""

    code: str
    message: str
    exit_code: int
    line: str
    """What standard error says: the message, and what else helps at a terminal."""
    option: str | None = None
    """The option, argument or field that is wrong."""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> CommandFailureDocument:
        """As ``--json`` prints it."""
        errors: list[Any] = list(self.facts.get("errors", ()))
        errors += [{"field": self.option, "message": self.message}] if self.option and not errors else []
        facts = {name: value for name, value in self.facts.items() if name not in ("errors", "field")}
        return {"error": {"code": self.code, "message": self.message, "errors": errors, "facts": facts}}


def end_failed(error: BaseException, *, as_json: bool) -> int:
    """Print why a command failed, below a traceback if BOKIT_DEBUG is set, and return its exit code."""
    if type(error).__name__ == NO_ARGUMENTS and (ctx := getattr(error, "ctx", None)) is not None:
        sys.stderr.write(f"{ctx.get_help()}\n")
        return 2
    if is_debugging():
        import traceback

        traceback.print_exception(error)
    failure = read_failure(error)
    sys.stderr.write(fit(f"error: {clean(failure.line)}", sys.stderr) + "\n")
    if as_json:
        sys.stdout.write(json.dumps(failure.as_dict(), indent=2, ensure_ascii=False, default=str) + "\n")
    return failure.exit_code


def read_failure(error: BaseException) -> CommandFailure:
    """Return why a command failed: an error of ours as it says itself, and of any other only its class."""
    if isinstance(error, (KeyboardInterrupt, usage.Abort)):
        return CommandFailure(code=INTERRUPTED, message=INTERRUPTED, exit_code=130, line=INTERRUPTED)
    if isinstance(error, usage.TyperException):
        return _read_wrong_use(error)
    if isinstance(error, BokitError):
        return CommandFailure(
            code=error.stable_code,
            message=error.message,
            exit_code=2,
            line=str(error),
            option=error.facts.get("field"),
            facts=error.facts,
        )
    message = UNEXPECTED.format(name=type(error).__name__)
    return CommandFailure(code="unexpected", message=message, exit_code=1, line=message)


def _read_wrong_use(error: usage.TyperException) -> CommandFailure:
    """Return wrong use in one line, with the name that was meant, or the command whose help says more."""
    ctx, param = getattr(error, "ctx", None), getattr(error, "param", None)
    message = _write_message(error)
    line = message if message.endswith("?") else f"{message}; see `{ctx.command_path if ctx else 'bokit'} --help`"
    name = getattr(error, "option_name", None) or (param and param.get_error_hint().replace("'", ""))
    return CommandFailure(code=InputError.code, message=message, exit_code=2, line=line, option=name)


def _write_message(error: usage.TyperException) -> str:
    """Return typer's message as one of ours: it begins small, and offers similar names as any other does."""
    possible: Sequence[str] | None = getattr(error, "possibilities", None)
    if possible:
        return f"{_lower(error.message)}{did_you_mean(suggest(getattr(error, 'option_name', ''), possible))}"
    message = _REASON.sub(lambda found: found[0].lower(), _lower(error.format_message()))
    return _TYPERS_OFFER.sub(r"; did you mean \1?", message)


def _lower(message: str) -> str:
    return (message[:1].lower() + message[1:]).rstrip(".")


def wants_json(arguments: Sequence[str]) -> bool:
    """Return whether ``--json`` is among the options, where a command line can't be read.

    >>> wants_json(["status", "--json"]), wants_json(["property", "add", "--", "--json"])
    (True, False)
    """
    return "--json" in arguments[: arguments.index("--") if "--" in arguments else None]
