"""One function's API: authorizes the caller, calls the route, and turns every error into a problem document.

    event ─► caller (401, 403) ─► clean JSON (400, 413) ─► validation (422) ─► role (403) ─► route ─► reply

Meanwhile a thread checks whether the tenant's syncs are overdue (engine/runs/traffic.py).
A caller without the role gets 403 even for an invalid request: validation errors would describe a route it may not use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from bokit.core.model.access import Role
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import TenantId
from bokit.engine.app import Bokit
from bokit.http.problems import HttpProblem, RequestError, describe_validation, no_such_route, read_problem
from bokit.http.public import ON_EVERY_ANSWER, answer_problem
from bokit.http.replies import Reply, reply_problem
from bokit.http.requests import read_event, read_method, read_principal
from bokit.http.routers import load_routers
from bokit.http.routing import Call, Routes, check_query, check_role, current_call, serving

TENANT_TTL = timedelta(minutes=1)  # how long a tenant that exists is not looked up again


class Api:
    """Serves the paths whose first segment is one of *segments*: only with a token, and the route's role."""

    def __init__(self, *segments: str) -> None:
        self.segments = segments
        self._not_loaded = set(segments)
        self.roles: dict[tuple[str, str], Role | None] = {}
        self.served: dict[tuple[str, str], Callable[..., Any]] = {}
        self.resolver = APIGatewayHttpResolver(enable_validation=True)
        self.resolver.use(middlewares=[self._guard])
        self.resolver.exception_handler(Exception)(self._answer_error)
        self._known_tenants: dict[TenantId, datetime] = {}
        self._known_by: Bokit | None = None

    def answer(self, event: Mapping[str, Any], context: Any, engine: Callable[[], Bokit]) -> dict[str, Any]:
        """Answer one request; always with a status and a document."""
        try:
            call = self._authorize(event, engine)
            with serving(call), watching_traffic(call):
                request = read_event(event)
                self._load_routes(request.get("rawPath"))
                # a newly included router brings the context of the resolver that had it before (the OpenAPI document's),
                # with another request's route, whose role would be checked
                self.resolver.clear_context()  # type: ignore[no-untyped-call]
                answer = self.resolver.resolve(request, context)
        except Exception as error:
            answer = answer_problem(read_refusal(error)).as_dict()
        answer["headers"] = {**ON_EVERY_ANSWER, **answer.get("headers", {})}
        if read_method(event) == "HEAD":
            answer |= {"body": "", "isBase64Encoded": False}
        return answer

    def load(self) -> None:
        """Include the routes of every segment now, as a function with few of them does while it is initialized."""
        for segment in self.segments:
            self._load_routes(segment)

    def _load_routes(self, path: Any) -> None:
        """Include the routers that serve *path*, at the first request for it."""
        segment = str(path).lstrip("/").partition("/")[0]
        if segment in self._not_loaded:
            for router in load_routers(segment):
                self.include(router)
            self._not_loaded.discard(segment)

    def include(self, router: Routes) -> None:
        """Serve the routes of *router*."""
        if not router.roles.keys() <= self.roles.keys():
            self.resolver.include_router(router)
            self.roles |= router.roles
            self.served |= router.served

    def _authorize(self, event: Mapping[str, Any], engine: Callable[[], Bokit]) -> Call:
        principal = read_principal(event)
        if not self._has_tenant(principal.tenant, engine()):
            raise RequestError("the token's tenant no longer exists", status=403, code="forbidden")
        return Call(open_engine=engine, caller=principal, query=event.get("queryStringParameters") or {})

    def _has_tenant(self, tenant: TenantId, engine: Bokit) -> bool:
        """Return whether the tenant exists; one that does is not looked up again for a minute."""
        now = engine.clock()
        if self._known_by is not engine:
            self._known_tenants, self._known_by = {}, engine
        if tenant == DEFAULT_TENANT or (tenant in self._known_tenants and now < self._known_tenants[tenant]):
            return True
        if not engine.is_known(tenant):
            return False
        self._known_tenants[tenant] = now + TENANT_TTL
        return True

    def _guard(self, app: Any, next_middleware: Callable[[Any], Reply]) -> Reply:
        """Call the route where the caller has its role, and the request no query parameter that would be ignored."""
        self._check_role()
        event = self.resolver.current_event
        check_query(self.served[event.http_method.upper(), self.resolver.request.route], event.query_string_parameters or {})
        return next_middleware(app)

    def _check_role(self) -> None:
        """Raise RequestError where the caller lacks the route's role, NotFoundError where the route names none."""
        route = (self.resolver.request.method.upper(), self.resolver.request.route)
        if route not in self.roles:
            raise NotFoundError
        if needed := self.roles[route]:
            check_role(needed, current_call().principal)

    def _answer_error(self, error: Exception) -> Reply:
        """Answer what a route, the validation or the resolver raised."""
        try:
            if isinstance(error, RequestValidationError):
                self._check_role()
            if isinstance(error, NotFoundError):
                self._check_method()
        except RequestError as refused:
            error = refused
        return reply_problem(read_refusal(error))

    def _check_method(self) -> None:
        """Raise 405 where the path is served, but by other methods."""
        event = self.resolver.current_event
        allowed = self._methods_of(event.path)
        if allowed and event.http_method.upper() not in allowed:
            headers = {"Allow": ", ".join(allowed)}
            raise RequestError("method not allowed, see Allow", status=405, code="method-not-allowed", headers=headers)

    def _methods_of(self, path: str) -> list[str]:
        """Return the methods by which a path is served, in order."""
        rules = ((method, re.sub(r"\{\w+\}", "[^/]+", rule)) for method, rule in self.roles)
        return sorted({method for method, rule in rules if re.fullmatch(rule, path)})


@contextmanager
def watching_traffic(call: Call) -> Iterator[None]:
    """Start the tenant's overdue sync meanwhile."""
    if call.caller:
        call.engine.traffic.begin(call.caller.tenant)
    try:
        yield
    finally:
        for engine in call.used:
            engine.traffic.finish()


def read_refusal(error: Exception) -> HttpProblem:
    """Return *error* as a problem document, also one of the resolver's own."""
    if isinstance(error, RequestValidationError):
        return describe_validation(error.errors())
    return no_such_route() if isinstance(error, NotFoundError) else read_problem(error)
