"""Feeds that behave as the platforms do, with the truth beside them.

A :class:`~simulator.world.World` holds a virtual calendar, whose today moves only by command, and the truth: who stays
where, and which nights the owner closed. Each platform's file in ``simulator/feeds`` renders that truth as the platform
would tell it. Standard library only; the core is pure and, under a seed, the same bytes every time.
"""
