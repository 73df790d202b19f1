"""What all of Bokit speaks of: records, the catalog, schedules, options, runs and plans, as typed values. Pure.

Terms: a *record* is one thing in a *collection*; an *edit* is a person's value of a field; a *plan* lists *actions*, each
the change of one record; a *hold* is what a guard keeps back of a plan; *rules* say how a kind of source is read, matched,
planned and guarded; a *head* is the small item of a source that a sync reads first, a *shard* the schedule of a hundred.

May import: ``errors``, ``values``.
"""

__all__ = [
    "access", "agreement", "alerts", "backup_file", "catalog", "change_sizes", "codec", "collections", "connections", "cursors",
    "day_times", "documents", "due_groups", "due_times", "events", "exact_numbers", "field_changes", "full_names", "json_merge",
    "json_schema", "json_text", "limits", "merge", "monitor", "notices", "options", "plan", "platform_names", "quotas",
    "readers", "records", "runs", "scheduling", "source_memory", "source_rules", "suggestions", "undo", "webhook_retries",
    "webhook_signature", "webhooks",
]  # fmt: skip
