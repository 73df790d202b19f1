"""``/bookings/{id}/access``: the door code of a stay. Operators and admins alone; in no list, log or event."""

from __future__ import annotations

from pydantic import Field

from bokit.core.model.limits import MAX_DOOR_CODE, MIN_DOOR_CODE
from bokit.core.model.records import RecordId
from bokit.http.bodies import Body
from bokit.http.params import Id
from bokit.http.replies import Reply, reply, reply_nothing
from bokit.http.routing import NOTHING, OPERATOR, Routes, shows, updates

routes = Routes("bookings")


class CodeByHand(Body):
    """A door code that a person sets."""

    code: str = Field(
        min_length=MIN_DOOR_CODE,
        max_length=MAX_DOOR_CODE,
        pattern="^[0-9]+$",
        examples=["4812"],
        description="Digits. 409 `code-taken` where another stay of the unit has it, or had it less than 90 days ago.",
    )


@routes.serve("GET", "/bookings/{id}/access", OPERATOR, shows("Access"))
def show_access(id: Id) -> Reply:
    """Show the door code of a stay; where nobody asked for it yet, it is chosen now.

    Any id of the booking's `sources` finds it. 409 `door-codes-off` without the option `access.codes`, `no-door-code` for
    what is not a stay.
    """
    call = routes.call
    return reply(call.engine.bookings.door_codes.show(call.tenant, RecordId(id)))


@routes.serve("PUT", "/bookings/{id}/access", OPERATOR, updates("Access"))
def set_access(id: Id, body: CodeByHand) -> Reply:
    """Set the door code of a stay by hand; it is this guest's then."""
    call = routes.call
    return reply(call.engine.bookings.door_codes.set_code(call.tenant, RecordId(id), body.code))


@routes.serve("DELETE", "/bookings/{id}/access", OPERATOR, NOTHING)
def renew_access(id: Id) -> Reply:
    """Revoke the door code of a stay: it gets another one at random, or none where `access.source` is `manual`."""
    call = routes.call
    call.engine.bookings.door_codes.renew(call.tenant, RecordId(id))
    return reply_nothing()
