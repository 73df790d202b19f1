"""Errors of AWS, as the outlets raise them: whatever is wrong, what was not taken is sent again."""

from __future__ import annotations

from bokit.aws_errors import AwsService, read_fault
from bokit.errors import LaterError


def not_taken(error: Exception, service: AwsService, *, code: str) -> LaterError:
    """Return the error for what *service* did not take: it says what to do, where waiting is not enough."""
    fault = read_fault(error)
    return LaterError(fault.describe(service), code=code, error=fault.code)
