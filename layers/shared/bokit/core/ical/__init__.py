"""iCalendar feeds: read into entries, and outgoing calendars written. Pure, and no feed makes it raise.

Terms: a *body* is a feed's bytes; a *group* is the events of one UID; an *entry* is an event read: its nights, kind and
status; a *platform* file holds what one platform's feeds do beyond the standard; a *snapshot* keeps what a body said.

May import: ``core.model``, ``values``.
"""

__all__ = ["entries", "entry_json", "groups", "labels", "lexer", "reader", "rooms", "snapshot", "suggestions", "writer"]
