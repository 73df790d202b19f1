"""``bokit undo``: give back what a run, an edit or another undo did."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bokit_cli.completion import complete_run
from bokit_cli.finding import find_booking
from bokit_cli.flags import DEFAULT, AsJson, Tenant
from bokit_cli.session import Session
from bokit_cli.show import nights_words, plural, print_line, short_id, status_words, stay_words, value_words

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.core.model.undo import UndoStepDocument
    from bokit.engine.bookings.undo import UndoDocument, UndoPlan


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("undo")(undo)


def undo(
    ctx: typer.Context,
    change: Annotated[
        str,
        typer.Argument(
            metavar="RUN|CHANGE",
            help="A run's id, or a change's, as `bokit booking changes` shows it.",
            autocompletion=complete_run,
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan; change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Apply it although it frees nights.")] = False,
    release: Annotated[bool, typer.Option("--release", help="Release nights that only the source still holds, too.")] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Give back what a run or an edit did, where nothing changed it since."""
    session = Session(ctx, tenant, as_json)
    service = session.bokit.bookings.undo
    plan = service.plan(session.tenant, _full_id(session, change), by=session.user, releases=release)
    if dry_run:
        doc = plan.as_dict()
        session.answer(doc, lambda c: _show(c, doc))
        return
    confirmed = yes or _confirm(session, plan)
    run_id = service.apply(plan, by=session.user, confirmed=confirmed)
    doc = plan.as_dict(applied=bool(plan.active), run_id=run_id)
    session.answer(doc, lambda c: _show(c, doc))


def _full_id(session: Session, text: str) -> str:
    """Return a whole id as it is, and a change's that begins with a booking's short id with the whole one."""
    record, at, version = text.rpartition("@")
    return f"{find_booking(session, record).id}@{version}" if at and "." not in record else text


def _confirm(session: Session, plan: UndoPlan) -> bool:
    """Show a plan that frees nights, and ask; where nobody can answer, the error says how to go on."""
    from bokit.errors import StateError

    if not plan.frees:
        return True
    if session.as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        message = f"this would free {plural(plan.frees, 'night')}; --dry-run shows which, --yes applies it"
        raise StateError(message, code="frees-nights", nights=plan.frees)
    _show(session.console, plan.as_dict())
    return typer.confirm("apply it?", abort=True)


def _show(console: Console, doc: UndoDocument) -> None:
    for step in doc["items"]:
        _show_step(console, step)
    changed = sum(1 for step in doc["items"] if step["fields"])
    left = sum(1 for step in doc["items"] if step["left"])
    done = "undone" if doc["applied"] else "would be undone"
    noun = "booking" if all(step["unit_id"] for step in doc["items"]) else "record"
    words = f"{plural(changed, noun)} {done}" if changed else "nothing to undo"
    print_line(console, f"{words}{f', {left} left alone in part or whole' if left else ''}")
    if doc["applied"] and doc["run_id"]:
        print_line(console, f"`bokit undo {doc['run_id']}` takes this back")


def _show_step(console: Console, step: UndoStepDocument) -> None:
    stay = stay_words(step["check_in"], step["check_out"]) if step["check_in"] and step["check_out"] else ""
    named = short_id(step["record_id"]) if step["unit_id"] else step["record_id"]
    print_line(console, "  ".join(filter(None, (stay, step["guest_name"], named))))
    for name, change in step["fields"].items():
        words = status_words if name == "status" else value_words
        print_line(console, f"  {name}: {words(change['from'])} → {words(change['to'])}")
    for name, why in step["left"].items():
        print_line(console, f"  {name.replace('unit_id', 'unit')}: left alone; {why}")
    for text, nights in (("frees", step["frees"]), ("holds again", step["holds"])):
        if nights:
            print_line(console, f"  {text} {nights_words(nights)}")
    if step["kept"]:
        print_line(console, f"  its source still holds {nights_words(step['kept'])}; --release releases them")
