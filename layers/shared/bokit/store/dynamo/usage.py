"""What counts against quotas, in the table: an item for each number, raised by the write that adds what it counts.

    time ───────┬───────────────────────┬──────────────────────────────►
    stored      │ 9 of 10 sources       │ 10 of 10
    request A   │ adds one if < 10      ·
    request B   │ adds one if < 10      │ the condition fails: QuotaError, and nothing is written

A number that is not there yet, of a tenant of a former release, is counted once, by the first write that needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day

from pynamodb.expressions.condition import Condition

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Collection, Source, Tenant
from bokit.core.model.codec import read_document
from bokit.core.model.collections import scopes_of
from bokit.core.model.quotas import QUOTAS, UNBOUNDED, QuotaName, QuotaOwner, Quotas, quota_error
from bokit.core.model.records import Scope, TenantId
from bokit.errors import StoreConflictError
from bokit.store.dynamo import keys
from bokit.store.dynamo.faults import CollisionError
from bokit.store.dynamo.gateway import DeleteItem, PutItem, TableGateway, Transaction, UpdateItem
from bokit.store.dynamo.model import ItemRow
from bokit.store.limits import MAX_BUSY_TRIES, MAX_USAGE_TRIES, MAX_WRITE_TRIES
from bokit.values import Value, replace

WRITES_KEPT = timedelta(days=2)
"""How long the number of a day's writes is kept after that day."""


class UsageChange(Value):
    """How much more (or less) a write makes of what is counted."""

    tenant: TenantId
    counted: QuotaName
    more: int

    def owners(self) -> Iterator[tuple[QuotaOwner, keys.Key]]:
        """Yield whose numbers change, each with its item's key."""
        for owner in QuotaOwner:
            if QUOTAS[self.counted].default_of(owner) is not None:
                yield owner, keys.usage_key(self.tenant if owner is QuotaOwner.TENANT else None, self.counted)


class DynamoUsage:
    """``UsageStore`` on the table, and the transactions that count."""

    _table: TableGateway
    quotas: Quotas = UNBOUNDED

    def load_usage(self, tenant: TenantId | None, day: date) -> Mapping[QuotaName, int]:
        owner = QuotaOwner.STACK if tenant is None else QuotaOwner.TENANT
        names = {c: _name_of(c, day) for c in QuotaName if QUOTAS[c].default_of(owner) is not None}
        rows = self._table.get_all([keys.usage_key(tenant, name) for name in names.values()])
        found = {c: rows.get(keys.usage_key(tenant, name)) for c, name in names.items()}
        return {c: self._start(tenant, c) if row is None else int(row.used) for c, row in found.items()}

    def count_writes(self, tenant: TenantId, day: date, writes: int, *, forced: bool = False) -> None:
        limit = self.quotas.limit_of(QuotaOwner.TENANT, QuotaName.WRITES)
        key = keys.usage_key(tenant, _name_of(QuotaName.WRITES, day))
        expires = datetime.combine(day, time_of_day(), UTC) + WRITES_KEPT
        actions = [ItemRow.used.add(writes), ItemRow.expires_at.set(expires)]
        room: Condition | None = None
        if limit is not None and not forced:
            room = ItemRow.used <= limit - writes
            room = room | ItemRow.used.does_not_exist() if writes <= limit else room
        if self._table.update(UpdateItem(key=key, actions=actions, condition=room, once=True)) is None:
            row = self._table.get(key)
            raise quota_error(QuotaOwner.TENANT, QuotaName.WRITES, limit or 0, int(row.used) if row else 0)

    def transact_counted(self, transaction: Transaction, changes: Sequence[UsageChange]) -> list[keys.Key]:
        """Write all or nothing, and the numbers with it; return the other keys whose condition failed.

        Raises QuotaError if a quota is all that stands against it.
        """
        updates = [self._count(change, owner, key) for change in changes for owner, key in change.owners()]
        counted = replace(transaction, updates=[*transaction.updates, *updates])
        for _ in range(MAX_USAGE_TRIES):
            failed = self._transact_patiently(counted)
            others = [key for key in failed if all(key != update.key for update in updates)]
            if others or not failed:
                return others
            for change in changes:
                self._find_room(change, failed)
        raise StoreConflictError("what is counted was changed by others at the same time; try again")

    def _count(self, change: UsageChange, owner: QuotaOwner, key: keys.Key) -> UpdateItem:
        limit = self.quotas.limit_of(owner, change.counted)
        is_bounded = limit is not None and change.more > 0
        room = ItemRow.used <= (limit or 0) - change.more if is_bounded else ItemRow.used.exists()
        return UpdateItem(key=key, actions=[ItemRow.used.add(change.more)], condition=room)

    def _transact_patiently(self, transaction: Transaction) -> list[keys.Key]:
        """Write all or nothing, again where others write the same numbers at this moment: DynamoDB refuses, it does not queue."""
        for attempt in range(MAX_BUSY_TRIES):
            try:
                return self._table.transact(transaction)
            except CollisionError:
                self._table.pauses.wait(attempt, first=0.02, most=1.0)
        raise StoreConflictError("others count at the same time; try again", code="usage-busy")

    def _find_room(self, change: UsageChange, failed: Sequence[keys.Key]) -> None:
        """Start the numbers of *change* that are not there; raise QuotaError where *change* is too much."""
        for owner, key in change.owners():
            if key in failed:
                row = self._table.get(key)
                used = (
                    int(row.used) if row else self._start(change.tenant if owner is QuotaOwner.TENANT else None, change.counted)
                )
                self.quotas.check(owner, change.counted, used, max(change.more, 0))

    # ── numbers that are not there yet ──

    def _start(self, tenant: TenantId | None, counted: QuotaName) -> int:
        """Count what there is, and write the number unless another did; return it. Writes of a day begin at nothing."""
        if counted is QuotaName.WRITES:
            return 0
        key, tenants = keys.usage_key(tenant, counted), self._tenants() if tenant is None else [tenant]
        if row := self._table.get(key):
            return int(row.used)
        used = sum(_COUNTERS[counted](self._table, each) for each in tenants)
        self._table.put(PutItem(key=key, attributes={"used": used}, condition=ItemRow.pk.does_not_exist()))
        row = self._table.get(key)
        return int(row.used) if row else used

    def _tenants(self) -> list[TenantId]:
        known = [read_document(Tenant, row.doc).id for row in self._table.query(keys.TENANTS)]
        return list(dict.fromkeys([DEFAULT_TENANT, *known]))

    def _forget_usage(self, tenant: TenantId) -> None:
        """Delete a tenant's numbers, and take them off the stack's."""
        for counted in QuotaName:
            change = UsageChange(tenant=tenant, counted=counted, more=0)
            for owner, stack_key in change.owners():
                if owner is QuotaOwner.STACK:
                    self._forget_number(tenant, counted, stack_key)

    def _forget_number(self, tenant: TenantId, counted: QuotaName, stacks: keys.Key) -> None:
        own = keys.usage_key(tenant, counted)
        for _ in range(MAX_WRITE_TRIES):
            self._start(tenant, counted)
            row, total = self._table.get(own), self._table.get(stacks)
            if row is None or total is None:
                return
            deletes = [DeleteItem(key=own, condition=ItemRow.used == row.used)]
            updates = [UpdateItem(key=stacks, actions=[ItemRow.used.add(-int(row.used))], condition=ItemRow.used.exists())]
            if not self._transact_patiently(Transaction(deletes=deletes, updates=updates)):
                return


def _name_of(counted: QuotaName, day: date) -> str:
    return f"{counted}-{day.isoformat()}" if counted is QuotaName.WRITES else str(counted)


def _count_sources(table: TableGateway, tenant: TenantId) -> int:
    rows = table.query(keys.catalog_partition(tenant), ItemRow.sk.startswith("SOURCE#"))
    return sum(read_document(Source, row.doc).removed_at is None for row in rows)


def _count_units(table: TableGateway, tenant: TenantId) -> int:
    return table.count(keys.catalog_partition(tenant), ItemRow.sk.startswith("UNIT#"))


def _count_tokens(table: TableGateway, tenant: TenantId) -> int:
    lines = table.query(keys.catalog_partition(tenant), ItemRow.sk.startswith("TOKEN#"))
    rows = table.get_all([keys.token_key(line.doc) for line in lines])
    return sum(row.revoked_at is None for row in rows.values())


def _count_alerts(table: TableGateway, tenant: TenantId) -> int:
    return table.count(keys.alerts_partition(tenant), ItemRow.sk.startswith("CHANNEL#"))


def _count_webhooks(table: TableGateway, tenant: TenantId) -> int:
    return table.count(keys.catalog_partition(tenant), ItemRow.sk.startswith("WEBHOOK#"))


def _count_records(table: TableGateway, tenant: TenantId) -> int:
    """Return the number of records in every unit and collection; the windows among them count, too."""
    catalog = keys.catalog_partition(tenant)
    units = table.query_keys(catalog, ItemRow.sk.startswith("UNIT#"))
    collections = [read_document(Collection, row.doc) for row in table.query(catalog, ItemRow.sk.startswith("COLLECTION#"))]
    places = [(BOOKINGS, Scope(keys.last_part(unit))) for unit in units]
    places += [(c.name, scope) for c in collections for scope in scopes_of(c.name, c.buckets)]
    return sum(table.count(keys.record_partition(tenant, name, scope)) for name, scope in places)


_COUNTERS: Mapping[QuotaName, Callable[[TableGateway, TenantId], int]] = {
    QuotaName.SOURCES: _count_sources,
    QuotaName.UNITS: _count_units,
    QuotaName.TOKENS: _count_tokens,
    QuotaName.WEBHOOKS: _count_webhooks,
    QuotaName.ALERTS: _count_alerts,
    QuotaName.RECORDS: _count_records,
}
