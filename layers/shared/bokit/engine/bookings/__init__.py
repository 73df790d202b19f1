"""Bookings in the engine: conflicts, outgoing calendars, what people do with bookings, and replays of histories.

Terms: a *unit group* is every unit linked with one, directly or not; a *page* is an outgoing calendar as it is served; a
*replay* runs the engine over a history of fetches. This is the only package of the engine that knows ``core.bookings``,
``core.occupancy`` and ``core.ical``.
May import: ``engine.records``, ``engine.sync``, ``engine.base``, ``core``, the protocols of store and outlets; replays also
the memory store.
"""

__all__ = ["conflicts", "outgoing", "pages", "replay", "replay_unit", "service", "serving"]
