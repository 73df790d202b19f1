"""The page's files, as the build leaves them beside the function. They are read once, and sent as they are.

index.html                                  asked for again each time: an unchanged one is a 304
assets/NAME-HASH.EXT                        kept for a year: another content has another name
icons/…                                     kept for a day
manifest.webmanifest, worker.js             asked for again each time
NAME.gz                                     NAME, compressed; sent to those who take it
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bokit import __version__
from bokit.core.model.documents import write_json
from bokit.values import Value

if TYPE_CHECKING:
    from bokit.http.documents import PageSettingsDocument

INDEX = "index.html"
SETTINGS = "page.json"
MEDIA = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
"""The media types of the files' endings. Files of other kinds are not served."""
AGAIN = "no-cache"
DAY = "public, max-age=86400"
FOR_GOOD = "public, max-age=31536000, immutable"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src {sources}; "
    "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types bokit-worker"
)
"""The Content-Security-Policy: this stack's own files, and no requests but to its API, its WebSocket and its issuer."""
SECURITY = {
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_HASHED = re.compile(r"assets/.+-[A-Z0-9]{8}\.\w+")
_LINK = re.compile(r'(\s(?:href|src)=")(?![/#]|\w+:)')


class PageFile(Value, dict=True):
    """One file as it is sent."""

    content: bytes
    media: str
    cache: str = AGAIN
    compressed: bytes | None = None

    @cached_property
    def etag(self) -> str:
        """The hash of its content, quoted; sent as a weak one, since it is the same in every encoding."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'

    def encode(self, accepted: str | None) -> tuple[bytes, Mapping[str, str]]:
        """Return the content for a reader's Accept-Encoding, and the headers that say how it is encoded."""
        vary = {"Vary": "Accept-Encoding"} if self.compressed else {}
        if self.compressed and accepts_gzip(accepted):
            return self.compressed, {**vary, "Content-Encoding": "gzip"}
        return self.content, vary


class PageFiles(Value, dict=True):
    """The page's files in *folder*, and what the page has to know of its stack."""

    folder: Path
    api_url: str | None = None
    live_url: str | None = None
    issuer: str | None = None
    client_id: str | None = None
    locale: str = "en"

    @cached_property
    def files(self) -> Mapping[str, PageFile]:
        """Every file by its path; none where the page was not built."""
        found = {str(path.relative_to(self.folder)): path for path in self.folder.rglob("*") if path.suffix in MEDIA}
        settings = PageFile(content=write_json(self.settings).encode(), media=MEDIA[".json"])
        return {SETTINGS: settings, **{name: _load(name, path) for name, path in found.items()}}

    @property
    def settings(self) -> PageSettingsDocument:
        """What ``/page.json`` says."""
        return {
            "version": __version__,
            "ws": self.live_url,
            "issuer": self.issuer,
            "client_id": self.client_id,
            "locale": self.locale,
        }

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """What stands on every answer of the page."""
        origins = [origin_of(url) for url in (self.live_url, self.issuer) if url]
        policy = POLICY.format(sources=" ".join(dict.fromkeys(["'self'", *origins])))
        return {**SECURITY, "Content-Security-Policy": policy}

    def find(self, path: str, host: str = "") -> PageFile | None:
        """Return the file at a *path* (of the page itself: index.html, for readers at *host*), or None."""
        return self._index if path == INDEX and host and host == self._own_host else self.files.get(path)

    @cached_property
    def _own_host(self) -> str:
        return urlsplit(self.api_url or "").netloc

    @cached_property
    def _index(self) -> PageFile | None:
        """The page at its own address, with whole paths: without the final slash, relative ones would miss their folder."""
        if (index := self.files.get(INDEX)) is None:
            return None
        home = urlsplit(self.api_url or "").path
        return PageFile(content=_LINK.sub(rf"\g<1>{home}/", index.content.decode()).encode(), media=index.media)


def _load(name: str, path: Path) -> PageFile:
    cache = FOR_GOOD if _HASHED.fullmatch(name) else DAY if name.startswith("icons/") else AGAIN
    packed = path.with_name(f"{path.name}.gz")
    compressed = packed.read_bytes() if packed.exists() else None
    return PageFile(content=path.read_bytes(), media=MEDIA[path.suffix], cache=cache, compressed=compressed)


def origin_of(url: str) -> str:
    """Return scheme, host and port of *url*.

    >>> origin_of("wss://a.example:8443/live?x=1")
    'wss://a.example:8443'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def accepts_gzip(accepted: str | None) -> bool:
    """Return whether an Accept-Encoding takes gzip (RFC 9110, section 12.5.3); ``;q=0`` refuses it.

    >>> [accepts_gzip(text) for text in ("br, gzip", "gzip;q=0", "*", "*;q=0", "identity", None)]
    [True, False, True, False, False, False]
    """
    offers = [offer.replace(" ", "").lower().partition(";q=") for offer in (accepted or "").split(",")]
    weights = {name: weight if given else "1" for name, given, weight in offers}
    weight = weights.get("gzip", weights.get("*", "0"))
    return bool(re.fullmatch(r"1(\.0*)?|0?\.\d*[1-9]\d*", weight))
