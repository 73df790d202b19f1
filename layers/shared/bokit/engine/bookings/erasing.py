"""Erasing guests: the plan that is shown, what is written, and the receipt that says so without naming anybody.

    receipt, begun ─► by source, under its lease: change logs ─► snapshot ─► records ─► calendars, door codes ─► receipt

A record comes last of what names its guest, so an erasure that is interrupted finds the rest when it is asked for again; its
receipt, which comes first, does that by itself (``repeat``).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypedDict

from bokit.core.bookings.erasure import ERASE, erase_change, erase_record, has_guest, hidden_fields
from bokit.core.bookings.masking import find_mask
from bokit.core.bookings.stay import is_window
from bokit.core.ical.snapshot import mask_snapshot
from bokit.core.model.catalog import BOOKINGS, Source
from bokit.core.model.codec import write_micros
from bokit.core.model.documents import Count, write_time
from bokit.core.model.quotas import day_of
from bokit.core.model.records import (
    CollectionName,
    Fields,
    LoggedChange,
    Record,
    RecordId,
    Scope,
    SourceId,
    TenantId,
    make_record_id,
    new_record,
)
from bokit.core.model.scheduling import Lease
from bokit.engine.base.clock import Clock, Ids
from bokit.engine.base.reconcile import ReconcileRequest
from bokit.engine.base.retention import ERASURES, SCOPE
from bokit.engine.base.retry import retry_on_conflict
from bokit.engine.base.tenant_options import days_kept
from bokit.engine.bookings.door_code_books import DoorCodeBooks
from bokit.engine.bookings.guests import GuestSearch, read_log
from bokit.engine.bookings.limits import MAX_DOOR_CODE_TRIES, MAX_ERASED_AT_ONCE, MAX_ERASURE_TRIES
from bokit.engine.bookings.receipts import KEY_ID, ErasureCounts, ReceiptDocument, describe_receipt
from bokit.engine.sync.lease import await_lease, released_on_error
from bokit.errors import InputError, StateError, UnknownIdError
from bokit.store.protocols import Store
from bokit.values import Value, replace

REQUEST, RETENTION, REPEATED = "request", "retention", "repeated"
"""Why a guest was erased."""
REASONS = {
    REQUEST: "the guest was erased",
    RETENTION: "the guest was erased, as guest.keep_days says",
    REPEATED: "the guest was erased again, as a receipt says",
}
Reconcile = Callable[[CollectionName, ReconcileRequest], object]


class ErasurePlanDocument(TypedDict):
    """What an erasure would do."""

    plan: Annotated[str, "Send it with the same bookings to erase them."]
    bookings: Annotated[list[str], "Every record, also those of the same bookings that were not named."]
    fields: Count
    phone_codes: Annotated[
        list[str], "Stays that are not over and whose door code is digits of the guest's phone: it stays, until the stay ends."
    ]


class ErasurePlan(Value):
    """The records whose guests go."""

    tenant: TenantId
    records: tuple[Record, ...]
    phone_codes: tuple[RecordId, ...] = ()

    @property
    def plan_hash(self) -> str:
        """Identifies what was shown: these records, as they were."""
        shown = "\n".join(f"{record.id} {record.version}" for record in self.records)
        return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def as_dict(self) -> ErasurePlanDocument:
        """As it is shown."""
        return {
            "plan": self.plan_hash,
            "bookings": [record.id for record in self.records],
            "fields": sum(map(_count_fields, self.records)),
            "phone_codes": list(self.phone_codes),
        }


@dataclass(slots=True)
class _Tally:
    """What one erasure has done so far."""

    bookings: int = 0
    fields: int = 0
    changes: int = 0
    events: int = 0
    door_codes: int = 0

    def as_counts(self) -> ErasureCounts:
        return {
            "bookings": self.bookings,
            "fields": self.fields,
            "changes": self.changes,
            "events": self.events,
            "door_codes": self.door_codes,
        }


class _Job(Value):
    """Who erases, why, and under which key."""

    key: str
    by: str
    reason: str
    tally: _Tally


class ErasureService:
    """Erases guests of bookings."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        search: GuestSearch,
        reconcile: Reconcile,
        new_id: Ids,
        new_bytes: Callable[[int], bytes],
        defaults: Fields,
        *,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self.store, self.clock, self.search, self.reconcile = store, clock, search, reconcile
        self.new_id, self.new_bytes, self.defaults, self.wait = new_id, new_bytes, defaults, wait
        self.books = DoorCodeBooks(store)

    # ── what is shown ──

    def plan(self, tenant: TenantId, ids: Sequence[RecordId]) -> ErasurePlan:
        """Return what erasing the guests of these bookings does; nothing is written.

        Raises InputError for more than one request may erase, and UnknownIdError for a booking that does not exist.
        """
        if not 0 < len(set(ids)) <= MAX_ERASED_AT_ONCE:
            raise InputError(f"name 1 to {MAX_ERASED_AT_ONCE} bookings", code="bad-field", field="bookings")
        found = [record for record in self.search.load_with(tenant, list(ids)) if not is_window(record)]
        known = {record.id for record in found}
        if missing := next((record_id for record_id in ids if record_id not in known), None):
            raise UnknownIdError("no such booking; `bokit guest find` shows them", id=missing)
        return ErasurePlan(tenant=tenant, records=tuple(found), phone_codes=tuple(self._find_phone_codes(tenant, found)))

    def erase(
        self, tenant: TenantId, ids: Sequence[RecordId], *, plan: str | None, by: str, reason: str = REQUEST
    ) -> ReceiptDocument:
        """Erase the guests of these bookings; raises StateError without the *plan* that was shown."""
        shown = self.plan(tenant, ids)
        if plan != shown.plan_hash:
            raise _refuse(shown, has_changed=plan is not None)
        return self.apply(shown, by=by, reason=reason)

    def apply(self, plan: ErasurePlan, *, by: str, reason: str) -> ReceiptDocument:
        """Erase what *plan* names, and return the receipt."""
        receipt = self._begin(plan, by, reason)
        return self._finish(receipt, self._erase_all(plan.tenant, plan.records, by, reason))

    # ── receipts ──

    def list_receipts(self, tenant: TenantId) -> list[ReceiptDocument]:
        """Return the receipts, oldest first."""
        records = self.store.load_records(tenant, ERASURES, SCOPE)
        return [describe_receipt(record) for record in records if "bookings" in record.remote]

    def repeat(self, tenant: TenantId, receipts: Sequence[ReceiptDocument], *, by: str) -> list[ReceiptDocument]:
        """Erase again what *receipts* name and what is there with a guest; return the new receipts.

        So a table that was restored from before an erasure is brought up to it, and one that was interrupted is ended.
        """
        ids = dict.fromkeys(RecordId(record_id) for receipt in receipts for record_id in receipt["bookings"])
        known = self.store.find_records(tenant, BOOKINGS, ids)
        unended = {b for receipt in receipts if receipt["finished_at"] is None for b in receipt["bookings"]}
        left = [record for record in known.values() if has_guest(record) or record.id in unended]
        done = []
        for start in range(0, len(left), MAX_ERASED_AT_ONCE):
            part = ErasurePlan(tenant=tenant, records=tuple(left[start : start + MAX_ERASED_AT_ONCE]))
            done.append(self.apply(part, by=by, reason=REPEATED))
        for receipt in self.store.load_records(tenant, ERASURES, SCOPE):
            if receipt.id in {r["id"] for r in receipts} and "bookings" in receipt.remote and not receipt.remote["finished_at"]:
                self._finish(receipt, _Tally())
        return done

    def _begin(self, plan: ErasurePlan, by: str, reason: str) -> Record:
        at = self.clock()
        name = f"{write_micros(at):020d}-{self.new_id('receipt').rpartition('_')[2]}"
        remote = {
            "at": write_time(at),
            "by": by,
            "reason": reason,
            "bookings": [record.id for record in plan.records],
            "counts": _Tally().as_counts(),
            "finished_at": None,
        }
        receipt = new_record(make_record_id(SCOPE, name), plan.tenant, ERASURES, at, remote=remote)
        return self.store.apply_records([receipt], [], lease=None)[0]

    def _finish(self, receipt: Record, tally: _Tally) -> ReceiptDocument:
        remote = {**receipt.remote, "counts": tally.as_counts(), "finished_at": write_time(self.clock())}
        return describe_receipt(self.store.apply_records([replace(receipt, remote=remote)], [], lease=None)[0])

    # ── erasing ──

    def _erase_all(self, tenant: TenantId, records: Sequence[Record], by: str, reason: str) -> _Tally:
        key, tally = self._load_key(tenant), _Tally()
        sources = {source.id: source for source in self.store.load_sources(tenant)}
        by_source: dict[SourceId | None, list[Record]] = {}
        for record in records:
            by_source.setdefault(record.source_id if record.source_id in sources else None, []).append(record)
        job = _Job(key=key, by=by, reason=reason, tally=tally)
        for source_id, mine in by_source.items():
            if source_id is None:
                self._erase_under(None, mine, job)
            else:
                self._erase_of_source(sources[source_id], mine, job)
        for scope in sorted({record.scope for record in records}):
            self.reconcile(BOOKINGS, ReconcileRequest(tenant=tenant, scope=scope, at=self.clock(), by=by))
        tally.door_codes = self._erase_door_codes(tenant, records)
        self.store.count_writes(tenant, day_of(self.clock()), tally.bookings + tally.changes, forced=True)
        return tally

    def _erase_of_source(self, source: Source, records: Sequence[Record], job: _Job) -> None:
        """Erase a source's records under its lease: no sync writes meanwhile what it read before."""
        try:
            lease = await_lease(self.store, source, self.new_id("erase"), self.clock, self.wait)
        except UnknownIdError:  # the source was deleted, and nothing of its feed is kept
            self._erase_under(None, records, job)
            return
        with released_on_error(self.store, lease):
            self._erase_under(lease, records, job)
        self.store.release_lease(lease)

    def _erase_under(self, lease: Lease | None, records: Sequence[Record], job: _Job) -> None:
        retry_on_conflict(lambda: self._erase_records(records, job, lease), MAX_ERASURE_TRIES)

    def _erase_records(self, records: Sequence[Record], job: _Job, lease: Lease | None) -> None:
        """Erase records as they are now, their change logs, and what is kept of their feed."""
        tally = job.tally
        found = self.store.find_records(records[0].tenant, BOOKINGS, [record.id for record in records])
        at, current = self.clock(), list(found.values())
        for record in current:
            lines = {change.line: after for change in read_log(self.store, record) if (after := erase_change(change))}
            self.store.rewrite_changes(record.tenant, record.id, lines)
            tally.changes += len(lines)
        erased = [erase_record(record, job.key, at) for record in current]
        if lease:
            tally.events += self._erase_snapshot(lease, erased)
        changes = [
            LoggedChange(record_id=r.id, at=at, by=job.by, action=ERASE, reason=REASONS[job.reason], fields={}) for r in erased
        ]
        days = days_kept(self.store, erased, self.defaults)
        self.store.apply_records(erased, changes, lease=lease, kept_days=days)
        tally.bookings += len(erased)
        tally.fields += sum(map(_count_fields, current))

    def _erase_snapshot(self, lease: Lease, records: Sequence[Record]) -> int:
        """Take the guests of *records* out of what is kept of their feed; return in how many events they were."""
        snapshot, mask = self.store.load_snapshot(lease.source), find_mask(records)
        content, count = mask_snapshot(snapshot.content, mask) if mask else (snapshot.content, 0)
        if count:
            self.store.save_snapshot(replace(snapshot, content=content), lease=lease)
        return count

    def _load_key(self, tenant: TenantId) -> str:
        """Return the tenant's key of digests, made at its first erasure."""

        def attempt() -> str:
            known = self.store.find_records(tenant, ERASURES, [KEY_ID])
            if KEY_ID in known:
                return str(known[KEY_ID].remote["key"])
            made = new_record(KEY_ID, tenant, ERASURES, self.clock(), remote={"key": self.new_bytes(32).hex()})
            self.store.apply_records([made], [], lease=None)
            return str(made.remote["key"])

        return retry_on_conflict(attempt, MAX_ERASURE_TRIES)

    # ── door codes ──

    def _find_phone_codes(self, tenant: TenantId, records: Iterable[Record]) -> list[RecordId]:
        """Return those of *records* whose stay is not over, and has a door code made of the guest's phone."""
        ids, at = {record.id for record in records}, self.clock()
        codes = (code for book in self.books.load_units(tenant, _scopes(records)).values() for code in book.codes.values())
        living = (code for code in codes if code.is_of_phone and code.valid_until > at and not code.is_revoked)
        return sorted({record_id for code in living for record_id in code.records if record_id in ids})

    def _erase_door_codes(self, tenant: TenantId, records: Sequence[Record]) -> int:
        """Forget the codes of stays that are over, where they were made of the guest's phone; return how many."""
        ids = frozenset(record.id for record in records)

        def attempt() -> int:
            return self.books.forget_phone_codes(tenant, _scopes(records), ids, self.clock())

        return retry_on_conflict(attempt, MAX_DOOR_CODE_TRIES)


def _scopes(records: Iterable[Record]) -> list[Scope]:
    return sorted({record.scope for record in records})


def _count_fields(record: Record) -> int:
    values = {name: edit.value for name, edit in record.edits.items()}
    return len(hidden_fields(record.remote)) + len(hidden_fields(values))


def _refuse(shown: ErasurePlan, *, has_changed: bool) -> StateError:
    """Return the error that shows a plan, and asks for it."""
    message = f"this erases the guests of {len(shown.records)} bookings, for good; repeat it with the plan to confirm"
    if has_changed:
        message = f"the bookings have changed since the plan was shown; {message}"
    if shown.phone_codes:
        message += "; some stays keep a door code that is digits of the phone"
    code = "plan-changed" if has_changed else "not-confirmed"
    return StateError(message, code=code, count=len(shown.records), plan=shown.plan_hash)
