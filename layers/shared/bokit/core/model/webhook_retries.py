"""What follows an attempt to deliver: when the next one is due, when all of an endpoint waits, and when it is given up.

answer                  the delivery                                   the endpoint
2xx                     delivered                                      its failures end
410                     failed                                         off: ``gone``
408, 425, 429, 5xx      waits, Retry-After at least; after the last    pauses, longer with each failure in a row
and none                wait failed                                    and for as long as Retry-After says
3xx, 4xx                the same                                       pauses from the tenth failure in a row on
any but 2xx, and no 2xx for five days                                  off: ``failing``
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from bokit.core.model.limits import (
    MAX_ALERTS_APART,
    MAX_JITTER,
    MAX_REFUSALS,
    MAX_RETRY_AFTER,
    MAX_SILENCE,
    PAUSES,
    RETRY_WAITS,
)
from bokit.core.model.webhooks import Answer, Delivery, DeliveryState, DisabledReason, Endpoint
from bokit.values import replace

OFF = "disabled"
"""The error of a delivery whose webhook is off."""


class Outcome(StrEnum):
    """What an answer means."""

    ACCEPTED = "accepted"
    GONE = "gone"
    LATER = "later"
    REFUSED = "refused"


def read_outcome(answer: Answer) -> Outcome:
    """Return what an answer means, as the module's table lists it."""
    status = answer.status
    if status is None or status in (408, 425, 429) or status >= 500:
        return Outcome.LATER
    if status == 410:
        return Outcome.GONE
    return Outcome.ACCEPTED if 200 <= status < 300 else Outcome.REFUSED


def next_delivery(delivery: Delivery, answer: Answer, now: datetime, chance: float) -> Delivery:
    """Return the delivery after an attempt; *chance*, from 0 to 1, lengthens its next wait."""
    tried = replace(
        delivery, attempts=delivery.attempts + 1, attempted_at=now, status=answer.status, error=answer.error, next_at=None
    )
    outcome = read_outcome(answer)
    if outcome is Outcome.ACCEPTED:
        return replace(tried, state=DeliveryState.DELIVERED)
    if outcome is Outcome.GONE or tried.attempts > len(RETRY_WAITS):
        return replace(tried, state=DeliveryState.FAILED)
    wait = max(RETRY_WAITS[tried.attempts - 1] * (1 + MAX_JITTER * chance), _asked_wait(answer))
    return replace(tried, state=DeliveryState.WAITING, next_at=now + wait)


def next_endpoint(endpoint: Endpoint, answer: Answer, now: datetime) -> Endpoint:
    """Return the endpoint after an attempt of any delivery."""
    outcome = read_outcome(answer)
    if outcome is Outcome.ACCEPTED:
        return replace(endpoint, failures=0, failing_since=None, paused_until=None)
    failures = endpoint.failures + 1
    failed = replace(endpoint, failures=failures, failing_since=endpoint.failing_since or now)
    if outcome is Outcome.REFUSED and failures < MAX_REFUSALS:
        return failed
    pause = max(PAUSES[min(failures, len(PAUSES)) - 1], _asked_wait(answer))
    return replace(failed, paused_until=now + pause)


def _asked_wait(answer: Answer) -> timedelta:
    """Return how long the receiver asks us to wait, a day at most."""
    return min(timedelta(seconds=answer.retry_after or 0), MAX_RETRY_AFTER)


def disabled_reason(endpoint: Endpoint, answer: Answer, now: datetime) -> DisabledReason | None:
    """Return why the webhook is turned off after an attempt that led to *endpoint*; None: it stays on."""
    if read_outcome(answer) is Outcome.GONE:
        return DisabledReason.GONE
    since = endpoint.failing_since
    return DisabledReason.FAILING if since is not None and now - since >= MAX_SILENCE else None


def wants_alert(endpoint: Endpoint, now: datetime) -> bool:
    """Return whether the owner should hear that a delivery is given up: once a day, whatever the number."""
    return endpoint.alerted_at is None or now - endpoint.alerted_at >= MAX_ALERTS_APART


def is_paused(endpoint: Endpoint, now: datetime) -> bool:
    """Return whether nothing is sent to the endpoint now."""
    return endpoint.paused_until is not None and now < endpoint.paused_until


def give_up(delivery: Delivery) -> Delivery:
    """Return a delivery that ends without another attempt, since its webhook is off."""
    return replace(delivery, state=DeliveryState.FAILED, next_at=None, error=OFF)
