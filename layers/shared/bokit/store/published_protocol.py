"""What the engine needs of documents under secret paths, and of who reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from bokit.core.model.events import OutboxItem
from bokit.core.model.readers import Readers, UnreadCalendar
from bokit.core.model.records import Fields, TenantId
from bokit.values import Value, field


class PublishedDocument(Value, not_compared=("read_at", "first_read_at", "readers", "version")):
    """One document under a secret path, as it is served."""

    hash: str
    """SHA-256 of the path's token."""
    tenant: TenantId
    id: str
    """The outgoing calendar from which it is made."""
    body: bytes
    content_type: str
    etag: str
    changed_at: datetime
    """Last-Modified: when *body* last changed."""
    expires_at: datetime | None = None
    """End of a rotated path; None: it is current."""
    refresh_at: datetime | None = None
    """When time alone changes it."""
    nights: Fields = field(default_factory=dict)
    """Which nights *body* closes, since when, and who read it with them (``core.occupancy.calendar_reads``)."""
    availability: Fields = field(default_factory=dict)
    """The unit's taken nights, for one's own website: ``unit``, its name (None: the path shows none), ``units``, those linked
    with it, and ``taken``. Empty: a former release wrote the page.
    """
    read_at: datetime | None = None
    """When it was last read, to a quarter of an hour; kept by the store (``touch_published``)."""
    first_read_at: datetime | None = None
    """When it was first read after it was written; kept by the store, until the document is written again."""
    readers: Readers = ()
    """Which kinds of program read it; kept by the store."""
    version: int = 0
    """Set by the store; 0: not stored yet."""


class ReadersChange(Value):
    """What becomes of the readers of a document."""

    before: Readers
    """As they were read: the condition."""
    after: Readers
    due_at: datetime | None
    """When to look at them (``load_due_readers``); None: not before one of them reads."""


class PublishedStore(Protocol):
    """Documents under secret paths, readable by anybody who knows one: outgoing calendars, served in one read."""

    def save_published(self, published: PublishedDocument, *, only_if_unchanged: bool = False) -> None:
        """Replace what is stored under its hash; with *only_if_unchanged* on its version, else StoreConflictError is raised."""

    def find_published(self, digest: str) -> PublishedDocument | None:
        """Return the document of this hash, in one read (large ones take more). It may be expired."""

    def touch_published(self, digest: str, at: datetime, readers: ReadersChange | None = None) -> bool:
        """Record that the document was read at *at*, by one conditional write; nothing if it is gone, or was read later.

        The first such time after the document was written is its ``first_read_at``. With *readers* they are replaced as well, and
        the condition is that they are as they were: False, and nothing, if others changed them since.
        """

    def save_readers(
        self, digest: str, readers: ReadersChange, unread: UnreadCalendar | None = None, item: OutboxItem | None = None
    ) -> bool:
        """Replace the readers of a document, what the status says of its calendar, and put *item*, in one transaction.

        *unread* without readers is deleted. False, and nothing, if the readers were changed since, or the document is gone.
        """

    def load_due_readers(self, now: datetime, limit: int) -> Sequence[str]:
        """Return the hashes of the documents whose readers are to be looked at, the earliest first, by one query of the index."""

    def load_unread(self, tenant: TenantId) -> Sequence[UnreadCalendar]:
        """Return the tenant's calendars that some readers no longer read, in one query."""

    def delete_unread(self, tenant: TenantId, calendar_id: str) -> None: ...
    def delete_published(self, digest: str) -> None: ...
