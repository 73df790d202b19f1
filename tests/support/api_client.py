"""A caller of the deployed HTTP API."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from bokit.core.model.access import Role
from bokit.core.model.catalog import Tenant
from bokit.core.model.records import TenantId
from tests.support.builders import a_name
from tests.support.deployed import Deployed, open_stack, wait_until


@dataclass(frozen=True, kw_only=True)
class Client:
    """A tenant's own hand: it asks with one token."""

    deployed: Deployed
    tenant: TenantId
    token: str | None

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Return status and document of one request."""
        sent = {"Content-Type": "application/json", **headers}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.deployed.api_url + path, method=method, headers=sent, data=data)  # noqa: S310 - our own
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def get(self, path: str) -> Any:
        """Return the document at *path*."""
        status, answer = self.ask("GET", path)
        assert status == 200, answer
        return answer

    def as_(self, role: Role) -> Client:
        """Return a client with a new token of this role."""
        return replace(self, token=open_stack(self.deployed).access.create(self.tenant, role)[1])

    def furnish(self, url: str) -> str:
        """Declare a property, a unit and a source; return the source's id."""
        house = self.ask("POST", "/properties", {"name": "Villa Rosa", "timezone": "Europe/Rome"})[1]["id"]
        unit = self.ask("POST", "/units", {"name": "Garden flat", "property_id": house})[1]["id"]
        return str(self.ask("POST", "/sources", {"name": "Airbnb", "unit_id": unit, "url": url})[1]["id"])

    def follow(self, run_id: str) -> Any:
        """Return a run once it has ended."""
        return wait_until(lambda: (run := self.get(f"/sync/history/{run_id}"))["status"] in READY and run, 60)

    def runs(self, trigger: str) -> list[Any]:
        """Return the runs of one trigger."""
        return [run for run in self.get("/sync/history")["items"] if run["trigger"] == trigger]


def open_client(deployed: Deployed) -> Client:
    """Return the admin of a new tenant."""
    tenant, stack = TenantId(a_name("tenant")), open_stack(deployed)
    stack.store.save_tenant(Tenant(id=tenant, name=tenant, created_at=datetime.now(UTC)))
    return Client(deployed=deployed, tenant=tenant, token=stack.access.create(tenant, Role.ADMIN)[1])


READY = {"succeeded", "partial", "failed"}
