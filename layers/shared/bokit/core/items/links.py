"""URLs of pages: parameters, next links, and the credentials that a next link loses."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any
from urllib.parse import unquote_plus, urlencode, urljoin, urlsplit, urlunsplit

from bokit.core.items.limits import MAX_LINK_LENGTH
from bokit.core.items.page_signals import normalise_name, words
from bokit.core.model.records import Json
from bokit.errors import SourceMalformedError

CREDENTIALS = words(
    "key apikey appkey userkey accesskey authkey subscriptionkey licensekey token apitoken accesstoken authtoken "
    "usertoken secret apisecret clientsecret clientid appid auth authorization signature sig password pass pwd user "
    "username login account jwt session sessionid sid ticket"
)
"""Parameters of a URL that open the API, by their names without case and signs."""


def set_params(url: str, params: Mapping[str, Any]) -> str:
    """Return *url* with these query parameters, replacing those of the same names."""
    if not params:
        return url
    parts = urlsplit(url)
    kept = [part for part in parts.query.split("&") if part and _name_of(part) not in params]
    return urlunsplit(parts._replace(query="&".join([*kept, urlencode({n: str(v) for n, v in params.items()})])))


def resolve_link(url: str, link: Json) -> str | None:
    """Return the URL of a next link, on the scheme, host and port of *url*; None: this was the last page.

    Behind a proxy, APIs often write http:// or a port of their own into their links.
    """
    if isinstance(link, Mapping):
        link = link.get("href") or link.get("url")
    if link in (None, "", False):
        return None
    here = urlsplit(url)
    try:
        there = urlsplit(urljoin(url, link.strip())) if isinstance(link, str) and len(link) <= MAX_LINK_LENGTH else None
        is_same_host = there is not None and there.hostname == here.hostname
    except ValueError:
        is_same_host = False
    if there is None or not is_same_host:
        raise SourceMalformedError("the next page is on another host, or not a link", code="bad-next-link")
    return urlunsplit((here.scheme, here.netloc, there.path, there.query, ""))


def keep_credentials(url: str, base: str) -> str:
    """Return a next link with the credentials in the query of the owner's URL, *base*, where it leaves them out."""
    return _with_lost(url, [part for part in lost_params(url, base) if normalise_name(_name_of(part)) in CREDENTIALS])


def keep_params(url: str, base: str) -> str:
    """Return a next link with all parameters of the owner's URL, *base*, that it leaves out."""
    return _with_lost(url, lost_params(url, base))


def drop_own(url: str, base: str) -> dict[str, Json]:
    """Return path and query of a next link without what the owner's URL, *base*, has as well, and which names that are."""
    parts, own = urlsplit(url), frozenset(urlsplit(base).query.split("&"))
    query = [part for part in parts.query.split("&") if part]
    rest = "&".join(part for part in query if part not in own)
    return {"link": urlunsplit(("", "", parts.path, rest, "")), "own": [_name_of(part) for part in query if part in own]}


def add_own(url: str, base: str, names: Container[str]) -> str:
    """Return a next link with what :func:`drop_own` left out."""
    return _with_lost(url, [part for part in lost_params(url, base) if _name_of(part) in names])


def lost_params(url: str, base: str) -> list[str]:
    """Return the parameters of *base*, as they are written, whose names *url* does not have."""
    names = {_name_of(part) for part in urlsplit(url).query.split("&")}
    return [part for part in urlsplit(base).query.split("&") if part and _name_of(part) not in names]


def _with_lost(url: str, lost: list[str]) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join([*filter(None, [parts.query]), *lost]))) if lost else url


def _name_of(part: str) -> str:
    return unquote_plus(part.partition("=")[0])
