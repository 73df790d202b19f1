"""Limits of alerts."""

from __future__ import annotations

from datetime import timedelta

MAX_TELEGRAM_TEXT = 4096
"""Characters that the service takes, as the next ones; a longer message is cut."""
MAX_DISCORD_TEXT = 2000
MAX_SLACK_TEXT = 4000
MAX_NTFY_BYTES = 4000
"""Bytes; ntfy makes an attachment of more than 4,096."""
MAX_ALERT_TEXT = 4000  # characters of a message on any channel
MAX_ALERT_TITLE = 200  # characters
MAX_NAMED = 10
"""Calendars or double bookings that one message names; it says how many more there are."""
MAX_BOOKINGS_NAMED = 4
"""Bookings of a double booking that a message names."""
MAX_SETTING_LENGTH = 2000  # characters of one setting of a channel
MIN_QUIET_BEFORE_ARRIVAL = timedelta(hours=72)
"""A double booking whose first night is nearer than that is sent in quiet hours too."""
MAX_CHANNEL_NAME = 200  # characters
