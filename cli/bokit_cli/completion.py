"""What a shell offers for a name that is typed in part: full names and ids from the stack, and the names of options.

A name is completed from its beginning, in any case; one alone that has such an end stands for it (``airbnb`` for
``Garden flat / Airbnb``). An id is offered once one is begun. Where no stack is named, or it takes longer than MAX_SECONDS,
nothing is offered and nothing is said. ``bokit --install-completion`` is typer's own.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from itertools import islice
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

import typer

if TYPE_CHECKING:
    from bokit_cli.session import Session

MAX_SECONDS = 2.0
MAX_RECORDS_OFFERED = 2000
"""Of a collection; so many are read to find the ids that begin as what was typed."""
COMPLETED = "_BOKIT_COMPLETE"
"""The variable in which a shell says what it wants, as typer names it."""
_SPECIAL = re.compile(r"([^\w@%+=:,./-])")


class Choice(NamedTuple):
    """Something that a shell may offer: by its name, or by its id, with what is said beside it."""

    id: str
    name: str = ""
    about: str = ""


Load = Callable[["Session"], Iterable[Choice]]
Complete = Callable[[typer.Context, str], list[tuple[str, str]]]


class Offered(str):
    """A text that takes the place of what was typed; typer would keep it only where it begins so, letter by letter."""

    __slots__ = ()

    def startswith(self, *_: object) -> bool:
        return True


def completes(load: Load) -> Complete:
    """Return what completes a parameter by the choices that *load* finds."""

    def complete(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        found = choose(_load_in_time(load, ctx), incomplete)
        quote = _find_quote()
        return [(Offered(quote(text)), about) for text, about in found]

    return complete


def choose(choices: Iterable[Choice], typed: str) -> list[tuple[str, str]]:
    """Return the texts to offer for what is *typed*, each with what is said beside it.

    >>> flats = [Choice("src_1", "Garden flat / Airbnb"), Choice("src_2", "Loft / Airbnb")]
    >>> choose(flats, "gar"), choose(flats, "src_2"), choose(flats, "loft/")
    ([('Garden flat / Airbnb', 'src_1')], [('src_2', 'Loft / Airbnb')], [('Loft / Airbnb', 'src_2')])
    """
    from bokit.core.model.full_names import BETWEEN, tidy_name

    known, wanted = list(choices), tidy_name(typed).casefold()
    ids = [(c.id, c.name or c.about) for c in known if c.id.startswith(typed) and (typed or not c.name)]
    named = [(c.name, c.about or c.id) for c in known if c.name and c.name.casefold().startswith(wanted)]
    if ids or named:
        return list(dict((*named, *ids)).items())
    ends = [(c.name, c.about or c.id) for c in known if f"{BETWEEN}{wanted}" in c.name.casefold()]
    return ends if len(ends) == 1 else []  # a shell puts what several have in common in the place of what was typed


def _find_quote() -> Callable[[str], str]:
    """Return how a text is written for the shell: bash inserts it as it is, others quote it themselves."""
    from bokit.config import read_environment

    env = read_environment()
    if not env.get(COMPLETED, "").endswith("_bash"):
        return str
    words, at = env.get("COMP_WORDS", "").split("\n"), int(env.get("COMP_CWORD") or 0)
    is_quoted = at < len(words) and words[at].startswith(("'", '"'))
    return str if is_quoted else lambda text: _SPECIAL.sub(r"\\\1", text)


def _load_in_time(load: Load, ctx: typer.Context) -> list[Choice]:
    """Return the choices; none where they cannot be loaded, or not soon enough."""
    found: list[Choice] = []

    def run() -> None:
        try:
            found.extend(load(_open_session(ctx)))
        except Exception:
            found.clear()  # nobody asked for anything that could fail

    logging.disable()
    worker = Thread(target=run, daemon=True)
    worker.start()
    worker.join(MAX_SECONDS)
    logging.disable(logging.NOTSET)
    return list(found)


def _open_session(ctx: typer.Context) -> Session:
    """Return the session of the command that is typed: its tenant, and the stack that its options name."""
    from bokit.config import StackChoice
    from bokit_cli.session import Session, StackLocator

    chosen = ctx.find_root().params
    ctx.obj = ctx.obj or StackLocator()
    ctx.obj.choice = StackChoice(stack=chosen.get("stack"), profile=chosen.get("profile"), region=chosen.get("region"))
    return Session(ctx, ctx.params.get("tenant") or "default")


# ── what is offered ──


def _units(session: Session) -> Iterable[Choice]:
    names = session.names
    return [Choice(u.id, names.of(u)) for u in names.sorted(session.bokit.catalog.list_units(session.tenant))]


def _properties(session: Session) -> Iterable[Choice]:
    return [Choice(p.id, p.name) for p in session.bokit.catalog.list_properties(session.tenant)]


def _sources(session: Session) -> Iterable[Choice]:
    names = session.names
    return [Choice(s.id, names.of(s)) for s in names.sorted(session.bokit.catalog.sources.list_sources(session.tenant))]


def _removed_sources(session: Session) -> Iterable[Choice]:
    names, sources = session.names, session.bokit.catalog.sources
    return [Choice(s.id, names.of(s)) for s in names.sorted(sources.list_sources(session.tenant, removed=True)) if s.removed_at]


def _tenants(session: Session) -> Iterable[Choice]:
    return [Choice(t.id, t.name) for t in session.bokit.catalog.list_tenants()]


def _collections(session: Session) -> Iterable[Choice]:
    from bokit.core.model.collections import collections_of

    catalog = session.bokit.catalog
    fed = {name for s in catalog.sources.list_sources(session.tenant) for name in collections_of(s)}
    declared = {str(c.name) for c in catalog.collections.list_collections(session.tenant)}
    return [Choice(name) for name in sorted(fed | declared)]


def complete_record(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Complete a record's id, once ``--collection`` says of which collection."""

    def load(session: Session) -> Iterable[Choice]:
        collections = session.bokit.catalog.collections
        found = collections.find(session.tenant, ctx.params.get("collection") or "")
        return [Choice(r.key, about=found.name) for r in islice(collections.iterate(found), MAX_RECORDS_OFFERED)]

    return completes(load)(ctx, incomplete)


def _tables(session: Session) -> Iterable[Choice]:
    from bokit.core.model.collections import tables_of

    sources = session.bokit.catalog.sources.list_sources(session.tenant)
    return [Choice(name) for name in sorted({name for s in sources for name in tables_of(s)})]


def _options(session: Session) -> Iterable[Choice]:
    from bokit.core.model.options import OPTIONS

    return [Choice(option.name, about=option.about) for option in OPTIONS.values()]


def _platforms(session: Session) -> Iterable[Choice]:
    from bokit.core.model.platform_names import PLATFORM_NAMES

    return [Choice(name) for name in PLATFORM_NAMES]


def _channels(session: Session) -> Iterable[Choice]:
    return [*_platforms(session), *_sources(session)]


def _bookings(session: Session) -> Iterable[Choice]:
    from bokit_cli.show import short_id, stay_words

    units = [u.id for u in session.bokit.catalog.list_units(session.tenant)]
    docs = [d for d in session.bokit.bookings.list_bookings(session.tenant, units) if d["check_in"] and d["check_out"]]
    return [Choice(short_id(d["id"]), about=stay_words(str(d["check_in"]), str(d["check_out"]))) for d in docs]


def _runs(session: Session) -> Iterable[Choice]:
    runs = session.bokit.status.load_history(session.tenant, limit=20).items
    return [Choice(run.run_id, about=f"{run.trigger}, {run.status}") for run in runs]


def _alerts(session: Session) -> Iterable[Choice]:
    return [Choice(c.id, c.name) for c in session.bokit.alerts.list_channels(session.tenant)]


def _webhooks(session: Session) -> Iterable[Choice]:
    from bokit.core.model.alerts import find_host

    return [Choice(w.id, about=find_host(w.url) or "") for w in session.bokit.webhooks.list_webhooks(session.tenant)]


def _tokens(session: Session) -> Iterable[Choice]:
    return [Choice(t.id, about=t.name) for t in session.bokit.access.list_tokens(session.tenant)]


complete_unit, complete_property, complete_source = completes(_units), completes(_properties), completes(_sources)
complete_removed, complete_tenant, complete_channel = completes(_removed_sources), completes(_tenants), completes(_channels)
complete_collection, complete_table, complete_option = completes(_collections), completes(_tables), completes(_options)
complete_platform, complete_booking, complete_run = completes(_platforms), completes(_bookings), completes(_runs)
complete_alert, complete_webhook, complete_token = completes(_alerts), completes(_webhooks), completes(_tokens)
