"""Feeds that behave as the booking platforms do, over a calendar that moves by command, with the truth beside them."""
