"""What happened in a run, and what people asked of it."""

import math
from collections.abc import Callable
from typing import Any, get_args

from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Command, new_id
from app.queries import events, runs
from app.run_schemas import CommandRequest, CommandStatus
from app.schemas import FindingRecord, InterventionRecord, RunEvent
from app.services import attention, audit, lifecycle
from app.services.problems import conflict, invalid, not_found
from workers.specs.events import RunState
from workers.specs.monitoring import Mode


async def list_events(session: AsyncSession, run_id: str, **filters: Any) -> list[RunEvent]:
    """Events and log lines in order. Raises a 404 problem."""
    await _exists(session, run_id)
    return [RunEvent.model_validate(row) for row in await events.page(session, run_id, **filters)]


async def list_findings(session: AsyncSession, run_id: str) -> list[FindingRecord]:
    """What detectors saw. Raises a 404 problem."""
    await _exists(session, run_id)
    return [attention.record(row) for row in await events.findings(session, run_id)]


async def list_interventions(session: AsyncSession, run_id: str) -> list[InterventionRecord]:
    """What was done, with outcomes. Raises a 404 problem."""
    await _exists(session, run_id)
    fields = InterventionRecord.model_fields
    rows = await events.interventions(session, run_id)
    return [InterventionRecord.model_validate({name: getattr(row, name) for name in fields}) for row in rows]


async def list_commands(session: AsyncSession, run_id: str) -> list[CommandStatus]:
    """Commands and how far they are. Raises a 404 problem."""
    await _exists(session, run_id)
    return [CommandStatus.model_validate(row) for row in await events.commands(session, run_id)]


async def send_command(session: AsyncSession, run_id: str, request: CommandRequest, author: str) -> CommandStatus:
    """Put a command where the worker's next call finds it. Raises problems: 404, 409 on a run that is not running."""
    _check_arguments(request)
    run = await lifecycle.locked(session, run_id)
    if run.state not in {RunState.RUNNING, RunState.PAUSED}:
        raise conflict("not-running", f"Run {run_id} is {run.state}; commands go to running or paused runs.")
    if run.kind != "training" and request.kind != "stop":
        raise conflict("not-training", f"A {run.kind} run takes `stop` only.")
    command = Command(id=new_id(), run_id=run_id, kind=request.kind, arguments=request.arguments, author=author)
    await events.add_command(session, command)
    words = " ".join(f"{key}={value}" for key, value in request.arguments.items())
    message = f"{author} asked for {request.kind} {words}".rstrip()
    await events.add(session, run, "command", message, command_id=command.id, arguments=request.arguments)
    asked = {"kind": request.kind, "arguments": request.arguments}
    await audit.record(session, "run.command", run_id, after=asked, project=run.project)
    await lifecycle.announce(session, run, "event")
    return CommandStatus.model_validate(command)


def _check_arguments(request: CommandRequest) -> None:
    """Raises a 422 problem that names the argument. What only the worker knows, it refuses itself."""
    if request.kind not in _ARGUMENTS:
        return
    name, is_good, meaning = _ARGUMENTS[request.kind]
    given = request.arguments.get(name)
    if not is_good(given) and not (request.kind == "rollback" and given is None):
        raise invalid(
            f"{request.kind} needs the argument `{name}`.", [{"pointer": f"/arguments/{name}", "message": meaning}]
        )


def _is_positive(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value > 0


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 1 << 53


_NUMBER = ("value", _is_positive, "a number above 0")
_ANSWERED = ("intervention", lambda value: isinstance(value, str), "the id of a proposed intervention")
_ARGUMENTS: dict[str, tuple[str, Callable[[Any], bool], str]] = {
    "set_lr": _NUMBER,
    "set_lr_scale": _NUMBER,
    "set_clip": _NUMBER,
    "rollback": ("step", lambda value: _is_count(value, 0), "the step to go back to, a whole number"),
    "skip": ("batches", lambda value: _is_count(value, 1), "how many batches to leave out, from 1 on"),
    "set_mode": ("mode", lambda value: value in get_args(Mode), f"one of {', '.join(get_args(Mode))}"),
    "approve": _ANSWERED,
    "reject": _ANSWERED,
}
"""The argument that each command needs."""


async def _exists(session: AsyncSession, run_id: str) -> None:
    if await runs.get(session, run_id) is None:
        raise not_found("run", run_id)
