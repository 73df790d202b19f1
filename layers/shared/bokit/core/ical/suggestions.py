"""Settings that a feed's own content suggests to its owner; nothing is set by itself."""

from __future__ import annotations

from bokit.core.ical.entries import CANCELLED, Entry, EntryKind
from bokit.core.model.catalog import EndsOn
from bokit.core.model.source_rules import Seen

ENDS_ON_ITS_START = "ends-on-its-start"


def suggest_settings(seen: Seen[Entry], ends_on: EndsOn) -> dict[str, str]:
    """Return the settings of a source that fit *seen*, read with *ends_on*, better; mostly none.

    read with      the all-day events                                                       suggested
    departure      one ends on the day of its start, and none starts where another ends     last-night
    last-night     one starts on another's last night, and none has a single night          departure
    """
    stays = [e for e in seen.entries if e.starts_at is None and e.kind is not EntryKind.WINDOW and e.status not in CANCELLED]
    if ends_on is EndsOn.LAST_NIGHT:
        single = any((e.check_out - e.check_in).days == 1 for e in stays)
        return {} if single or not _meet(stays, overlap=1) else {"ends_on": EndsOn.DEPARTURE.value}
    single_uids = {p.uid for p in seen.problems if p.code == ENDS_ON_ITS_START}
    meets = _meet([e for e in stays if e.uid not in single_uids], overlap=0, others=stays)
    return {} if meets or not single_uids else {"ends_on": EndsOn.LAST_NIGHT.value}


def _meet(stays: list[Entry], *, overlap: int, others: list[Entry] | None = None) -> bool:
    """Return whether one of *stays* ends where another begins, or *overlap* nights after that."""
    starts = {e.check_in.toordinal() for e in others or stays}
    return any(e.check_out.toordinal() - overlap in starts - {e.check_in.toordinal()} for e in stays)
