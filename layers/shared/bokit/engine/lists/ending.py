"""The end of a pass over a long list: what it does not show is held by a guard, or handled by the source's policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bokit.core.items.guard import AGREEABLE, INCOMPLETE_LIST, UNUSABLE, plan_approved_loss
from bokit.core.items.long_lists import (
    MISSING,
    REJECTED,
    TOMBSTONE,
    UNCONFIRMED,
    ListEvidence,
    judge_list,
    make_list_hold,
)
from bokit.core.items.planning import plan_absent, plan_tombstone
from bokit.core.items.rules import note_empty_field
from bokit.core.model.agreement import EMPTY, PARTIAL
from bokit.core.model.collections import OnMissing
from bokit.core.model.field_changes import FIELDS
from bokit.core.model.plan import Action, Hold
from bokit.core.model.records import Presence, Record
from bokit.core.model.source_memory import SourceMemory
from bokit.core.model.source_rules import Problem
from bokit.engine.lists.parts import ListPass
from bokit.engine.lists.records import ListRecords
from bokit.engine.lists.session import ListSession
from bokit.values import replace


class ListEnding:
    """What follows from a pass that has come to its end."""

    def __init__(self, read: ListPass) -> None:
        self.read, self.session, self.context, self.records = read, read.session, read.context, read.records
        self.whole, self.verdict, self.policy = read.listed.whole, read.fields.verdict, self.context.settings.on_missing
        self.lost = self._find_lost() if self.whole else {}

    def finish(self) -> Hold | None:
        """Hold or remove what is not shown, and keep the digests; return what a guard holds."""
        self._note_problems()
        if self.verdict.stops:
            return self._remember(FIELDS)
        gone = [*self.lost, *self.session.tombstones]
        code, since, agreed = judge_list(self._evidence(gone), self.session.memory, self.session.at)
        if code in (EMPTY, UNUSABLE):
            return self._remember(code, [k for k, d in self.session.known.items() if d not in (MISSING, REJECTED)])
        if code == INCOMPLETE_LIST:
            self._save_rows({**self.session.known, **self.session.tombstones})
            return self._remember(code)
        if code in AGREEABLE:
            return self._hold_losses(code, gone, since, agreed)
        return self._accept(code)

    def _evidence(self, gone: Sequence[str]) -> ListEvidence:
        session = self.session
        return ListEvidence(
            shown=len(session.seen) + len(session.tombstones),
            known=session.state.rows,
            lost=gone,
            problems=self.read.listed.problems,
            rejected=len(session.rejected) + session.unidentified,
            unidentified=session.unidentified,
            whole=self.whole,
        )

    def _find_lost(self) -> dict[str, str]:
        """Return the keys that are not shown, with their digests: newly so, or held to be so."""
        if self.policy is OnMissing.KEEP:
            return {}
        known, rejected = self.session.known, self.session.rejected
        return {k: d for k, d in known.items() if d not in (MISSING, TOMBSTONE, REJECTED) and k not in rejected}

    def _note_problems(self) -> None:
        """Report what concerns the whole list: it is incomplete, or fields changed in most records, or are in none."""
        session = self.session
        session.add_problems(problem for problem in self.read.listed.problems if problem.uid is None)
        drifts = (drift.as_problem() for drift in self.verdict.found)
        session.problems = [*drifts, *self._find_empty_fields(), *session.problems]

    def _find_empty_fields(self) -> list[Problem]:
        session, mapped = self.session, self.read.mapped or {}
        if not self.whole or not session.seen:
            return []
        return [note_empty_field(name, where) for name, where in mapped.items() if name not in session.found]

    # ── holding ──

    def _hold_losses(self, code: str, gone: Sequence[str], since: datetime, agreed: str) -> Hold | None:
        """Flag what is lost, so that a person can apply it without the API, and note since when passes agree on it."""
        session = self.session
        session.dirty = True
        flags = {**dict.fromkeys(self.lost, UNCONFIRMED), **dict.fromkeys(session.tombstones, TOMBSTONE)}
        self._save_rows({**session.known, **flags})
        hold = self._remember(code, gone)
        self._agree(since, agreed)
        return hold

    def _agree(self, since: datetime, agreed: str) -> None:
        rules = replace(self.session.memory.rules, agreed_since=since, agreed_absent=(agreed,))
        self.session.memory = replace(self.session.memory, rules=rules)

    def _remember(self, code: str | None, lost: Sequence[str] = ()) -> Hold | None:
        """Keep what the next pass has to know; return what a guard holds."""
        session, rules = self.session, self.session.memory.rules
        if self.whole or code is not None:  # else it says nothing of what a guard holds
            rules = self._next_rules(code, self._make_hold(code, lost))
        is_empty = session.memory.accepted_empty and not session.seen
        session.memory = replace(session.memory, rules=rules, accepted_empty=is_empty, approved=())
        return rules.hold

    def _make_hold(self, code: str | None, lost: Sequence[str]) -> Hold | None:
        before, at = self.session.memory.rules.hold, self.session.at
        if code is None:
            return None
        hold = self.verdict.hold(before, at) if code == FIELDS else None
        return hold or make_list_hold(code, before, self.records.make_ids(lost), self.read.listed.problems, at)

    def _next_rules(self, code: str | None, hold: Hold | None) -> SourceMemory:
        session, rules = self.session, self.session.memory.rules
        is_counted = self.whole and code in (None, PARTIAL, FIELDS)
        return SourceMemory(
            hold=hold,
            held_since=(rules.held_since or session.at) if hold else None,
            unidentified=session.unidentified if is_counted else rules.unidentified,
            fields=rules.fields if code in (EMPTY, UNUSABLE) else dict(self.verdict.since),
        )

    # ── removing ──

    def _accept(self, code: str | None) -> Hold | None:
        """Apply the policy to what is not shown, and remove what is shown as deleted."""
        kept = self._remove_absent() if self.whole else dict(self.session.known)
        self.records.remove(self.session.tombstones, lambda record: plan_tombstone(record, self.context))
        self._save_rows(kept)
        return self._remember(FIELDS if self.verdict.held else code)

    def _remove_absent(self) -> dict[str, str]:
        """Return the digests that are kept of what this whole pass has not shown."""
        session = self.session
        kept = {k: d for k, d in session.known.items() if k in session.rejected or d == REJECTED}
        if self.policy is not OnMissing.KEEP:
            kept |= dict.fromkeys(self._find_missing(), MISSING)
        session.dirty = session.dirty or kept != session.known
        return kept

    def _find_missing(self) -> set[str]:
        """Return the keys that are missing by now; where time alone removes nothing, what was missing stays so unasked."""
        missing = {key for key, digest in self.session.known.items() if digest == MISSING}
        if self.policy is OnMissing.DELETE:
            return self.records.remove([*self.lost, *missing], self._plan_absent)
        return missing | self.records.remove(self.lost, self._plan_absent)

    def _plan_absent(self, record: Record) -> Action | None:
        """Return what becomes of a record that is not shown; what passes agreed on is missing since they did."""
        action, since = plan_absent(record, self.context), self.session.memory.rules.agreed_since
        if action is None or since is None or action.after.presence is not Presence.MISSING:
            return action
        return replace(action, after=replace(action.after, missing_since=since))

    def _save_rows(self, kept: Mapping[str, str]) -> None:
        """Keep the digests of what was shown, and of *kept*: what was not shown, and is not gone."""
        session = self.session
        rejected = {key: REJECTED for key in session.rejected if key in kept}
        session.dirty = session.dirty or any(kept[key] != REJECTED for key in rejected)
        session.save_rows({**kept, **rejected, **session.seen})


def apply_held_losses(session: ListSession, hold: Hold) -> None:
    """Apply what is held of a list, as a person approved; the API is not asked."""
    is_empty, context = hold.code == EMPTY, session.record_context
    lost = {k: d for k, d in session.known.items() if d in (UNCONFIRMED, TOMBSTONE) or (is_empty and d != MISSING)}

    def plan(record: Record) -> Action | None:
        return plan_approved_loss(record, context, is_deleted=lost[record.key] == TOMBSTONE)

    waiting = ListRecords(session).remove(lost, plan)
    if context.settings.on_missing is OnMissing.KEEP:
        waiting = set()
    session.dirty = True
    session.save_rows({**{k: d for k, d in session.known.items() if k not in lost}, **dict.fromkeys(waiting, MISSING)})
    session.memory = replace(session.memory, accepted_empty=is_empty)
