"""Suggestions: what a person may have meant by a misspelt name, as the end of an error's message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bokit.core.model.limits import MAX_MISSPELT, MAX_SUGGESTIONS

LIKENESS = 0.7
"""The least, as difflib counts it: a fifth of a short name may be wrong."""


def suggest(word: str, known: Iterable[str]) -> list[str]:
    """Return which of *known* a person may have meant by *word*, the likeliest first.

    >>> suggest("sync.intervall", ["sync.interval", "sync.enabled", "timezone"])
    ['sync.interval']
    """
    from difflib import get_close_matches

    if len(word) > MAX_MISSPELT:
        return []
    folded: dict[str, list[str]] = {}
    for name in known:
        folded.setdefault(name.casefold(), []).append(name)
    near = get_close_matches(word.casefold(), folded, MAX_SUGGESTIONS, LIKENESS)
    return [name for match in near for name in folded[match]]


def did_you_mean(names: Sequence[str]) -> str:
    """Return the end of an error's message that offers *names*; nothing where there are none.

    >>> did_you_mean(["Loft / Airbnb", "Loft / VRBO"]), did_you_mean([])
    ("; did you mean 'Loft / Airbnb' or 'Loft / VRBO'?", '')
    """
    quoted = [f"'{name}'" for name in names]
    listed = " or ".join(filter(None, [", ".join(quoted[:-1]), *quoted[-1:]]))
    return f"; did you mean {listed}?" if quoted else ""
