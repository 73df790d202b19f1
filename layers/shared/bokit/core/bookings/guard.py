"""Guards: which part of a fetch is not believed. They hold releases, never closures.

body                                              what is done now
unreadable (HTML, JSON, nothing, no calendar)     nothing
no events, nights to come are held                nothing
another listing's, or it may be                   its nights held provisionally
truncated                                         its nights held provisionally
read in part (a bad date)                         new stays, moves, returns
half of the future stays gone at once, or three   new nights held provisionally
gone where three came
UIDs of another host on a booking platform, or    new nights held provisionally
others that came as a third of the stays went
else                                              everything

Whose feed it is: ``feed_owner``. What lifts a hold: ``hold_release``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from bokit.core.bookings.feed_owner import FeedOwner, OwnerEvidence, is_on_trial, judge_owner
from bokit.core.bookings.hold_release import (
    Agreement,
    empty_opens_at,
    is_lifted,
    last_reminder,
    newly_absent,
    opens_at,
    owner_code,
    read_agreement,
    releasable_by_empty,
    trial_opens_at,
)
from bokit.core.bookings.limits import MIN_SETTLED_AGE
from bokit.core.bookings.matching import FeedMatches
from bokit.core.bookings.nights import NightSet, join_nights, write_spans
from bokit.core.bookings.staleness import stale_since
from bokit.core.bookings.stay import Stay
from bokit.core.bookings.window import rule_nights
from bokit.core.ical.entries import BLOCKING
from bokit.core.model.agreement import EMPTY, MIN_SHRINK, OTHER, OWN, PARTIAL, SHRUNKEN, SUDDEN, UNREADABLE, Loss
from bokit.core.model.plan import Hold
from bokit.core.model.records import Json
from bokit.core.model.source_memory import SourceMemory
from bokit.core.model.source_rules import Verdict
from bokit.values import Value

MESSAGES = {
    UNREADABLE: "The address did not answer with a calendar; nothing was changed. Check the feed's address.",
    EMPTY: "The calendar came without any event although nights are taken; all of them stay held. "
    "If it is truly empty, apply the held plan.",
    PARTIAL: "Part of the calendar could not be read; what it does not show stays held until it is whole again.",
    SHRUNKEN: "Many of the coming stays are gone at once; they stay held. If they are truly cancelled, apply the held plan.",
    OTHER: "This looks like another listing's calendar; its nights are held for now, and ours stay. "
    "Check the feed's address; if it is right, apply the held plan.",
    SUDDEN: "Bookings came that this calendar does not usually get: many at once where there were none or where others went, or "
    "with UIDs of another calendar; their nights are held until a later fetch agrees. "
    "If they are right, apply the held plan.",
    OWN: "This is a calendar that Bokit itself publishes; read again, it would hold its own nights for ever. "
    "Nothing was changed. Give the source the platform's own address, or remove it.",
}
WRONG_PASTE = "This calendar shows bookings of the source {name}; paste the address of this listing's own calendar."
FOREIGN = "It shows bookings of the source {name}. "
OPENS = "Without a word from you, Bokit believes this calendar from {when} on; discard the held plan if it is wrong."
NEVER = "No time lifts this: Bokit waits for you, or for the source's own calendar."
TRIAL_OPENS = (
    "It was empty before these came, too: they are released on {when} if it stays empty; discard the held plan to keep them."
)
EMPTY_OPENS = (
    "Closures from {first} on open on {when} if it stays empty and this alert was delivered a day before; "
    "discard the held plan to keep them."
)
CAN_APPLY = frozenset({EMPTY, OTHER, SHRUNKEN, SUDDEN})


class Judgement(Value):
    """What a guard says of one fetch."""

    code: str | None  # of the guard that holds it; None: it is trusted
    agreement: Agreement | None = None  # of held fetches, this one among them
    was_quiet: bool = False  # no future stay was known before it
    agreed: frozenset[str] = frozenset()  # stays on whose absence held fetches agreed for long enough


TRUSTED = Judgement(code=None)


def judge_fetch(evidence: OwnerEvidence) -> Judgement:
    """Return the guard that applies to this fetch: the first of whose feed it is, how it was read, and what is gone."""
    seen, matches = evidence.found.seen, evidence.found.matches
    future = [s for s in evidence.found.stays if not s.is_gone and s.is_to_come(matches.today)]
    if seen.verdict is Verdict.UNREADABLE:
        return Judgement(code=UNREADABLE)
    if not seen.entries and (future or rule_nights(matches)):
        return Judgement(code=EMPTY if seen.verdict is not Verdict.PARTIAL else PARTIAL)
    owner = judge_owner(evidence)
    code = owner_code(owner)
    is_partial = seen.verdict is Verdict.PARTIAL
    if code == OWN:
        return Judgement(code=OWN)
    if code is not None:
        return _judge_agreement(code, evidence, says_nothing=is_partial or _is_stale(evidence))
    if is_partial:
        return Judgement(code=PARTIAL)
    if not is_on_trial(evidence.state) and _is_shrunken(evidence, future):
        return _judge_agreement(SHRUNKEN, evidence)
    if evidence.has_strange_hosts or (evidence.is_exchange and not is_on_trial(evidence.state)):
        return _judge_agreement(SUDDEN, evidence)
    return Judgement(code=None, was_quiet=owner is FeedOwner.QUIET)


def _is_stale(evidence: OwnerEvidence) -> bool:
    return stale_since(evidence.found, evidence.state.habits, evidence.context) is not None


def _judge_agreement(code: str, evidence: OwnerEvidence, *, says_nothing: bool = False) -> Judgement:
    """Return the hold of *code*, or none where held fetches agreed for long enough.

    *says_nothing*: a body that is stale or was read in part agrees with none.
    """
    agreement = read_agreement(code, evidence)
    if says_nothing:
        return Judgement(code=code)
    if not is_lifted(code, agreement, evidence):
        return Judgement(code=code, agreement=agreement)
    agreed = agreement.absent
    if code == SUDDEN:  # what came is agreed on; each stay that went counts from the held fetch that missed it first
        agreed = frozenset(newly_absent(evidence)) & evidence.state.absent.keys()
    return Judgement(code=None, agreement=agreement, agreed=agreed, was_quiet=code == SUDDEN and not evidence.future)


def _is_shrunken(evidence: OwnerEvidence, future: Sequence[Stay]) -> bool:
    """Return whether too many of the future stays are gone at once; those that were missing before do not count.

    the calendar's end is gone, and new ones came, with those    yes: the calendar's end does not disappear
    that are gone three or more
    any is gone, and what came has UIDs of another host than     yes: a page of two calendars
    all that were known
    all are there that were known for some hours                 no: a bad answer brought those that are gone
    at least three, and half of what is known (rounded down)     yes
    at least three, and as many new ones came with it            yes: a page of two listings
    else                                                         no
    """
    matches, at, gone = evidence.found.matches, evidence.context.at, newly_absent(evidence)
    came = sum(pair.stay is None for pair in matches.pairs) + _count_new_windows(evidence)
    if evidence.has_lost_end and came and len(gone) + came >= MIN_SHRINK:
        return True
    if gone and evidence.has_strange_hosts:
        return True
    settled = {str(s.record.id) for s in future if at - s.record.created_at >= MIN_SETTLED_AGE}
    if settled and not settled & gone:
        return False
    loss = Loss(shown=matches.seen, known=len(future), gone=len(gone), agreed_since=at)
    return loss.is_shrunken or min(len(gone), came) >= MIN_SHRINK


def _count_new_windows(evidence: OwnerEvidence) -> int:
    """Return how many windows close nights of which the source's window held none."""
    matches = evidence.found.matches
    known = NightSet(join_nights(rule_nights(matches)))
    closing = (e for e in matches.windows if e.status in BLOCKING)
    return sum(not known.meets(max(e.check_in, matches.today), e.check_out) for e in closing)


def make_hold(judged: Judgement, evidence: OwnerEvidence, after: SourceMemory) -> Hold:
    """Return the hold to show: what applying it would release, since when it is held, and when time lifts it.

    *after* is what is remembered after this fetch.
    """
    code, at, state = str(judged.code), evidence.context.at, evidence.state
    before = state.hold if state.hold and state.hold.code == code else None
    since = before.since if before else at
    opens = opens_at(code, judged.agreement, evidence) if judged.agreement else None
    if code in (OTHER, SUDDEN, SHRUNKEN) and judged.agreement is None and before:
        opens = before.opens_at
    if code == EMPTY:
        opens = trial_opens_at(after) or (empty_opens_at(after, evidence.context) if _first_closure(evidence) else None)
    return Hold(
        code=code,
        message=_write_message(code, evidence, opens, on_trial=is_on_trial(after)),
        since=since,
        releases=tuple(_describe_releases(code, evidence.found)) if code in CAN_APPLY else (),
        can_apply=code in CAN_APPLY,
        offered_at=last_reminder(code, before, since, opens, at),
        opens_at=opens,
    )


def _write_message(code: str, evidence: OwnerEvidence, opens: datetime | None, *, on_trial: bool) -> str:
    """Return what is held, why, what lifts it and when, and what the person can do."""
    parts = [MESSAGES[code]]
    if code == OTHER and evidence.elsewhere:
        parts.insert(1, FOREIGN.format(name=evidence.elsewhere).strip())
    zone = evidence.context.timezone
    when = f"{opens.astimezone(zone):%-d %b %Y %H:%M} ({zone})" if opens else ""
    if code == EMPTY and opens:
        parts.append(TRIAL_OPENS.format(when=when) if on_trial else EMPTY_OPENS.format(first=_first_closure(evidence), when=when))
    elif code in CAN_APPLY:
        parts.append(OPENS.format(when=when) if opens else NEVER)
    return " ".join(parts)


def _first_closure(evidence: OwnerEvidence) -> date | None:
    """Return when the first closure begins that an empty calendar may release; None: it may release none."""
    return min((s.check_in for s in releasable_by_empty(evidence.found.stays, evidence.found.matches)), default=None)


def _describe_releases(code: str, found: FeedMatches) -> list[dict[str, Json]]:
    """Return what applying the hold would release, for people and for the hold's hash."""
    matches = found.matches
    lost = sorted(matches.absent, key=lambda s: s.record.id)
    future = [s for s in lost if not s.is_gone and s.is_to_come(matches.today)]
    releases = [_describe_release("cancel", s.record.id, s.kind, s.check_in.isoformat(), s.check_out.isoformat()) for s in future]
    if code not in (SHRUNKEN, SUDDEN) and matches.window and (spans := write_spans(rule_nights(matches))):
        releases.append(_describe_release("free", matches.window.id, "window", spans[0][0], spans[-1][1]))
    return releases


def _describe_release(action: str, record_id: str, kind: str, check_in: str, check_out: str) -> dict[str, Json]:
    return {"action": action, "record_id": record_id, "kind": str(kind), "check_in": check_in, "check_out": check_out}
