"""The page as the deployed stack serves it: built by `sam build`, under the path of the local API."""

from __future__ import annotations

import gzip
import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from tests.support.deployed import Deployed

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """An answer, as it came over the wire."""

    status: int
    headers: Message
    content: bytes


def fetch(url: str, method: str = "GET", **headers: str) -> Fetched:
    """Ask without a token."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, method=method, headers={k.replace("_", "-"): v for k, v in headers.items()})  # noqa: S310 - our own
    try:
        with opener.open(request, timeout=30) as answer:
            return Fetched(status=answer.status, headers=answer.headers, content=answer.read())
    except urllib.error.HTTPError as error:
        return Fetched(status=error.code, headers=error.headers, content=error.read())


def test_the_package_holds_the_page(built: Path):
    """The build is complete, and the compressed copies with it."""
    names = {str(path.relative_to(built / "PublicFunction")) for path in (built / "PublicFunction").rglob("*") if path.is_file()}

    assert {"app.py", "page/index.html"} <= names
    assert [name for name in names if re.fullmatch(r"page/assets/main-\w{8}\.js\.gz", name)]
    assert sum(path.stat().st_size for path in (built / "PublicFunction").rglob("*") if path.is_file()) < 500_000


@pytest.mark.parametrize("slash", ["", "/"])
def test_every_file_that_the_page_names_is_found(deployed: Deployed, slash: str):
    """Whether the address ends in a slash or not."""
    page = fetch(deployed.api_url + slash)
    names = re.findall(r'(?:href|src)="([^"#]+\.\w+)"', page.content.decode())

    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert len(names) >= 2
    for name in names:
        url = urljoin(deployed.api_url + slash, name)
        found = fetch(url, accept_encoding="gzip")
        content = gzip.decompress(found.content) if found.headers["content-encoding"] else found.content
        assert (found.status, fetch(url).content) == (200, content), url


def test_what_is_known_is_not_sent_again(deployed: Deployed):
    """304 with the ETag; HEAD has the headers alone."""
    url = f"{deployed.api_url}/"
    page, head = fetch(url), fetch(url, "HEAD")
    known = fetch(url, if_none_match=page.headers["etag"])

    assert (known.status, known.content) == (304, b"")
    assert (head.status, head.content, head.headers["etag"]) == (200, b"", page.headers["etag"])


def test_the_policy_lets_the_page_reach_its_stack_alone(deployed: Deployed):
    """Nothing but this origin and the WebSocket's."""
    headers = fetch(f"{deployed.api_url}/").headers
    sources = re.search(r"connect-src ([^;]*);", headers["content-security-policy"])

    assert sources
    host = urlsplit(deployed.api_url).netloc
    assert set(sources[1].split()) <= {"'self'", f"ws://{host}"}
    assert headers["x-frame-options"] == "DENY"


def test_the_rest_of_the_api_still_asks_for_a_token(deployed: Deployed):
    """A file that is not there needs none; a path of the API, and one that nobody serves, do."""
    for path, status in (("/assets/none.js", 404), ("/assets/a/b", 404), ("/icons/none.png", 404), ("/", 405)):
        answer = fetch(deployed.api_url + path, "POST" if status == 405 else "GET")
        assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json"), path
    for path in ("/units", "/index.html", "/assets", "/page", "/app.py", "/.env"):
        assert fetch(deployed.api_url + path).status in (401, 403), path


def test_the_settings_need_no_token(deployed: Deployed):
    """They name the WebSocket, if the stack has one, and no issuer where tokens are Bokit's own."""
    settings = json.loads(fetch(f"{deployed.api_url}/page.json").content)

    assert set(settings) == {"version", "ws", "issuer", "client_id", "locale"}
    assert (settings["issuer"], settings["client_id"], settings["locale"]) == (None, None, "en")
