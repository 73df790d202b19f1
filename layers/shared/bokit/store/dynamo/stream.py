"""What records of the table's stream are about: the function that it wakes reads no more of them than that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bokit.core.model.records import RunId, TenantId
from bokit.store.dynamo.keys import outbox_number, run_of
from bokit.values import Value


class StreamContent(Value):
    """Where something was written."""

    outbox: tuple[int, ...] = ()
    """The partitions of the outbox."""
    runs: tuple[tuple[TenantId, RunId], ...] = ()
    """The open runs whose progress it is."""


def read_stream(records: Iterable[Mapping[str, Any]]) -> StreamContent:
    """Return what *records* are about; others than these two kinds are passed over."""
    partitions = sorted({record["dynamodb"]["Keys"]["pk"]["S"] for record in records})
    numbers, runs = map(outbox_number, partitions), map(run_of, partitions)
    return StreamContent(outbox=tuple(sorted(n for n in numbers if n is not None)), runs=tuple(run for run in runs if run))
