"""Schemathesis on the deployed API, from the committed document: no 5xx, no success without a token, answers as documented."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bokit.core.model.access import Role
from bokit.core.model.catalog import Tenant
from bokit.core.model.records import TenantId
from tests.support.api_client import Client
from tests.support.builders import a_name
from tests.support.deployed import Deployed, open_stack
from tests.support.page_paths import PAGE_PATHS

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/openapi.json"
PATHS = json.loads(DOCUMENT.read_text(encoding="utf-8"))["paths"]
OPERATIONS = [(method.upper(), path) for path, methods in PATHS.items() for method in methods]
FEEDS = ("/feeds/{token}.ics", "/feeds/{token}.json")
PUBLIC = {("GET", path) for path in ("/health", *FEEDS, *PAGE_PATHS)} | {("HEAD", path) for path in FEEDS}
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "ignored_auth",
)
"""All checks but those that every valid shape is accepted: a well-formed cursor may be invalid, and an id unknown."""
EXAMPLES = int(os.environ.get("BOKIT_FUZZ") or 0)
"""Made-up requests to each operation, beside those of the document and of every limit that it names (``make fuzz``).

The gate has none: which of them there is time for depends on the machine, and so would what fails.
"""


@pytest.fixture
def client(deployed: Deployed, feed_url: str) -> Iterator[Client]:
    """The admin of a tenant that has something to look at, and is gone afterwards with all that was made up."""
    tenant = TenantId(a_name("tenant"))
    stack = open_stack(deployed)
    stack.store.save_tenant(Tenant(id=tenant, name=tenant, created_at=datetime.now(UTC)))
    client = Client(deployed=deployed, tenant=tenant, token=stack.access.create(tenant, Role.ADMIN)[1])
    client.furnish(feed_url)
    client.follow(client.ask("POST", "/sync/trigger", {})[1]["run_id"])
    yield client
    stack.store.remove_tenant(tenant)


def test_the_api_answers_as_its_document_says(client, tmp_path, record_property):
    """Every operation, with what the document allows and what it forbids, from one seed."""
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(Path(__file__).with_name("schemathesis.toml")),
        "run",
        str(DOCUMENT),
        "--url",
        client.deployed.api_url,
        "--header",
        f"Authorization: Bearer {client.token}",
        "--checks",
        ",".join(CHECKS),
        "--phases",
        "examples,coverage,fuzzing" if EXAMPLES else "examples,coverage",
        "--max-examples",
        str(EXAMPLES or 1),
        "--seed",
        "1",
        "--workers",
        "2",
        "--continue-on-failure",
        "--warnings",
        "off",
        "--no-color",
        "--generation-database",
        "none",
        "--request-timeout",
        "60",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600 + 300 * EXAMPLES, check=False)
    tested, cases = (int(re.search(p, done.stdout)[1]) for p in (r"Tested: +(\d+)", r"(\d+) generated"))
    record_property("cases", cases)

    assert done.returncode == 0, done.stdout.partition(" FAILURES ")[2][:8000]
    assert tested == len(OPERATIONS)
    assert cases > 10 * tested


@pytest.mark.parametrize(("method", "path"), [o for o in OPERATIONS if o not in PUBLIC])
def test_no_operation_succeeds_without_a_token(deployed, method, path):
    """The gateway answers 401 before any function is asked."""
    stranger = Client(deployed=deployed, tenant=TenantId("nobody"), token=None)

    assert stranger.ask(method, re.sub(r"\{\w+\}", "x", path), {} if method in ("POST", "PUT", "PATCH") else None)[0] == 401
