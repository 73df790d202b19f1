"""The environment that Lambda has ready before a handler is imported, and the HTTP API for those who call it."""

import os

os.environ["POWERTOOLS_SERVICE_NAME"] = "bokit"

import pytest

from tests.support.caller import ApiApp, Caller


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ApiApp:
    """An API on an empty table with two tenants."""
    return ApiApp(monkeypatch)


@pytest.fixture
def caller(app: ApiApp) -> Caller:
    """An admin of the default tenant."""
    return app.caller
