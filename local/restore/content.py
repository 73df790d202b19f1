"""What must change in restored data before a stack works on it."""

from __future__ import annotations

import os

from bokit.config import Settings
from bokit.engine.base.clock import read_clock
from bokit.engine.live.events import EventLog
from bokit.errors import BokitError
from bokit.store.protocols import Store
from bokit.wiring import open_store
from local.errors import RestoreError


def open_table(name: str, region: str) -> Store:
    """Return the store on a table."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_DYNAMODB") or os.environ.get("AWS_ENDPOINT_URL")
    return open_store(Settings(table_name=name, region=region, endpoint_url=endpoint))


def raise_numbers(restored: Store, stamp: str) -> int:
    """Raise the numbers of all event logs, once for each *stamp*; return of how many. Raises RestoreError.

    Who read an event that is lost now must load everything again, and finds that out by its number.
    """
    try:
        return EventLog(restored, read_clock).jump([tenant.id for tenant in restored.load_tenants()], stamp)
    except BokitError as error:
        raise RestoreError(f"raising the numbers of events: {error}; run the same command again") from None


def revoke_again(source: Store, restored: Store) -> int:
    """Revoke the tokens that were revoked after the time of the restore, and return how many.

    Raises RestoreError where the former table cannot be read.
    """
    count = 0
    try:
        for tenant in restored.load_tenants():
            revoked = {token.id: token.revoked_at for token in source.load_tokens(tenant.id) if token.revoked_at}
            valid = [token for token in restored.load_tokens(tenant.id) if token.revoked_at is None and token.id in revoked]
            for token in valid:
                restored.revoke_token(tenant.id, token.id, revoked[token.id] or read_clock())
            count += len(valid)
    except BokitError as error:
        raise RestoreError(f"revoking tokens again: {error}; run the same command again, or with `KEEP_TOKENS=1`") from None
    return count
