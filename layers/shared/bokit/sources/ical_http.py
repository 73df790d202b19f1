"""Calendar feeds over HTTP."""

from __future__ import annotations

from bokit.core.catalog import Source
from bokit.errors import SourceUnavailableError
from bokit.sources.addresses import check_url
from bokit.sources.base import Fetched
from bokit.sources.safe_http import Answer, SafeClient, raise_for_status
from bokit.sources.secrets import Secrets

__all__ = ["IcalFetcher", "check_url"]

_ACCEPT = "text/calendar, text/plain;q=0.8, */*;q=0.5"


class IcalFetcher:
    """Fetches feeds with one guarded client; their URLs may be names of secrets."""

    def __init__(self, client: SafeClient, secrets: Secrets) -> None:
        self.client, self.secrets = client, secrets

    def fetch(self, source: Source, *, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        """Return what the feed answers now, or that it is the one whose *etag* or date we have.

        What a body is worth is for its reader: a web page with status 200 is returned like a calendar.
        """
        validators = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        asked = {name: value for name, value in validators.items() if value}
        answer = self.client.fetch(self.secrets.resolve(source.url), headers={"Accept": _ACCEPT, **asked})
        raise_for_status(answer)
        if answer.status == 304 and not asked:
            raise SourceUnavailableError(
                "the source says that nothing changed, and nobody asked it; Bokit tries again",
                code="unasked-304",
                host=answer.host,
            )
        return _read_answer(answer, etag, last_modified)


def _read_answer(answer: Answer, etag: str | None, last_modified: str | None) -> Fetched:
    """A 304 need not repeat the validators: they stay the ones we sent."""
    is_same = answer.status == 304
    return Fetched(
        body=answer.body,
        not_modified=is_same,
        etag=answer.headers.get("etag", etag if is_same else None),
        last_modified=answer.headers.get("last-modified", last_modified if is_same else None),
        content_type=answer.headers.get("content-type"),
        host=answer.host,
    )
