"""Limits in prose equal the constants: a test fails when a document or a constant changes alone."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from bokit import config, stack
from bokit.core.bookings import limits as bookings
from bokit.core.ical import limits as ical
from bokit.core.items import api_spec
from bokit.core.model import agreement, due_times, readers
from bokit.core.model import limits as model
from bokit.core.occupancy import limits as occupancy
from bokit.core.tables import limits as tables
from bokit.engine.bookings import charts, outgoing
from bokit.engine.bookings import limits as engine_bookings
from bokit.engine.catalog import limits as catalog
from bokit.engine.live import limits as live
from bokit.engine.records import limits as records
from bokit.engine.runs import limits as runs
from bokit.engine.runs import queued_runs
from bokit.engine.sync import limits as sync
from bokit.http import limits as http
from bokit.net import limits as net
from bokit.sources import limits as sources
from bokit.store import limits as store
from bokit_cli import completion
from bokit_cli import sync as sync_command
from tests.support import limits_page
from tests.support.transformed import resources, source_template

ROOT = Path(__file__).resolve().parents[2]
ALARM = resources("AWS::CloudWatch::Alarm")["OverdueAlarm"]
AUTHORIZER = resources("AWS::ApiGatewayV2::Authorizer")["TokenAuthorizer"]
PARAMETERS = source_template()["Parameters"]

FAULTS = "docs/decisions/0015-one-sources-fault-stays-its-own.md"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MB = 1_000_000
RETRIES = (timedelta(seconds=5), 5 * MINUTE, 30 * MINUTE, *(n * HOUR for n in (2, 5, 10, 14, 20, 24)))
KIB = 1024

LIMITS = [
    # document, its words, the constant, its value
    ("docs/operations.md", "for 3 minutes, a source was overdue", ALARM["EvaluationPeriods"] * ALARM["Period"], 180),
    ("docs/operations.md", "overdue by more than one of its intervals", ALARM["Threshold"], 1),
    ("docs/operations.md", "once its fetches agree for a day", agreement.AGREEMENT, DAY),
    ("docs/operations.md", "stops working within a minute", AUTHORIZER["AuthorizerResultTtlInSeconds"] <= 60, True),
    ("docs/operations.md", "for 75 minutes", runs.OVERDUE_AFTER, 75 * MINUTE),
    ("docs/operations.md", "`bokit source restore ID`, for 30 days", catalog.RESTORE_SPAN, 30 * DAY),
    ("docs/operations.md", "A run takes at most 1,000 sources", runs.MAX_SOURCES_PER_RUN, 1000),
    ("docs/operations.md", "the old one works for two more days", outgoing.ROTATION_OVERLAP, 2 * DAY),
    ("docs/operations.md", "A feed: 5 MB", net.MAX_BODY_BYTES, 5 * MB),
    ("docs/operations.md", "A feed: 5 MB, 20 s", net.DEADLINE_SECONDS, 20),
    ("docs/operations.md", "A feed: 5 MB, 20 s, 10,000 events", ical.MAX_FEED_EVENTS, 10_000),
    ("docs/operations.md", "A shard: 100 sources", catalog.MAX_SOURCES_PER_SHARD, 100),
    ("docs/operations.md", "to a quarter of an hour, and how long it usually waits", model.MIN_BETWEEN_READS, 15 * MINUTE),
    ("docs/operations.md", "from the last twelve gaps", model.MAX_GAPS, 12),
    ("docs/operations.md", "at least an hour, the schedule puts out", readers.SOONEST_UNREAD, HOUR),
    ("docs/collections.md", "number of partitions for the records, 1 to 256", model.MAX_BUCKETS, 256),
    ("docs/collections.md", "pages without end (2,000 pages", sources.MAX_PAGES, 2000),
    ("docs/collections.md", "pages without end (2,000 pages, 50 MB", sources.MAX_LIST_BYTES, 50 * MB),
    ("docs/collections.md", "pages without end (2,000 pages, 50 MB, 4 minutes)", sources.MAX_FETCH_SECONDS, 240),
    ("docs/collections.md", "with more pages after 2,000 items", sources.MAX_BODY_ITEMS, 2000),
    ("docs/collections.md", "after 2,000 items or 2 MB", sources.MAX_BODY_BYTES, 2 * MB),
    ("docs/collections.md", "one response of more than 20,000 items", sources.MAX_WHOLE_ITEMS, 20_000),
    ("docs/collections.md", "more than 20,000 items or 10 MB", sources.MAX_WHOLE_BYTES, 10 * MB),
    ("docs/decisions/0009-records-of-any-collection.md", "up to 2,000 items", sources.MAX_BODY_ITEMS, 2000),
    ("docs/collections.md", "with 429 or 5xx is requested three times", sources.MAX_PAGE_TRIES, 3),
    ("docs/collections.md", "`Retry-After` is at most 30 s", sources.MAX_RETRY_WAIT_SECONDS, 30),
    ("docs/collections.md", "`overlap`, 300 s", api_spec.OVERLAP_SECONDS, 300),
    ("docs/collections.md", "is read in full once a day", due_times.DAILY, 86_400),
    ("docs/collections.md", "until fetches agree for a day", agreement.AGREEMENT, DAY),
    ("docs/collections.md", "`since` goes back by an hour", records.FOLLOW_OVERLAP, HOUR),
    ("docs/collections.md", "Up to ten filters", records.MAX_FILTERS, 10),
    ("docs/collections.md", "half of its records (at least three) at once", agreement.MIN_SHRINK, 3),
    ("docs/reference.md", "seconds between two syncs of a source, at least 60", catalog.MIN_INTERVAL_SECONDS, 60),
    ("docs/operations.md", "three times in a row", sync.MAX_WORKER_DEATHS, 3),
    ("docs/operations.md", "alone, once a day", sync.DEATH_WAIT, DAY),
    ("docs/operations.md", "in three fetches in a row", bookings.MIN_RENAMES, 3),
    ("docs/operations.md", "the same for a day", bookings.RENAME_TIME, DAY),
    ("docs/decisions/0016-quotas.md", "its last ten lines", store.MAX_KEPT_CHANGES, 10),
    ("docs/decisions/0016-quotas.md", "up to six times", store.MAX_BUSY_TRIES, 6),
    ("docs/reference.md", "tried once a day, alone", sync.DEATH_WAIT, DAY),
    ("docs/reference.md", "kept for 15 minutes", stack.KEPT, 15 * MINUTE),
    ("docs/reference.md", "is known after those 15 minutes", stack.KEPT, 15 * MINUTE),
    ("docs/reference.md", "Take back a removal, for 30 days", catalog.RESTORE_SPAN, 30 * DAY),
    ("docs/reference.md", "takes that back for 30 days", catalog.RESTORE_SPAN, 30 * DAY),
    ("docs/reference.md", "calendars that nobody has read for two days", charts.UNREAD_AFTER, 2 * DAY),
    ("docs/reference.md", "how long cleaning takes, at most 1,440 minutes", catalog.MAX_CLEANING_MINUTES, 1440),
    ("docs/reference.md", "of the next 31 days", http.TURNOVER_SPAN, 31 * DAY),
    ("docs/reference.md", "of 366 days at most", http.MAX_TURNOVER_SPAN, 366 * DAY),
    ("docs/occupancy.md", "At most 366 days are counted at once", engine_bookings.MAX_OCCUPANCY_SPAN, 366 * DAY),
    ("docs/reference.md", "does not answer within two seconds", completion.MAX_SECONDS, 2),
    ("docs/reference.md", "stopped its worker three times in a row", sync.MAX_WORKER_DEATHS, 3),
    (
        FAULTS,
        "Every duration is at most 365 days",
        model.MAX_INTERVAL,
        365 * DAY,
    ),
    (FAULTS, "After 10 s (`MAX_CLAIM_SECONDS`)", runs.MAX_CLAIM_SECONDS, 10),
    (FAULTS, "15 minutes (`CLAIM_TTL`)", runs.CLAIM_TTL, 15 * MINUTE),
    (FAULTS, "at least 60 s left", runs.MIN_SECONDS_ALONE, 60),
    (FAULTS, "without the 10 s in which", sync.MIN_SECONDS_TO_SAVE, 10),
    ("docs/reference.md", "A span is at most 365 days", model.MAX_INTERVAL, 365 * DAY),
    ("docs/reference.md", "sources that one process fetches at a time, 1 to 64", config.MAX_CONCURRENCY, 64),
    ("docs/reference.md", "nested deeper than 32 levels", http.MAX_BODY_DEPTH, 32),
    ("docs/reference.md", "a value holds more than 255 bytes that are not text", tables.MAX_BYTES_VALUE_LENGTH, 255),
    ("docs/reference.md", "a dry run over HTTP takes ten sources", runs.MAX_SOURCES_PER_DRY_RUN, 10),
    ("docs/reference.md", "used for another request within a day", queued_runs.KEY_TTL, DAY),
    ("docs/reference.md", "a row holds more than 256 KB", tables.MAX_ROW_BYTES, 256 * KIB),
    ("docs/databases.md", "more than 255 bytes that are not text", tables.MAX_BYTES_VALUE_LENGTH, 255),
    ("docs/databases.md", "JSON nested more than 50 deep", tables.MAX_VALUE_DEPTH, 50),
    ("docs/databases.md", "over 256 KB", tables.MAX_ROW_BYTES, 256 * KIB),
    ("docs/databases.md", "where more than 2,000 have none", tables.MAX_UNSTAMPED_ROWS, 2000),
    ("docs/reference.md", "for 75 minutes no worker", runs.OVERDUE_AFTER, 75 * MINUTE),
    ("docs/reference.md", "until fetches agree for a day", agreement.AGREEMENT, DAY),
    ("docs/reference.md", "half of the coming stays, or of a source's records, and at least three", agreement.MIN_SHRINK, 3),
    ("docs/reference.md", "did not answer within 20 s", net.DEADLINE_SECONDS, 20),
    ("docs/reference.md", "an API's pages took longer than 4 minutes", sources.MAX_FETCH_SECONDS, 240),
    ("docs/reference.md", "larger than 5 MB", net.MAX_BODY_BYTES, 5 * MB),
    ("docs/reference.md", "which is older than 7 days", store.EVENT_TTL, 7 * DAY),
    ("docs/reference.md", "for a day the former one signs as well", model.ROTATION_TTL, DAY),
    ("docs/operations.md", "had no success for five days", model.MAX_SILENCE, 5 * DAY),
    ("docs/operations.md", "wait in the log for up to 7 days", store.EVENT_TTL, 7 * DAY),
    ("docs/webhooks.md", "`bokit webhook rotate`, a day long", model.ROTATION_TTL, DAY),
    ("docs/webhooks.md", "Answer 2xx within 15 seconds", live.MAX_DELIVERY_SECONDS, 15),
    ("docs/webhooks.md", "nothing else is sent for 5 s", model.PAUSES[0], timedelta(seconds=5)),
    ("docs/webhooks.md", "nothing else is sent for 5 s to 5 minutes", model.PAUSES[-1], 5 * MINUTE),
    ("docs/webhooks.md", "`Retry-After` is respected, up to a day", model.MAX_RETRY_AFTER, DAY),
    ("docs/webhooks.md", "after ten refusals in a row", model.MAX_REFUSALS, 10),
    ("docs/webhooks.md", "at once, and 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h", model.RETRY_WAITS, RETRIES),
    ("docs/webhooks.md", "each up to a tenth later", model.MAX_JITTER, 0.1),
    ("docs/webhooks.md", "in `bokit webhook deliveries ID` for 30 days", store.DELIVERY_TTL, 30 * DAY),
    ("docs/webhooks.md", "After five days without any success", model.MAX_SILENCE, 5 * DAY),
    ("docs/reference.md", "had it less than 90 days ago", occupancy.DOOR_CODE_REST, 90 * DAY),
    ("docs/reference.md", "more than five redirects", net.MAX_REDIRECTS, 5),
    ("docs/reference.md", "a run takes at most a thousand sources", runs.MAX_SOURCES_PER_RUN, 1000),
    ("docs/reference.md", "takes effect within a minute", AUTHORIZER["AuthorizerResultTtlInSeconds"] <= 60, True),
    ("docs/cost.md", "`ApiRateLimit`, 50 requests a second", PARAMETERS["ApiRateLimit"]["Default"], 50),
    ("docs/cost.md", "calls the authorizer once in 30 s", AUTHORIZER["AuthorizerResultTtlInSeconds"], 30),
    ("SECURITY.md", "takes at most 20 s", net.DEADLINE_SECONDS, 20),
    ("SECURITY.md", "at most 20 s and 5 MB after decoding", net.MAX_BODY_BYTES, 5 * MB),
    ("SECURITY.md", "five redirects at most", net.MAX_REDIRECTS, 5),
    ("docs/decisions/0001-one-table.md", "the last 4 unchanged batches", store.MAX_RECENT_BATCHES, 4),
    ("docs/decisions/0001-one-table.md", "| up to 350 KB |", store.MAX_CHUNK_BYTES, 350_000),
    ("docs/decisions/0001-one-table.md", "1 transaction for 97 of them", store.MAX_TRANSACTION_ACTIONS, 97),
    ("docs/decisions/0001-one-table.md", "the reports of up to 100 sources", store.MAX_PROGRESS_SOURCES, 100),
    ("docs/decisions/0001-one-table.md", "for 7 days after the run is overdue", store.PROGRESS_TTL, 7 * DAY),
    ("docs/decisions/0005-errors.md", "retries after 2 minutes", due_times.FIRST_RETRY, 2 * MINUTE),
    ("docs/decisions/0005-errors.md", "doubled up to an hour", model.MAX_RETRY_WAIT, HOUR),
    ("docs/decisions/0006-http-api.md", "caches the result for 30 s", AUTHORIZER["AuthorizerResultTtlInSeconds"], 30),
    ("docs/decisions/0007-runs-through-the-queue.md", "up to 100 sources of one shard", runs.SOURCES_PER_MESSAGE, 100),
    ("docs/decisions/0008-who-holds-a-night.md", "for 36 hours where no read of it is known", occupancy.MAX_FADING, 36 * HOUR),
    ("docs/decisions/0008-who-holds-a-night.md", "for 72 hours where it stops reading", occupancy.MAX_UNREAD_FADING, 72 * HOUR),
    ("docs/decisions/0008-who-holds-a-night.md", "Two bookings of a source", occupancy.MIN_LINK_BOOKINGS, 2),
    ("docs/decisions/0009-records-of-any-collection.md", "limits a schema to 32 KB", model.MAX_SCHEMA_BYTES, 32_000),
]

OTHER_NUMBERS = {
    "docs/operations.md": ["by a day or two"],
    "docs/collections.md": ["and two fetches"],  # "twice", in the rules for records
    "docs/reference.md": [],
}
"""Numbers with a unit in the documents that are checked whole, other than limits: advice, and rules without a constant."""

NUMBER = r"(?:\d[\d,]*|an?|one|two|three|four|five|ten|hundred|thousand|half an?)"
UNIT = r"(?:MB|KB|bytes|s|seconds?|minutes?|hours?|days?|pages|events|sources|levels|redirects|times|fetches)"
LIMIT = re.compile(rf"\b{NUMBER} (?:more )?{UNIT}\b")


def read_document(name: str) -> str:
    """Return a document with its line breaks and indents as single spaces."""
    return " ".join((ROOT / name).read_text(encoding="utf-8").split())


@pytest.mark.parametrize(("document", "words", "constant", "value"), LIMITS, ids=[words for _, words, _, _ in LIMITS])
def test_a_limit_in_prose_is_the_constant(document, words, constant, value):
    """The document has the words, and the constant has their value."""
    assert words in read_document(document)
    assert constant == value


@pytest.mark.parametrize("document", OTHER_NUMBERS)
def test_every_number_with_a_unit_is_checked(document):
    """In these documents no limit stands beside the table."""
    text = read_document(document)
    checked = [words for name, words, _, _ in LIMITS if name == document] + OTHER_NUMBERS[document]
    spans = [found.span() for words in checked for found in re.finditer(re.escape(words), text)]
    numbers = [found for found in LIMIT.finditer(text) if not any(s <= found.start() and found.end() <= e for s, e in spans)]

    assert [text[max(0, found.start() - 40) : found.end() + 20] for found in numbers] == []


def test_the_page_of_limits_is_what_the_constants_are():
    """``python -m tests.support.limits_page > docs/limits.md`` writes it again."""
    assert (ROOT / "docs" / "limits.md").read_text(encoding="utf-8") == limits_page.page()


def test_the_same_bound_stands_for_the_same_text():
    """What the API and the command line check before the engine does."""
    assert http.MAX_TEXT_LENGTH == bookings.MAX_TEXT_LENGTH
    assert catalog.MIN_INTERVAL_SECONDS == model.MIN_INTERVAL_SECONDS
    assert sync_command.MAX_RUNS == runs.MAX_MONITOR_RUNS
