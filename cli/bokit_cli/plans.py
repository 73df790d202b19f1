"""``bokit plan`` and ``bokit apply-plan``: writes that one asks for and a person makes, as an assistant may ask for them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.bookings import read_pairs
from bokit_cli.conflicts import find_conflict
from bokit_cli.finding import find_booking
from bokit_cli.flags import DEFAULT, AsJson, BookingId, SetFields, Tenant
from bokit_cli.session import Session
from bokit_cli.show import dates_words, print_line, short_id, stay_words, value_words

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.core.model.records import Record
    from bokit_cli.documents import PlanMadeDocument
    from bokit_cli.plan_files import WaitingPlan

plan = typer.Typer(no_args_is_help=True, help="Plan a change that a person applies: what an assistant may ask for.")
NEEDS_PERSON = "a plan is applied by a person: run this in a terminal"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(plan, name="plan")
    app.command("apply-plan")(apply_plan)


@plan.command("edit")
def plan_edit(
    ctx: typer.Context,
    booking_id: BookingId,
    values: Annotated[list[str], SetFields],
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Plan an edit of a booking; nothing is written."""
    from bokit.engine.bookings.terms import read_edit
    from bokit_cli.plan_files import PlanKind

    session = Session(ctx, tenant, as_json)
    record, changes = find_booking(session, booking_id), read_pairs(values)
    read_edit(record, changes)  # what is wrong with a value is said now
    _keep(session, PlanKind.EDIT, record, _describe_edit(session, record, changes), changes)


@plan.command("acknowledge")
def plan_acknowledge(
    ctx: typer.Context,
    conflict_id: Annotated[str, typer.Argument(metavar="ID", help="Conflict id, as `bokit conflicts` shows it.")],
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Plan to mute a conflict until a booking or a night is added; nothing is written."""
    from bokit.core.model.records import RecordId
    from bokit.engine.bookings.terms import CONFLICTS
    from bokit_cli.plan_files import PlanKind

    session = Session(ctx, tenant, as_json)
    record = session.bokit.records.find_record(session.tenant, CONFLICTS, RecordId(find_conflict(session, conflict_id)))
    where = session.names.of_unit(str(record.scope))
    about = f"acknowledge the conflict {short_id(record.id)} in {where}: {dates_words(record.remote['nights'])}"
    _keep(session, PlanKind.ACKNOWLEDGE, record, about, {})


def apply_plan(
    ctx: typer.Context,
    plan_hash: Annotated[str, typer.Argument(metavar="HASH", help="The plan, as it was shown.")],
    tenant: Tenant = DEFAULT,
) -> None:
    """Show a plan and apply it, once you have confirmed it in a terminal."""
    from bokit.errors import InputError, StateError
    from bokit_cli.plan_files import load_plan

    session = Session(ctx, tenant)
    waiting = load_plan(session.locator.plans, plan_hash, session.bokit.clock())
    if (waiting.stack, waiting.tenant) != (_stack_of(session), session.tenant):
        raise InputError("the plan was made for another stack or tenant; choose it with --stack or --tenant", id=plan_hash)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise StateError(NEEDS_PERSON, code="needs-person", id=plan_hash)
    print_line(session.console, waiting.about)
    typer.confirm("apply it?", abort=True)
    _apply(session, waiting)
    waiting.file_in(session.locator.plans).unlink(missing_ok=True)
    print_line(session.console, f"applied; the change log names {session.user.partition(':')[2]}")


def _apply(session: Session, waiting: WaitingPlan) -> None:
    """Write what the plan says, into the version of the record that it was made for."""
    from bokit.core.model.catalog import BOOKINGS
    from bokit.core.model.records import RecordId
    from bokit.engine.records.writes import Preconditions
    from bokit.errors import StateError
    from bokit_cli.plan_files import PlanKind

    record_id, terms = RecordId(waiting.record_id), Preconditions(versions=frozenset({waiting.version}))
    try:
        if waiting.kind is PlanKind.EDIT:
            session.bokit.records.edit(session.tenant, BOOKINGS, record_id, waiting.values, by=session.user, terms=terms)
        else:
            session.bokit.bookings.acknowledge(session.tenant, record_id, by=session.user, terms=terms)
    except StateError as error:
        if error.stable_code != "precondition-failed":
            raise
        message = "what the plan is about has changed since it was made; have it made again"
        raise StateError(message, code="plan-changed", id=waiting.record_id) from error


def _describe_edit(session: Session, record: Record, changes: Mapping[str, Any]) -> str:
    """Return what an edit does, in plain words; what is known of the guest is not among them."""
    from bokit.engine.bookings.terms import GUEST_FIELDS

    fields = record.fields
    stay = stay_words(str(fields.get("check_in") or ""), str(fields.get("check_out") or ""))
    where = session.names.of_unit(str(record.scope))
    shown = [
        f"{name}: {value_words(value)}"
        if name in GUEST_FIELDS
        else f"{name}: {value_words(fields.get(name))} → {value_words(value)}"
        for name, value in changes.items()
    ]
    return f"edit the booking {short_id(record.id)} in {where}, {stay}; {'; '.join(shown)}"


def _keep(session: Session, kind: Any, record: Record, about: str, values: Mapping[str, Any]) -> None:
    """Write the plan down, and answer with its hash."""
    from bokit.core.model.documents import write_time
    from bokit_cli.plan_files import WaitingPlan, forget_old

    now = session.bokit.clock()
    waiting = WaitingPlan(
        kind=kind,
        stack=_stack_of(session),
        tenant=session.tenant,
        record_id=record.id,
        version=record.version,
        about=about,
        values=dict(values),
        made_at=now.isoformat(),
    )
    forget_old(session.locator.plans, now)
    waiting.save(session.locator.plans)
    command = f"bokit apply-plan {waiting.hash}" + (f" --tenant {session.tenant_name}" if session.tenant_name != DEFAULT else "")
    doc: PlanMadeDocument = {
        "plan": waiting.hash,
        "about": about,
        "record_id": record.id,
        "expires_at": write_time(waiting.expires_at),
        "apply": command,
    }

    def show(console: Console) -> None:
        print_line(console, about)
        print_line(console, f"nothing is written yet; `{command}` applies it")

    session.answer(doc, show)


def _stack_of(session: Session) -> str:
    """Return what identifies the table."""
    settings = session.locator.load_settings()
    return " ".join(filter(None, (settings.endpoint_url, settings.region, settings.table_name)))
