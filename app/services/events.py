"""What happened in a run, and what people asked of it."""

import math
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Command, new_id
from app.queries import events, runs
from app.run_schemas import CommandRequest, CommandStatus
from app.schemas import FindingRecord, InterventionRecord, RunEvent
from app.services import audit, lifecycle
from app.services.problems import conflict, invalid, not_found
from workers.specs.events import RunState


async def list_events(session: AsyncSession, run_id: str, **filters: Any) -> list[RunEvent]:
    """Events and log lines in order. Raises a 404 problem."""
    await _exists(session, run_id)
    return [RunEvent.model_validate(row) for row in await events.page(session, run_id, **filters)]


async def list_findings(session: AsyncSession, run_id: str) -> list[FindingRecord]:
    """What detectors saw. Raises a 404 problem."""
    await _exists(session, run_id)
    fields = FindingRecord.model_fields
    rows = await events.findings(session, run_id)
    return [FindingRecord.model_validate({name: getattr(row, name) for name in fields}) for row in rows]


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
    if request.kind in {"approve", "reject"} and not isinstance(request.arguments.get("intervention"), str):
        pointer = {"pointer": "/arguments/intervention", "message": "the id of a proposed intervention"}
        raise invalid(f"{request.kind} needs the argument `intervention`.", [pointer])
    if request.kind not in {"set_lr_scale", "set_clip"}:
        return
    value = request.arguments.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
        pointer = {"pointer": "/arguments/value", "message": "a number above 0"}
        raise invalid(f"{request.kind} needs the argument `value`.", [pointer])


async def _exists(session: AsyncSession, run_id: str) -> None:
    if await runs.get(session, run_id) is None:
        raise not_found("run", run_id)
