"""Lists that are too long for one body: what is kept of them between two syncs, and what a pass over them may remove.

    manifest    how many buckets there are, how many items they show
    bucket      key ─ digest of the item, for the keys whose hash falls into it
    log         what a pass has read of one part, until it ends: the next worker goes on behind it

An item whose digest is the agreed one is neither loaded nor written. The order of a list means nothing: one that is sorted
otherwise writes nothing.

what a whole pass shows                        what is done now           held, and until when
nothing, where items were shown before         nothing                    all, until items are shown, or a person applies it
half of the items gone at once, or deleted     what is shown              what is not shown, until passes agreed for a day, or a
                                                                          person applies it
that there is more than it showed              what is shown              what is not shown, until a list is complete
an item that cannot be used                    the others                 nothing: its own record stays as it is
items without an id, more than before          what is shown              what is not shown, as for half of the items
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bokit.core.items.guard import AGREEABLE, INCOMPLETE_LIST, UNIDENTIFIED, UNUSABLE, describe_hold
from bokit.core.items.limits import MAX_RELEASES_SHOWN
from bokit.core.items.paging import INCOMPLETE
from bokit.core.items.reader import SeenItem
from bokit.core.model.agreement import EMPTY, PARTIAL, SHRUNKEN, Loss, agreeing_since
from bokit.core.model.codec import RULES_CODEC
from bokit.core.model.documents import write_time
from bokit.core.model.json_merge import drop_paths
from bokit.core.model.plan import Hold
from bokit.core.model.records import Fields, Json
from bokit.core.model.source_memory import SourceMemory, read_memory, write_memory
from bokit.core.model.source_rules import Problem
from bokit.values import Value, field, replace

FORMAT = 1
BUCKET_ITEMS = 2000
"""Of a bucket, on average, when a list is divided."""

UNKNOWN = "~"
"""In place of a digest: there is a record, and no pass has read its item yet."""
REJECTED = ""
"""The item could not become a record; the next pass tries it again."""
UNCONFIRMED = "?"
"""A guard holds that it is not shown any more."""
TOMBSTONE = "x"
"""A guard holds that it is shown as deleted."""
MISSING = "!"
"""It is missing, and its record is not due for removal yet."""
ABSENT = frozenset({UNCONFIRMED, TOMBSTONE, MISSING})


class ListState(Value):
    """The manifest: what the last pass agreed on."""

    generation: int = 0
    """Part of the names of its buckets: a list that is divided again gets others."""
    buckets: int = 0
    rows: int = 0
    """Items that the last whole pass showed."""
    salt: str = ""
    """Of the settings by which its items were read: under others every item is compared with its record."""
    synced_at: datetime | None = None
    """As the head has it: another time says that the source was synced otherwise since."""

    def bucket_of(self, key: str) -> int:
        """Return the number of the bucket that a key falls into."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:4], "big") % self.buckets if self.buckets else 0

    def name_of(self, bucket: int) -> str:
        """Return the name of a bucket's chunk."""
        return f"list/{self.generation:04d}/{bucket:04d}"

    @property
    def names(self) -> list[str]:
        """Return the names of all buckets."""
        return [self.name_of(number) for number in range(self.buckets)]

    def divided(self, rows: int) -> ListState:
        """Return the state of so many items: divided again where its buckets have become far too large or too small."""
        wanted = max(1, -(-rows // BUCKET_ITEMS))
        if self.buckets and wanted <= 2 * self.buckets and self.buckets <= 4 * wanted:
            return replace(self, rows=rows)
        return replace(self, rows=rows, buckets=wanted, generation=self.generation + 1)


class ListProgress(Value):
    """How far an unfinished pass has come. Stored; fields keep their names."""

    token: Fields | None = None
    """Where the next part is; None: nothing of it is agreed on, and it begins again."""
    logs: int = 0
    """Parts that were read, each with its log."""
    generation: int = 0
    """Of the logs' names, so that those of an earlier pass are not taken for them."""
    counts: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    unidentified: int = 0
    found: tuple[str, ...] = ()
    """Mapped fields that some item had."""
    held: tuple[str, ...] = ()
    """Keys of the fields that a guard holds in this pass."""
    incremental: bool = False

    def name_of(self, log: int) -> str:
        """Return the name of a part's log."""
        return f"log/{self.generation:04d}/{log:04d}"

    @property
    def names(self) -> list[str]:
        """Return the names of all logs."""
        return [self.name_of(number) for number in range(self.logs)]


class ListMemory(Value):
    """What is remembered of a long list between two syncs."""

    rules: SourceMemory = field(default_factory=SourceMemory)
    progress: ListProgress | None = None
    passes: int = 0
    """Number of the last pass that wrote logs."""
    accepted_empty: bool = False
    """A person confirmed that it is empty."""
    approved: tuple[str, ...] = ()
    """Keys of fields whose change a person approved, until the next whole pass."""


def read_list_memory(memory: Fields) -> ListMemory:
    """Return what :func:`write_list_memory` wrote."""
    stored = memory.get("list") or {}
    return ListMemory(
        rules=read_memory(memory),
        progress=RULES_CODEC.read(ListProgress, stored["progress"]) if stored.get("progress") else None,
        passes=stored.get("passes", 0),
        accepted_empty=bool(stored.get("accepted_empty")),
        approved=tuple(stored.get("approved", ())),
    )


def write_list_memory(memory: ListMemory) -> dict[str, Json]:
    """Return *memory* as a source's memory: its hold as every source's, and what concerns the list."""
    stored: dict[str, Json] = {
        "progress": RULES_CODEC.write(memory.progress) if memory.progress else None,
        "passes": memory.passes,
        "accepted_empty": memory.accepted_empty,
        "approved": list(memory.approved),
    }
    kept = {name: value for name, value in stored.items() if value}
    return {**write_memory(memory.rules), **({"list": kept} if kept else {})}


# ── judging ──


class ListEvidence(Value):
    """What a pass has shown, in counts."""

    shown: int
    known: int
    """Items that the last pass showed."""
    lost: Sequence[str] = ()
    """Keys that are newly not shown, or shown as deleted."""
    problems: Sequence[Problem] = ()
    rejected: int = 0
    """Items that cannot be used."""
    unidentified: int = 0
    """Those of them without an id."""
    whole: bool = True


def judge_list(seen: ListEvidence, memory: ListMemory, at: datetime) -> tuple[str | None, datetime, str]:
    """Return the code of the guard that applies to a pass (None: none does), since when passes agree, and on what."""
    rules, lost = memory.rules, _identify(seen.lost)
    before = rules.agreed_absent[0] if rules.agreed_absent else None
    since = agreeing_since(lost, before, rules.agreed_since, at)
    loss = Loss(shown=seen.shown, known=seen.known, gone=len(seen.lost), agreed_since=since)
    if seen.whole and loss.is_empty and not memory.accepted_empty:
        return (UNUSABLE if seen.rejected else EMPTY), since, lost
    if any(problem.code in INCOMPLETE for problem in seen.problems) and (seen.shown or not memory.accepted_empty):
        return INCOMPLETE_LIST, since, lost
    if seen.lost and not loss.is_agreed(at):
        if loss.is_shrunken:
            return SHRUNKEN, since, lost
        if seen.whole and seen.unidentified > rules.unidentified:
            return UNIDENTIFIED, since, lost
    return (PARTIAL if seen.rejected else None), since, lost


def _identify(keys: Iterable[str]) -> str:
    """Return a digest of these keys."""
    digest = hashlib.sha256()
    for key in sorted(keys):
        digest.update(f"{len(key)}:{key}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


def make_list_hold(code: str, before: Hold | None, lost: Mapping[str, str], problems: Sequence[Problem], at: datetime) -> Hold:
    """Return the hold to show; *lost*: the records that applying it would remove, by key, each with its id."""
    since = before.since if before and before.code == code else at
    shown: list[Fields] = [
        {"action": "delete", "record_id": record_id, "id": key} for key, record_id in sorted(lost.items())[:MAX_RELEASES_SHOWN]
    ]
    if len(lost) > MAX_RELEASES_SHOWN:
        shown.append({"action": "delete", "records": len(lost), "digest": _identify(lost)})
    can_apply = code in (EMPTY, *AGREEABLE)
    message = describe_hold(code, problems)
    return Hold(code=code, message=message, since=since, can_apply=can_apply, releases=tuple(shown if can_apply else ()))


# ── digests, and the stored form ──


def digest_item(row: SeenItem, salt: str, volatile: Sequence[str]) -> str:
    """Return a digest of all that an item says, but for fields whose changes alone are not a change."""
    fields = drop_paths(row.fields, volatile) if volatile else row.fields
    text = json.dumps([salt, row.is_deleted, fields], sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def pack_rows(rows: Mapping[str, str]) -> bytes:
    """Return keys and digests as bytes."""
    return _pack({"v": FORMAT, "rows": dict(rows)})


def unpack_rows(packed: bytes) -> dict[str, str]:
    """Return what :func:`pack_rows` packed."""
    rows: dict[str, str] = _unpack(packed).get("rows", {})
    return rows


def pack_state(state: ListState) -> bytes:
    """Return the manifest as bytes."""
    at = write_time(state.synced_at) if state.synced_at else None
    names = ("generation", "buckets", "rows", "salt")
    return _pack({"v": FORMAT, "list": {**{name: getattr(state, name) for name in names}, "synced_at": at}})


def unpack_state(packed: bytes) -> ListState:
    """Return what :func:`pack_state` packed; an empty state for anything else."""
    stored = _unpack(packed).get("list")
    if not stored:
        return ListState()
    at = stored["synced_at"]
    return ListState(**{**stored, "synced_at": datetime.fromisoformat(at) if at else None})


def _pack(document: Json) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _unpack(packed: bytes) -> dict[str, Any]:
    if not packed.startswith(b"{"):
        return {}
    document: dict[str, Any] = json.loads(packed.decode("utf-8", "surrogatepass"))
    return document if document.get("v") == FORMAT else {}
