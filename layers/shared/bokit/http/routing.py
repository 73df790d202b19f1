"""Routes that say who may call them and what they answer, and the call that they serve."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from aws_lambda_powertools.event_handler.api_gateway import Router

from bokit.core.model.access import Principal, Role
from bokit.core.model.catalog import Unit, UnitId
from bokit.core.model.records import TenantId
from bokit.engine.app import Bokit
from bokit.http.paging import Key, page_of
from bokit.http.problems import RequestError
from bokit.http.replies import Reply, reply

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
VIEWER, OPERATOR, ADMIN = Role
SCHEMAS = "#/components/schemas/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that was let in: the engine, and who asks (None: anybody, on a public route)."""

    open: Callable[[], Bokit]
    speaker: Principal | None

    @property
    def engine(self) -> Bokit:
        """The engine and its desks, built at first use."""
        return self.open()

    @property
    def principal(self) -> Principal:
        """Who asks; raises RequestError where nobody said so."""
        if self.speaker is None:
            raise RequestError("a token is needed", status=401, code="unauthenticated")
        return self.speaker

    @property
    def tenant(self) -> TenantId:
        """Whose data it is about."""
        return self.principal.tenant

    @property
    def by(self) -> str:
        """As change logs name who did it."""
        return self.principal.by

    def find_units(self, id: str | None) -> Sequence[Unit]:
        """Return the tenant's unit of this id, or all of them."""
        catalog = self.engine.catalog
        return catalog.list_units(self.tenant) if id is None else [catalog.load_unit(self.tenant, UnitId(id))]

    def reply_page(
        self,
        items: Iterable[T],
        describe: Callable[[T], Mapping[str, Any]],
        key: Callable[[T], Key],
        *,
        of: tuple[object, ...],
        limit: int,
        cursor: str | None,
    ) -> Reply:
        """Answer a page of *items* that the engine gave whole; *of* tells which list it is."""
        page, following = page_of(items, key, of=(self.tenant, *of), limit=limit, cursor=cursor)
        return reply({"items": [describe(item) for item in page], "cursor": following})


_in_hand: ContextVar[Call] = ContextVar("call")


@contextmanager
def in_hand(call: Call) -> Iterator[None]:
    """Serve *call*: routes find it as their ``call`` meanwhile; a router's own context is that of its last resolver."""
    token = _in_hand.set(call)
    try:
        yield
    finally:
        _in_hand.reset(token)


def find_call() -> Call:
    """Return the request in hand."""
    return _in_hand.get()


class Routes(Router):
    """A router each of whose routes says which role it needs; one that does not is served to nobody."""

    def __init__(self, tag: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tag = tag
        self.roles: dict[tuple[str, str], Role | None] = {}
        """The role that each method and path needs; None: anybody, without a token."""

    @property
    def call(self) -> Call:
        """The request in hand."""
        return find_call()

    def serve(self, method: str, path: str, needs: Role | None, answers: Mapping[int, Mapping[str, Any]]) -> Callable[[F], F]:
        """Serve *path* (``/units/{id}``) to whoever has the role *needs*; *answers* are its successes by status.

        The summary is the first line of the function's docstring, the description what follows.
        """

        def register(func: F) -> F:
            summary, _, description = (func.__doc__ or "").partition("\n")
            self.roles[method, path] = needs
            register_route = self.route(
                path.replace("{", "<").replace("}", ">"),
                method,
                summary=summary.strip().rstrip("."),
                description=" ".join(description.split()) or None,
                tags=[self.tag],
                operation_id=func.__name__,
                responses={status: dict(told) for status, told in answers.items()},  # type: ignore[misc]
                openapi_extensions={"x-bokit-role": str(needs)} if needs else {"security": []},
            )
            register_route(func)
            return func

        return register


def check_role(needed: Role, principal: Principal) -> None:
    """Raise RequestError where *principal* may not do what needs the role *needed*."""
    if not principal.role.may(needed):
        raise RequestError(f"this needs the role {needed}; the token has {principal.role}", status=403, code="forbidden")


def shows(name: str, description: str = "The document.", status: int = 200) -> dict[int, dict[str, Any]]:
    """Return the answers of a route that shows one document of the schema *name*."""
    return {status: {"description": description, "content": {"application/json": {"schema": {"$ref": SCHEMAS + name}}}}}


def lists(name: str, description: str = "A page of the list.") -> dict[int, dict[str, Any]]:
    """Return the answers of a route that lists documents of the schema *name*."""
    schema = {
        "type": "object",
        "required": ["items", "cursor"],
        "properties": {
            "items": {"type": "array", "items": {"$ref": SCHEMAS + name}},
            "cursor": {"type": ["string", "null"], "description": "Where the next page begins; null: this was the last."},
        },
    }
    return {200: {"description": description, "content": {"application/json": {"schema": schema}}}}


def makes(name: str, description: str = "It was made.") -> dict[int, dict[str, Any]]:
    """Return the answers of a route that makes something of the schema *name*."""
    return shows(name, description, 201)


NOTHING: dict[int, dict[str, Any]] = {204: {"description": "It is done."}}
"""The answers of a route that has nothing to tell."""
