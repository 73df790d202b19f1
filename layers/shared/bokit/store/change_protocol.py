"""What the engine needs of a store to take something out of change logs; ``protocols`` says what holds for all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from bokit.core.model.records import LoggedChange, RecordId, TenantId


class ChangeStore(Protocol):
    """Lines of change logs that are written again. Nothing else is done to a line but that its age deletes it."""

    def rewrite_changes(self, tenant: TenantId, record_id: RecordId, lines: Mapping[str, LoggedChange]) -> None:
        """Write lines of a record's change log again, by their names (``LoggedChange.line``); each keeps its age.

        A line that does not exist any more stays so. Each is written for itself: an interruption leaves some as they were.
        """
