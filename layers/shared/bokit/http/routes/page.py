"""The page and its files, without a token. The function that serves them answers by ``http.public``."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Header, Path

from bokit.http.page_files import INDEX, SETTINGS
from bokit.http.public import serve_file
from bokit.http.replies import Reply, reply_answer
from bokit.http.routing import Answers, Routes, shows

routes = Routes("public")

File = Annotated[str, Path(description="The file's name.")]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", description="ETags of the reader's copies, or `*`.")]
AcceptEncoding = Annotated[str | None, Header(alias="Accept-Encoding", description="With gzip, texts are compressed.")]
TEXT: dict[str, Any] = {"schema": {"type": "string"}}
OBJECT: dict[str, Any] = {"schema": {"type": "object"}}
KNOWN: dict[str, Any] = {"description": "Not modified."}


def sends(description: str, *media: str) -> Answers:
    """Return the answers of a route that sends a file."""
    content = {each: OBJECT if each.endswith("json") else TEXT for each in media}
    return {200: {"description": description, "content": content}, 304: KNOWN}


@routes.serve("GET", "/", None, sends("The page.", "text/html"))
def show_page(if_none_match: IfNoneMatch = None, accept_encoding: AcceptEncoding = None) -> Reply:
    """Open the page. It signs in by `#token=` in its address."""
    return _send(INDEX, if_none_match, accept_encoding)


@routes.serve("GET", "/page.json", None, {**shows("PageSettings", "The settings."), 304: KNOWN})
def show_page_settings(if_none_match: IfNoneMatch = None, accept_encoding: AcceptEncoding = None) -> Reply:
    """Show what the page has to know of this stack before anybody signs in."""
    return _send(SETTINGS, if_none_match, accept_encoding)


@routes.serve("GET", "/assets/{file}", None, sends("The file.", "text/javascript", "text/css", "application/json"))
def read_asset(file: File, if_none_match: IfNoneMatch = None, accept_encoding: AcceptEncoding = None) -> Reply:
    """Read a script, a style sheet or the texts of a language. Names hold a hash: browsers keep a file for a year."""
    return _send(f"assets/{file}", if_none_match, accept_encoding)


@routes.serve("GET", "/icons/{file}", None, sends("The image.", "image/png", "image/svg+xml"))
def read_icon(file: File, if_none_match: IfNoneMatch = None, accept_encoding: AcceptEncoding = None) -> Reply:
    """Read an icon."""
    return _send(f"icons/{file}", if_none_match, accept_encoding)


@routes.serve("GET", "/manifest.webmanifest", None, sends("The manifest.", "application/manifest+json"))
def read_manifest(if_none_match: IfNoneMatch = None, accept_encoding: AcceptEncoding = None) -> Reply:
    """Read the page's manifest, by which it can be installed."""
    return _send("manifest.webmanifest", if_none_match, accept_encoding)


@routes.serve("GET", "/worker.js", None, sends("The script.", "text/javascript"))
def read_worker(if_none_match: IfNoneMatch = None, accept_encoding: AcceptEncoding = None) -> Reply:
    """Read the page's service worker."""
    return _send("worker.js", if_none_match, accept_encoding)


def _send(path: str, none_match: str | None, accepted: str | None) -> Reply:
    return reply_answer(serve_file(routes.call.visit(none_match=none_match, accepted=accepted), path))
