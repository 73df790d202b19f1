"""``/guests``: find, export and erase a guest. Admins alone; whom it is about is in bodies, and in no URL or log."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bokit.core.model.cursors import MAX_CURSOR_LENGTH
from bokit.core.model.documents import sent_bytes
from bokit.core.model.limits import MAX_GUEST_QUERY, MAX_KEY_LENGTH, MIN_GUEST_QUERY
from bokit.core.model.records import RecordId
from bokit.engine.bookings.limits import MAX_ERASED_AT_ONCE
from bokit.engine.bookings.terms import ReceiptDocument
from bokit.http.bodies import Body
from bokit.http.limits import MAX_PAGE_BYTES, MAX_PAGE_ITEMS, MAX_TEXT_LENGTH
from bokit.http.params import Cursor, Limit
from bokit.http.replies import Reply, reply, reply_list
from bokit.http.routing import ADMIN, Routes, lists, shows

routes = Routes("guests")

BookingId = Annotated[str, Field(min_length=1, max_length=MAX_KEY_LENGTH)]
NextPage = Annotated[
    str | None, Field(max_length=MAX_CURSOR_LENGTH, description="The `cursor` of the answer before; null: from the beginning.")
]


class GuestSought(Body):
    """Whom to look for."""

    who: str = Field(
        min_length=MIN_GUEST_QUERY,
        max_length=MAX_GUEST_QUERY,
        examples=["Ada Lovelace"],
        description="A name (all of its words), a phone (at least its last four digits), an e-mail address, or a code.",
    )
    cursor: NextPage = None


class GuestToExport(Body):
    """Which booking to export."""

    booking: BookingId
    cursor: NextPage = None


class GuestsToErase(Body):
    """Whose bookings lose their guest."""

    bookings: list[BookingId] = Field(min_length=1, max_length=MAX_ERASED_AT_ONCE, description="Ids that `find` answered.")
    plan: str | None = Field(
        default=None, max_length=MAX_TEXT_LENGTH, description="The `plan` of the refusal; without it nothing is erased."
    )


@routes.serve("POST", "/guests/find", ADMIN, lists("GuestBooking"))
def find_guest(body: GuestSought) -> Reply:
    """Find the bookings that name a guest, cancelled ones too: by their fields, a person's edits, and their change logs.

    A page may be empty and have a `cursor`: one request reads a limited number of change logs.
    """
    call = routes.call
    page = call.engine.bookings.guests.find(call.tenant, body.who, cursor=body.cursor)
    return reply_list((item.describe() for item in page.items), page.cursor)


@routes.serve("POST", "/guests/export", ADMIN, shows("GuestExport"))
def export_guest(body: GuestToExport) -> Reply:
    """Export all that is kept of one booking and its guest: its fields, edits and change log, a page at a time."""
    call, limit = routes.call, MAX_PAGE_ITEMS
    while True:
        document = call.engine.bookings.guests.export(call.tenant, RecordId(body.booking), limit=limit, cursor=body.cursor)
        response = reply(document)
        if limit == 1 or sent_bytes(response.body or "") <= MAX_PAGE_BYTES:
            return response
        limit = max(1, min(limit, len(document["changes"])) // 2)


@routes.serve("POST", "/guests/erase", ADMIN, shows("Receipt", "Erased; the receipt."))
def erase_guests(body: GuestsToErase) -> Reply:
    """Erase the guest of these bookings, for good; dates, status and nights stay.

    Without `plan` it is refused with 409 `not-confirmed`, which says how many records lose their guest, those of the same
    bookings included, and has the plan to confirm. While a feed still shows the guest, syncs leave the guest out.
    """
    call = routes.call
    ids = [RecordId(booking) for booking in body.bookings]
    return reply(call.engine.bookings.erasing.erase(call.tenant, ids, plan=body.plan, by=call.by))


@routes.serve("GET", "/guests/receipts", ADMIN, lists("Receipt"))
def list_receipts(limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """List what was erased, when and by whom, oldest first; a receipt names bookings, and nobody."""
    call = routes.call
    found = call.engine.bookings.erasing.list_receipts(call.tenant)
    return call.reply_page(found, dict, _by_time, ("receipts",), limit, cursor)


def _by_time(doc: ReceiptDocument) -> tuple[str, ...]:
    return (doc["id"],)
