"""The page and its files over HTTP: headers, encodings, conditional requests, and what is not there."""

from __future__ import annotations

import gzip
import re
import subprocess
from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from bokit import __version__
from bokit.handlers import open_page_once
from bokit.http.page_files import PageFiles, accepts_gzip
from functions.public import app as public
from tests.support.caller import ApiApp, an_event, serve
from tests.support.lambda_events import LambdaContext
from tests.support.node import ROOT, find_node
from tests.support.small_page import FILES, SCRIPT, STYLE, open_small_page

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types bokit-worker"
)
PATHS = {"index.html": "/"}
"""Paths that are not the file's name."""


@pytest.fixture
def ask(app: ApiApp) -> Any:
    """Return a function that asks the public function as the gateway does, with the page of a few bytes."""
    return lambda method, path, **headers: serve(
        an_event(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    )


def configure(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
    """Give the page settings of its stack."""
    files = open_small_page(**settings)
    monkeypatch.setattr(public, "page", lambda: files)


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_sent_as_it_is(ask, name):
    """GET sends the file, HEAD the same headers without it, and what is known costs a 304."""
    path = PATHS.get(name, f"/{name}")
    answer, head = ask("GET", path), ask("HEAD", path)
    content = b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()

    assert (answer["statusCode"], content) == (200, FILES[name])
    assert (head["statusCode"], head["headers"], head["body"]) == (200, answer["headers"], "")
    known = ask("GET", path, if_none_match=answer["headers"]["ETag"])
    assert (known["statusCode"], known["body"]) == (304, "")
    assert {**known["headers"], "Content-Type": 0, "Vary": 0} == {**answer["headers"], "Content-Type": 0, "Vary": 0}
    assert ask("GET", path, if_none_match='"other"')["statusCode"] == 200
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        refused = ask(method, path)
        assert (refused["statusCode"], refused["headers"]["Allow"]) == (405, "GET, HEAD"), method


def test_the_page_takes_what_an_identity_provider_sends_back(app: ApiApp):
    """It comes in the query, which the page alone reads: names of every provider, such as session_state, are welcome."""
    query = {"code": "abc", "state": "x", "iss": "https://id.example", "session_state": "y"}

    answer = serve(an_event("GET", "/", query=query, headers={}))

    assert (answer["statusCode"], answer["body"].encode()) == (200, FILES["index.html"])


@pytest.mark.parametrize(
    ("name", "media", "cache"),
    [
        ("index.html", "text/html; charset=utf-8", "no-cache"),
        ("assets/main-3HBHOYKM.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        ("assets/page-2UDV43L2.css", "text/css; charset=utf-8", "public, max-age=31536000, immutable"),
        ("assets/texts-en-13055F99.json", "application/json", "public, max-age=31536000, immutable"),
        ("icons/icon.svg", "image/svg+xml", "public, max-age=86400"),
        ("icons/icon.png", "image/png", "public, max-age=86400"),
        ("manifest.webmanifest", "application/manifest+json", "no-cache"),
        ("worker.js", "text/javascript; charset=utf-8", "no-cache"),
        ("page.json", "application/json", "no-cache"),
    ],
)
def test_a_file_says_what_it_is_and_how_long_it_lasts(ask, name, media, cache):
    """Media type and cache by the kind of file; the policy and its companions on each."""
    headers = ask("GET", PATHS.get(name, f"/{name}"))["headers"]

    assert (headers["Content-Type"], headers["Cache-Control"]) == (media, cache)
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert "geolocation=()" in headers["Permissions-Policy"]


def test_the_policy_names_the_socket_and_the_issuer(ask, monkeypatch):
    """Their origins, and nothing more of their addresses."""
    given = {"live_url": "wss://live.example/prod?x=1", "issuer": "https://id.example/pool", "client_id": "c", "locale": "th"}
    configure(monkeypatch, **given)

    policy = ask("GET", "/")["headers"]["Content-Security-Policy"]
    settings = ask("GET", "/page.json")["body"]

    assert "; connect-src 'self' wss://live.example https://id.example; " in policy
    assert settings == (
        f'{{"version":"{__version__}","ws":"wss://live.example/prod?x=1","issuer":"https://id.example/pool",'
        '"client_id":"c","locale":"th"}'
    )


def test_the_tests_in_the_browser_run_under_the_same_policy():
    """Those before an API without a gateway send it themselves."""
    code = (ROOT / "web/client/test/browser.ts").read_text(encoding="utf-8")
    (literals,) = re.findall(r"POLICY =\n((?:  \".*\"(?: \+)?;?\n)+)", code)

    assert "".join(re.findall(r'"(.*)"', literals)) == POLICY.replace("connect-src 'self'", "connect-src 'self' SOCKET")


def test_a_text_is_compressed_for_who_takes_it(ask):
    """The copy that the build made, with the same ETag; others get the text."""
    path = f"/assets/{SCRIPT}"
    packed, plain = ask("GET", path, accept_encoding="br, gzip;q=0.8"), ask("GET", path, accept_encoding="gzip;q=0, br")

    assert packed["isBase64Encoded"]
    assert packed["headers"]["Content-Encoding"] == "gzip"
    assert gzip.decompress(b64decode(packed["body"])) == FILES[f"assets/{SCRIPT}"] == plain["body"].encode()
    assert "Content-Encoding" not in plain["headers"]
    assert packed["headers"]["Vary"] == plain["headers"]["Vary"] == "Accept-Encoding"
    assert packed["headers"]["ETag"] == plain["headers"]["ETag"]
    head = ask("HEAD", path, accept_encoding="gzip")
    assert (head["body"], head["isBase64Encoded"], head["headers"]) == ("", False, packed["headers"])
    assert "Content-Encoding" not in ask("GET", "/worker.js", accept_encoding="gzip")["headers"]


@pytest.mark.parametrize("text", ["gzip;q=2", "gzip;q=x", "gzip;q=", "gzipx", "x-gzip;q=0", ",", ";", "*;q=0.000", "\u00e9"])
def test_an_odd_encoding_gets_the_text(text):
    """What is not valid, or refuses, is not taken for consent."""
    assert not accepts_gzip(text)


@pytest.mark.parametrize(
    "path",
    [
        "/assets/none.js",
        f"/assets/{SCRIPT}.gz",
        "/assets/../index.html",
        "/assets/..%2findex.html",
        "/assets/%2e%2e%2findex.html",
        "/assets//etc/passwd",
        f"//assets/{SCRIPT}",
        "/assets/",
        "/icons/..",
        "/index.html",
        "/assets/app.py",
        "/app.py",
        "/page",
    ],
)
def test_an_unknown_file_is_not_found(app, path):
    """A problem document, as for every unknown path."""
    answer = public.lambda_handler(an_event("GET", path), LambdaContext())

    assert answer["statusCode"] == 404
    assert answer["headers"]["Content-Type"] == "application/problem+json"


def test_the_page_finds_its_files_under_every_address(ask, monkeypatch):
    """Relative ones behind a slash, whole ones where the stack's own address may lack it."""
    local = "http://127.0.0.1:1/_aws/execute-api/bokit/%24default"
    configure(monkeypatch, api_url=local)

    def files(host: str, address: str) -> list[str]:
        found = re.findall(r'(?:href|src)="([^"#]+\.\w+)"', ask("GET", "/", host=host)["body"])
        return [urljoin(address, each) for each in found]

    names = (f"assets/{STYLE}", "manifest.webmanifest", f"assets/{SCRIPT}")
    for address in (local, f"{local}/"):
        assert files("127.0.0.1:1", address) == [f"{local}/{name}" for name in names]
    for home in ("https://a1.execute-api.us-east-1.amazonaws.com", "https://calendar.example"):
        assert files(home[8:], f"{home}/") == [f"{home}/{name}" for name in names]
    assert 'href="data:,"' in ask("GET", "/", host="127.0.0.1:1")["body"]
    assert 'href="#/chart"' in ask("GET", "/", host="127.0.0.1:1")["body"]
    assert 'href="https://a.example/"' in ask("GET", "/", host="127.0.0.1:1")["body"]


def test_files_are_read_once_and_no_engine_is_opened(app, monkeypatch, tmp_path):
    """What lies in the folder afterwards is not read again; the table is not asked."""
    (tmp_path / "index.html").write_text("one")
    files = PageFiles(folder=tmp_path)
    monkeypatch.setattr(public, "page", lambda: files)
    monkeypatch.setattr(public, "engine", lambda: pytest.fail("the engine was opened"))

    first = serve(an_event("GET", "/"))
    (tmp_path / "index.html").write_text("two")

    assert first["body"] == serve(an_event("GET", "/"))["body"] == "one"


def test_a_function_without_the_page_says_so(app, monkeypatch, tmp_path):
    """As under a test or a server that does not build: 404, and the API goes on."""
    monkeypatch.setattr(public, "page", lambda: PageFiles(folder=tmp_path / "none"))

    assert serve(an_event("GET", "/"))["statusCode"] == 404
    assert serve(an_event("GET", "/health"))["statusCode"] == 200


def test_the_functions_settings_reach_the_page(monkeypatch, tmp_path):
    """What the template sets, page.json says."""
    for name in ("TABLE", "API_URL", "LIVE_URL", "ISSUER", "PAGE_CLIENT_ID", "PAGE_LOCALE"):
        monkeypatch.setenv(f"BOKIT_{name}", f"x-{name.lower()}")

    page = open_page_once(tmp_path)()

    assert (page.folder, page.api_url) == (tmp_path, "x-api_url")
    assert page.settings == {
        "version": __version__,
        "ws": "x-live_url",
        "issuer": "x-issuer",
        "client_id": "x-page_client_id",
        "locale": "x-page_locale",
    }


@pytest.mark.slow
def test_the_real_page_is_served_whole(app, monkeypatch, tmp_path):
    """Every file of the build has a path, and the page names only files that there are."""
    find_node().run("web/build.mjs", str(tmp_path / "page"))
    files = PageFiles(folder=tmp_path / "page")
    monkeypatch.setattr(public, "page", lambda: files)
    names = {str(path.relative_to(files.folder)) for path in files.folder.rglob("*") if path.is_file()}
    kept = {name for name in names if not name.endswith(".gz")}

    for name in kept:
        answer = serve(an_event("GET", PATHS.get(name, f"/{name}"), headers={"accept-encoding": "gzip"}))
        assert answer["statusCode"] == 200, name
        assert ("Content-Encoding" in answer["headers"]) is (f"{name}.gz" in names), name
        assert ("immutable" in answer["headers"]["Cache-Control"]) is name.startswith("assets/"), name
    index = serve(an_event("GET", "/"))["body"]
    assert set(re.findall(r'(?:href|src)="([^"#:]+\.\w+)"', index)) <= kept
    assert any(name.startswith("assets/main-") and f"{name}.gz" in names for name in kept)


def test_a_build_without_node_fails_and_says_what_is_missing(tmp_path):
    """A stack is never deployed without its page."""
    makefile = Path(public.__file__).parents[1] / "Makefile"
    command = ["make", "--makefile", str(makefile), "build-PublicFunction", f"ARTIFACTS_DIR={tmp_path}/out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "run `make setup` first" in done.stderr
    assert not (tmp_path / "out").exists()


def test_nothing_of_the_page_lies_beside_the_function():
    """Built files are committed nowhere."""
    assert not Path(public.__file__).with_name("page").exists()
