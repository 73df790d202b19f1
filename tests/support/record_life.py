"""A source's records under its rules, fetch after fetch, without engine and store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bokit.core.items.reader import write_body, write_line
from bokit.core.items.rules import RecordRules
from bokit.core.model.records import CollectionName, Presence, Scope, SourceId, TenantId
from bokit.core.model.source_rules import Context
from bokit.values import replace

AT = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
CLIENTS = CollectionName("clients")
CONTEXT = Context(
    tenant=TenantId("t"),
    source_id=SourceId("src_1"),
    collection=CLIENTS,
    scope=Scope(CLIENTS),
    at=AT,
    timezone=ZoneInfo("UTC"),
    settings={"on_missing": "delete"},
)
RULES = RecordRules()


class Life:
    """A source's records under its rules, fetch after fetch."""

    def __init__(self, **settings):
        collection = {"schema_policy": "follow", **settings.pop("collection", {})}
        self.context = replace(CONTEXT, settings={**CONTEXT.settings, "collection": collection, **settings})
        self.records, self.memory = {}, {}

    def sync(self, rows, *, whole=True, hours=1.0, **asked):
        """Show *rows* (id: fields) and apply the plan; return it."""
        context = replace(self.context, at=self.context.at + timedelta(hours=hours), memory=self.memory, **asked)
        self.context = replace(context, memory={}, approved=None, discarded=None, new_only=False)
        items = rows if isinstance(rows, list) else [{"id": key, **fields} for key, fields in rows.items()]
        body = write_body([write_line(i) for i in items], whole=whole)
        known = list(self.records.values())
        seen = RULES.read(body, context, b"")
        matches = RULES.match(known, seen, context)
        plan = RULES.guard(RULES.plan(matches, context), matches, context)
        for action in plan.actions:
            self.records[action.record_id] = replace(action.after, version=action.after.version + 1)
        self.memory = dict(plan.memory)
        return plan

    @property
    def present(self):
        return {int(r.key) for r in self.records.values() if r.presence is Presence.PRESENT}
