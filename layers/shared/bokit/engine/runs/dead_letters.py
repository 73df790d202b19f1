"""Dead letters for people: what each is, moved back to its queue, or discarded."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, TypedDict

from bokit.engine.base.clock import Clock
from bokit.errors import InputError, UnknownIdError
from bokit.outlets.protocols import DeadLetter, Letters

Wanted = Callable[[DeadLetter], bool]


class LetterDocument(TypedDict):
    """A dead letter, as people see it."""

    id: str
    queue: str
    about: str
    tenant: str | None
    run_id: str | None
    source_ids: list[str]
    sent_at: datetime
    age_seconds: int
    receives: int
    can_redrive: bool


class DeadLetterService:
    """Lists, moves back and discards the dead letters of the stack's queues, by the queue's name."""

    def __init__(self, queues: Mapping[str, Letters], clock: Clock) -> None:
        self.queues, self.clock = queues, clock

    def list_letters(self) -> list[LetterDocument]:
        """Return every letter, those of a queue by their age, oldest first."""
        return [
            self._describe(name, letter)
            for name, letters in self.queues.items()
            for letter in sorted(letters.read(), key=lambda found: (found.sent_at, found.id))
        ]

    def count_letters(self) -> int:
        """Return about how many letters there are, by one call for each queue."""
        return sum(letters.count() for letters in self.queues.values())

    def redrive(self, ids: Collection[str]) -> list[LetterDocument]:
        """Move these letters back to their queues; without ids, all that have one."""
        if ids and (stuck := [d["id"] for d in self.list_letters() if d["id"] in ids and not d["can_redrive"]]):
            raise InputError("the schedule has done its work since; discard it", code="bad-field", id=", ".join(stuck))
        queues = {name: letters for name, letters in self.queues.items() if letters.has_queue}
        return self._act(queues, ids, lambda letters, wanted: letters.move_back(wanted))

    def discard(self, ids: Collection[str]) -> list[LetterDocument]:
        """Delete these letters; without ids, all."""
        return self._act(self.queues, ids, lambda letters, wanted: letters.discard(wanted))

    def _act(
        self, queues: Mapping[str, Letters], ids: Collection[str], act: Callable[[Letters, Wanted], Collection[DeadLetter]]
    ) -> list[LetterDocument]:
        done = [
            self._describe(name, letter)
            for name, letters in queues.items()
            for letter in act(letters, lambda found: not ids or found.id in ids)
        ]
        if missing := sorted(set(ids) - {letter["id"] for letter in done}):
            raise UnknownIdError("no such dead letter; `bokit dead-letters list` shows them", id=", ".join(missing))
        return done

    def _describe(self, queue: str, letter: DeadLetter) -> LetterDocument:
        facts = _read(letter.body)
        run_id = facts.get("open_run") or facts.get("run_id")
        sources = facts.get("source_ids")
        return LetterDocument(
            id=letter.id,
            queue=queue,
            about=describe_letter(queue, facts),
            tenant=str(facts["tenant"]) if facts.get("tenant") else None,
            run_id=str(run_id) if run_id else None,
            source_ids=[str(source) for source in sources] if isinstance(sources, list) else [],
            sent_at=letter.sent_at,
            age_seconds=max(0, int((self.clock() - letter.sent_at).total_seconds())),
            receives=letter.receives,
            can_redrive=self.queues[queue].has_queue,
        )


def describe_letter(queue: str, facts: Mapping[str, Any]) -> str:
    """Return what a letter is about, in words.

    >>> describe_letter("sync", {"open_run": "run_1", "source_ids": ["src_1", "src_2"]})
    'a requested sync of 2 sources'
    >>> describe_letter("tick", {})
    'a minute of the schedule that failed'
    """
    sources = facts.get("source_ids")
    count = len(sources) if isinstance(sources, list) else 0
    amount = f"{count} source{'' if count == 1 else 's'}"
    if queue == "tick":
        return "a minute of the schedule that failed"
    if "open_run" in facts:
        return f"a requested sync of {amount}"
    if "shard_id" in facts:
        return f"a sync of {amount} that were due"
    if "webhook" in facts:
        return f"events for webhook {facts['webhook']}"
    return "alerts for a channel" if queue == "deliver" and facts else "not a message of Bokit"


def _read(body: str) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
