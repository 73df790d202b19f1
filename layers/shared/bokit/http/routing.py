"""Routes with the role they need and the answers they give, and the call that they serve."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar, get_type_hints

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

from bokit.core.model.access import Principal, Role
from bokit.core.model.catalog import Unit, UnitId
from bokit.core.model.full_names import FullNames
from bokit.core.model.records import SourceId, TenantId
from bokit.engine.app import Bokit
from bokit.http.limits import MAX_SHOWN_NAME
from bokit.http.paging import Key, count_fitting, cut_page
from bokit.http.params import read_deep_name
from bokit.http.problems import RequestError
from bokit.http.public import Visit
from bokit.http.replies import Reply, reply_list
from bokit.values import Value, field

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
Answers = dict[int, dict[str, Any]]
"""A route's successful answers by status, as OpenAPI describes them."""
VIEWER, OPERATOR, ADMIN = Role
SCHEMAS = "#/components/schemas/"


class Call(Value):
    """One authorized request: the engine, and the caller (None: anybody, on a public route)."""

    open_engine: Callable[[], Bokit]
    caller: Principal | None
    query: Mapping[str, str] = field(default_factory=dict)
    """The query parameters as they came, for those whose names are the caller's own."""
    used: list[Bokit] = field(default_factory=list)
    """The engine, once this request has used it."""

    @property
    def engine(self) -> Bokit:
        """The engine, built at first use."""
        if not self.used:
            self.used.append(self.open_engine())
        return self.used[0]

    def visit(self, none_match: str | None = None, modified_since: str | None = None, accepted: str | None = None) -> Visit:
        """Return this request as one of a public path, with the headers that such a path reads."""
        return Visit(open_engine=lambda: self.engine, none_match=none_match, modified_since=modified_since, accepted=accepted)

    @property
    def principal(self) -> Principal:
        """The caller; raises RequestError on a public route."""
        if self.caller is None:
            raise RequestError("a token is needed", status=401, code="unauthenticated")
        return self.caller

    @property
    def tenant(self) -> TenantId:
        """The caller's tenant."""
        return self.principal.tenant

    @property
    def by(self) -> str:
        """The caller's name in change logs."""
        return self.principal.by

    @property
    def names(self) -> FullNames:
        """The full names of the tenant's units and sources, as they are called now."""
        return self.engine.catalog.load_names(self.tenant)

    def name_sources(self) -> Mapping[SourceId, str]:
        """Return the full name of each source, removed ones too."""
        return self.engine.catalog.name_sources(self.tenant)

    def find_units(self, unit_id: str | None) -> Sequence[Unit]:
        """Return the tenant's unit of this id, or all of them."""
        catalog = self.engine.catalog
        return catalog.list_units(self.tenant) if unit_id is None else [catalog.load_unit(self.tenant, UnitId(unit_id))]

    def cut_documents(
        self,
        items: Iterable[T],
        describe: Callable[[T], Mapping[str, Any]],
        key: Callable[[T], Key],
        list_id: tuple[object, ...],
        limit: int,
        cursor: str | None,
    ) -> tuple[list[Mapping[str, Any]], str | None]:
        """Return a page's documents, as many as fit into a page's bytes, and the cursor of the next one."""
        scope, every = (self.tenant, *list_id), list(items)
        page, following = cut_page(every, key, list_id=scope, limit=limit, cursor=cursor)
        docs = [describe(item) for item in page]
        if (count := count_fitting(docs)) < len(docs):
            _, following = cut_page(every, key, list_id=scope, limit=count, cursor=cursor)
        return docs[:count], following

    def reply_page(
        self,
        items: Iterable[T],
        describe: Callable[[T], Mapping[str, Any]],
        key: Callable[[T], Key],
        list_id: tuple[object, ...],
        limit: int,
        cursor: str | None,
    ) -> Reply:
        """Answer a page of *items* that the engine returned whole; *list_id* is the route's name and its filters."""
        return reply_list(*self.cut_documents(items, describe, key, list_id, limit, cursor))


_current_call: ContextVar[Call] = ContextVar("call")


@contextmanager
def serving(call: Call) -> Iterator[None]:
    """Make *call* the current one. A router's own context would be that of the last resolver that included it."""
    token = _current_call.set(call)
    try:
        yield
    finally:
        _current_call.reset(token)


def current_call() -> Call:
    """Return the call that is being served."""
    return _current_call.get()


class Routes(Router):
    """A router whose routes name the role they need. A route without one is served to nobody."""

    def __init__(self, tag: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tag = tag
        self.roles: dict[tuple[str, str], Role | None] = {}
        """The role that each method and path needs; None: anybody, without a token."""
        self.served: dict[tuple[str, str], Callable[..., Any]] = {}
        """The function that serves each method and path."""

    @property
    def call(self) -> Call:
        """The call that is being served."""
        return current_call()

    def serve(self, method: str, path: str, needs: Role | None, answers: Answers) -> Callable[[F], F]:
        """Serve *path* (``/units/{id}``) to callers with the role *needs*.

        The summary is the first line of the function's docstring, the description what follows.
        """

        def register(func: F) -> F:
            summary, _, description = (func.__doc__ or "").partition("\n")
            self.roles[method, path] = needs
            self.served[method, path] = func
            register_route = self.route(
                path.replace("{", "<").replace("}", ">"),
                method,
                summary=summary.strip().rstrip("."),
                description=" ".join(description.split()) or None,
                tags=[self.tag],
                operation_id=func.__name__,
                responses={status: dict(answer) for status, answer in answers.items()},  # type: ignore[misc]
                openapi_extensions={"x-bokit-role": str(needs)} if needs else {"security": []},
            )
            register_route(func)
            return func

        return register


@cache
def query_names(func: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the query parameters that a route's function takes."""
    hints = get_type_hints(func, include_extras=True)
    found = [(name, m) for name, hint in hints.items() for m in getattr(hint, "__metadata__", ()) if isinstance(m, Query)]
    return tuple(query.alias or name for name, query in found)


def check_query(func: Callable[..., Any], sent: Iterable[str]) -> None:
    """Raise RequestError where the request has a query parameter that the route does not know: it would be ignored."""
    known = query_names(func)
    if unknown := sorted(name for name in set(sent) if name not in known and read_deep_name(name)[0] not in known):
        name = unknown[0][:MAX_SHOWN_NAME]
        choice = f"known: {', '.join(known)}" if known else "this route takes none"
        message = f"no such query parameter: {name}; {choice}"
        raise RequestError(message, status=400, code="unknown-parameter", field=name, known=", ".join(known))


def check_role(needed: Role, principal: Principal) -> None:
    """Raise RequestError where *principal* lacks the role *needed*."""
    if not principal.role.may(needed):
        raise RequestError(f"this needs the role {needed}; the token has {principal.role}", status=403, code="forbidden")


def shows(name: str, description: str = "The document.", status: int = 200) -> Answers:
    """Return the answers of a route that shows one document of the schema *name*."""
    return {status: {"description": description, "content": {"application/json": {"schema": {"$ref": SCHEMAS + name}}}}}


def updates(name: str) -> Answers:
    """Return the answers of a route that changes something of the schema *name*."""
    return shows(name, "Updated.")


def lists(name: str, description: str = "A page of the list.", **members: Mapping[str, Any]) -> Answers:
    """Return the answers of a route that lists documents of the schema *name*; *members*: the schemas of further members."""
    items = {"type": "array", "items": {"$ref": SCHEMAS + name}}
    cursor = {"type": ["string", "null"], "description": "Send it to get the next page; null: this was the last."}
    properties = {"items": items, "cursor": cursor, **members}
    schema = {"type": "object", "required": list(properties), "properties": properties}
    return {200: {"description": description, "content": {"application/json": {"schema": schema}}}}


def makes(name: str, description: str = "Created.") -> Answers:
    """Return the answers of a route that creates something of the schema *name*."""
    return shows(name, description, 201)


NOTHING: Answers = {204: {"description": "Done."}}
"""The answers of a route without a document."""
