"""``bokit status --check``: whether anything needs a person, in one line and an exit code, for monitoring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bokit_cli.show import ago_words, dates_words, plural

if TYPE_CHECKING:
    from bokit.engine.bookings.charts import NeedDocument
    from bokit.engine.runs.status import StatusDocument
    from bokit_cli.session import Session

MAX_NEEDS_SHOWN = 5  # in the line; the JSON document has all


def load_needs(session: Session) -> list[NeedDocument]:
    """Return what needs a person, as ``bokit today`` says it; a channel that gets no calendar is advice, and not among them."""
    units = [unit.id for unit in session.bokit.catalog.list_units(session.tenant)]
    needs = session.bokit.bookings.charts.load_agenda(session.tenant, units, 0)["needs"]
    return [need for need in needs if need["state"] != "missing"]


def check_words(doc: StatusDocument, needs: Sequence[NeedDocument], letters: int | None) -> str:
    """Return the line: what needs a person, or that nothing does."""
    found = [_need_words(need) for need in needs]
    found = [*found[:MAX_NEEDS_SHOWN], *([f"{len(found) - MAX_NEEDS_SHOWN} more"] if len(found) > MAX_NEEDS_SHOWN else [])]
    if letters:
        found.append(plural(letters, "dead letter"))
    if found:
        return f"needs a person: {'; '.join(found)}"
    return f"ok: nothing needs a person; {_freshness_words(doc)}"


def _freshness_words(doc: StatusDocument) -> str:
    """Return how many sources there are, and when they were read."""
    times = [s["last_success_at"] for s in doc["sources"] if s["state"] != "paused"]
    read = [at for at in times if at]
    facts = [plural(len(doc["sources"]), "source")]
    facts += [f"read {ago_words(min(read), doc['at'])} or later"] if read else []
    facts += [f"{len(times) - len(read)} not read yet"] if len(read) < len(times) else []
    return ", ".join(facts)


def _need_words(need: NeedDocument) -> str:
    if need["kind"] == "source":
        why = "its changes wait for your decision" if need["state"] == "held" else need["message"]
        return f"{need['state']}: {need['name']}{f' ({why})' if why else ''}"
    if need["kind"] == "calendar":
        why = need["message"]
        return f"a calendar is no longer read: {need['name']} ({why})" if why else f"nobody reads this calendar: {need['name']}"
    what = "too little time between guests" if need["state"] == "turnover" else f"double booking, {need['state']}"
    return f"{what}: {need['name']}, {dates_words(need['nights'])}"
