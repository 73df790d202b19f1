"""Bokit keeps holiday-rental calendars true: one engine that reads, identifies, merges and guards."""

__version__ = "0.1.0"
