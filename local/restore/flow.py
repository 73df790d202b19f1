"""A restore from its beginning to the parameters of the deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from local.restore.calls import connect
from local.restore.content import open_table, raise_numbers, revoke_again
from local.restore.origin import find_origin
from local.restore.table import Report, RestoredTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is restored. *origin*: a stack, or a table; *at*: None for the latest time; *key*: None for the stack's own."""

    origin: str
    table: str
    at: datetime | None = None
    key: str | None = None
    keeps_tokens: bool = False
    """Tokens that were revoked since stay valid: the former table cannot be read."""


def restore(request: Request, report: Report) -> Mapping[str, str]:
    """Restore a table, and return the parameters of a stack on it. Raises RestoreError; run again, it goes on.

    A stack that is on the table already was deployed after all this: nothing is left but what its deployment may lack.
    """
    origin, table = find_origin(request.origin, request.key), RestoredTable(request.table, report)
    is_deployed = request.origin != origin.table == request.table
    if is_deployed:
        report(f"{request.origin} is on {request.table} already")
    else:
        table.restore(origin.table, request.at)
    table.enable_recovery()
    table.enable_expiry()
    table.protect()
    stream = table.enable_stream()
    if not is_deployed:
        _settle_content(request, origin.table, report)
    report(f"{request.table} is ready")
    return {"ExistingTable": request.table, "ExistingTableStreamArn": stream, "ExistingCalendarKey": origin.key}


def _settle_content(request: Request, source: str, report: Report) -> None:
    region = str(connect("dynamodb").meta.region_name)
    restored = open_table(request.table, region)
    if raised := raise_numbers(restored, request.table):
        report(f"the event logs of {raised} tenants go on a million further")
    if not request.keeps_tokens and (revoked := revoke_again(open_table(source, region), restored)):
        report(f"{revoked} tokens that were revoked since are revoked again")
