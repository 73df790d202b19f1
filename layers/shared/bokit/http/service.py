"""One function's API: lets callers in, calls the route, and turns every error into a problem document.

    event ─► who asks (401, 403) ─► is it clean JSON (400, 413) ─► validation (422) ─► role (403) ─► route ─► reply

Meanwhile a thread looks whether the tenant's syncs are late (engine/traffic.py).
A caller without the role learns 403 even where the request is not valid, so that validation tells nothing of the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from bokit.core.model.access import Principal, Role
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import TenantId
from bokit.engine.app import Bokit
from bokit.http.problems import RequestError, read_problem
from bokit.http.replies import HEADERS, Reply, reply_problem
from bokit.http.requests import read_event, read_method, read_principal
from bokit.http.routers import load_routers
from bokit.http.routing import Call, Routes, check_role, find_call, in_hand

KNOWN_FOR = timedelta(minutes=1)
"""How long a tenant that was there is taken to be there."""


class Api:
    """Serves the paths that begin with one of *firsts* under one rule: no token, no answer; no role, no route."""

    def __init__(self, *firsts: str, is_public: bool = False) -> None:
        self.is_public = is_public
        self.firsts = firsts
        self._waiting = set(firsts)
        self.roles: dict[tuple[str, str], Role | None] = {}
        self.resolver = APIGatewayHttpResolver(enable_validation=True)
        self.resolver.use(middlewares=[self._guard])
        self.resolver.exception_handler(Exception)(self._answer_error)
        self._known: dict[TenantId, datetime] = {}
        self._known_by: Bokit | None = None

    def answer(self, event: Mapping[str, Any], context: Any, engine: Callable[[], Bokit]) -> dict[str, Any]:
        """Answer one request; whatever happens, with a status and a document."""
        try:
            call = self._let_in(event, engine)
            with in_hand(call), watched(call):
                asked = read_event(event)
                self._include(asked.get("rawPath"))
                # a router that was just taken in brings along the context of the resolver that had it before (the document's),
                # and in it another request's route, by which the role would be judged
                self.resolver.clear_context()  # type: ignore[no-untyped-call]
                answer = self.resolver.resolve(asked, context)
        except Exception as error:
            answer = _build(reply_problem(read_problem(error)))
        answer["headers"] = {**HEADERS, **answer.get("headers", {})}
        if read_method(event) == "HEAD":
            answer["body"] = ""
        return answer

    def _include(self, path: Any) -> None:
        """Take in the router that serves *path*, at the first request for it."""
        first = str(path).lstrip("/").partition("/")[0]
        if first in self._waiting:
            for router in load_routers(first):
                self.include(router)
            self._waiting.discard(first)

    def include(self, router: Routes) -> None:
        """Serve the routes of *router*."""
        if not router.roles.keys() <= self.roles.keys():
            self.resolver.include_router(router)
            self.roles |= router.roles

    def _let_in(self, event: Mapping[str, Any], engine: Callable[[], Bokit]) -> Call:
        if self.is_public:
            return Call(open=engine, speaker=None)
        principal = read_principal(event)
        if not self._is_known(principal, engine()):
            raise RequestError("the token's tenant is not there", status=403, code="forbidden")
        return Call(open=engine, speaker=principal)

    def _is_known(self, principal: Principal, engine: Bokit) -> bool:
        """Return whether the tenant is there; one that was is not asked for again for a minute."""
        tenant, now = principal.tenant, engine.clock()
        if self._known_by is not engine:
            self._known, self._known_by = {}, engine
        if tenant == DEFAULT_TENANT or (tenant in self._known and now < self._known[tenant]):
            return True
        if not engine.is_known(tenant):
            return False
        self._known[tenant] = now + KNOWN_FOR
        return True

    def _guard(self, app: Any, next_middleware: Callable[[Any], Reply]) -> Reply:
        """Let the route be called by whoever has its role."""
        self._check_role()
        return next_middleware(app)

    def _check_role(self) -> None:
        """Raise RequestError where the caller lacks the route's role, NotFoundError where no route said which it needs."""
        asked = (self.resolver.request.method.upper(), self.resolver.request.route)
        if asked not in self.roles:
            raise NotFoundError
        if needed := self.roles[asked]:
            check_role(needed, find_call().principal)

    def _answer_error(self, error: Exception) -> Reply:
        """Answer what a route, the validation or the resolver raised."""
        try:
            if isinstance(error, RequestValidationError):
                self._check_role()
            if isinstance(error, NotFoundError):
                self._check_method()
        except RequestError as refused:
            error = refused
        return reply_problem(read_problem(error))

    def _check_method(self) -> None:
        """Raise 405 where the path is served, by other methods than the one asked for."""
        event = self.resolver.current_event
        rules = ((method, re.sub(r"\{\w+\}", "[^/]+", path)) for method, path in self.roles)
        allowed = sorted({method for method, rule in rules if re.fullmatch(rule, event.path)})
        if allowed and event.http_method.upper() not in allowed:
            raise RequestError(
                "the path is there, the method is not; `Allow` tells which are",
                status=405,
                code="method-not-allowed",
                headers={"Allow": ", ".join(allowed)},
            )


@contextmanager
def watched(call: Call) -> Iterator[None]:
    """Let the request wake its tenant's overdue sync meanwhile; of one without a token, the route tells whose that is."""
    traffic = call.engine.traffic
    if call.speaker:
        traffic.begin(call.speaker.tenant)
    try:
        yield
    finally:
        traffic.finish()


def _build(answer: Response[str]) -> dict[str, Any]:
    headers = {name: str(value) for name, value in answer.headers.items()}
    return {"statusCode": int(HTTPStatus(answer.status_code)), "headers": headers, "body": answer.body, "isBase64Encoded": False}
