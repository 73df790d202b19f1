"""The HTTP API for those who call it."""

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
