"""`headrace pause | resume | stop | checkpoint | rollback | set-lr | set-clip | skip | set-mode | approve | reject`.

Each asks something of a running training and waits until its worker has answered.
"""

import time
import uuid
from typing import Annotated, Any

import typer

from app.commands.output import print_json
from app.commands.runs import RunId
from app.commands.stack import AsJson

_POLL_SECONDS = 0.5
Wait = Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for the worker's answer; 0: do not wait.")]
InterventionId = Annotated[str, typer.Argument(metavar="INTERVENTION", help="Id of the proposed intervention.")]


def ask(run_id: str, kind: str, arguments: dict[str, Any], wait_seconds: float, as_json: bool) -> None:
    """Send a command, wait for what came of it, and print that. Exit code 1 when the worker refused it."""
    from app.commands.client import CommandError, connect

    client = connect()
    body = {"kind": kind, "arguments": arguments}
    sent = client.call("POST", f"/runs/{run_id}/commands", body, key=str(uuid.uuid4()))
    wanted = arguments.get("intervention", f"command-{sent['id']}")
    deadline, answer = time.monotonic() + wait_seconds, None
    while answer is None and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        answer = _answer(client, run_id, sent["id"], wanted)
    if as_json:
        print_json({"command": sent, "intervention": answer})
    elif answer is None:
        typer.echo(f"{sent['id']} {sent['state']}: the worker has not answered yet")
    else:
        typer.echo(_words(answer))
    if answer and answer["outcome"] in {"refused", "no_checkpoint"}:
        reason = answer["evidence"].get("error") or "there is no sound checkpoint from before that step"
        raise CommandError(f"{kind} was not carried out: {reason}")


def _answer(client: Any, run_id: str, command_id: str, wanted: str) -> dict[str, Any] | None:
    """The intervention that a command has become, once it was carried out."""
    commands = client.call("GET", f"/runs/{run_id}/commands")
    if not any(c["id"] == command_id and c["state"] == "applied" for c in commands):
        return None
    found = {i["id"]: i for i in client.call("GET", f"/runs/{run_id}/interventions")}
    refused: dict[str, Any] | None = found.get(f"command-{command_id}")
    return refused or found.get(wanted)


def _words(intervention: dict[str, Any]) -> str:
    changes = ", ".join(f"{name} {value}" for name, value in intervention["after"].items())
    return f"{intervention['action']} at step {intervention['step']}: {intervention['outcome']} {changes}".rstrip()


def pause(run_id: RunId, wait_seconds: Wait = 30.0, as_json: AsJson = False) -> None:
    """Pause a training run, with a checkpoint. Example: `headrace pause ID`"""
    ask(run_id, "pause", {}, wait_seconds, as_json)


def resume(run_id: RunId, wait_seconds: Wait = 30.0, as_json: AsJson = False) -> None:
    """Let a paused run go on, with a new budget of interventions. Example: `headrace resume ID`"""
    ask(run_id, "resume", {}, wait_seconds, as_json)


def stop(run_id: RunId, wait_seconds: Wait = 60.0, as_json: AsJson = False) -> None:
    """Write a checkpoint and end a training run. Example: `headrace stop ID`"""
    ask(run_id, "stop", {}, wait_seconds, as_json)


def checkpoint(run_id: RunId, wait_seconds: Wait = 30.0, as_json: AsJson = False) -> None:
    """Write a checkpoint now. Example: `headrace checkpoint ID`"""
    ask(run_id, "checkpoint", {}, wait_seconds, as_json)


def rollback(
    run_id: RunId,
    step: Annotated[int, typer.Argument(min=0, help="To the newest sound checkpoint of at most so many steps.")],
    wait_seconds: Wait = 60.0,
    as_json: AsJson = False,
) -> None:
    """Go back to an earlier checkpoint and train on from there. Example: `headrace rollback ID 1200`"""
    ask(run_id, "rollback", {"step": step}, wait_seconds, as_json)


def set_lr(
    run_id: RunId,
    lr: Annotated[float | None, typer.Argument(help="Learning rate of now; the schedule goes on from it.")] = None,
    scale: Annotated[float | None, typer.Option(help="Instead: factor of the scheduled rate.")] = None,
    wait_seconds: Wait = 30.0,
    as_json: AsJson = False,
) -> None:
    """Set the learning rate. Examples: `headrace set-lr ID 1e-4`, `headrace set-lr ID --scale 0.5`"""
    from app.commands.client import CommandError

    if (lr is None) == (scale is None):
        raise CommandError("give a learning rate, or --scale", 2)
    kind, value = ("set_lr", lr) if scale is None else ("set_lr_scale", scale)
    ask(run_id, kind, {"value": value}, wait_seconds, as_json)


def set_clip(
    run_id: RunId,
    limit: Annotated[float, typer.Argument(help="Limit of the clipping, in its own unit.")],
    wait_seconds: Wait = 30.0,
    as_json: AsJson = False,
) -> None:
    """Set the limit of gradient clipping. Example: `headrace set-clip ID 0.5`"""
    ask(run_id, "set_clip", {"value": limit}, wait_seconds, as_json)


def skip(
    run_id: RunId,
    num_batches: Annotated[int, typer.Argument(min=1, help="Batches to leave out from the next one on.")],
    wait_seconds: Wait = 30.0,
    as_json: AsJson = False,
) -> None:
    """Leave out batches. Example: `headrace skip ID 16`"""
    ask(run_id, "skip", {"batches": num_batches}, wait_seconds, as_json)


def set_mode(
    run_id: RunId,
    mode: Annotated[str, typer.Argument(help="off, shadow, approve or auto.")],
    wait_seconds: Wait = 30.0,
    as_json: AsJson = False,
) -> None:
    """Change what the controller may do by itself. Example: `headrace set-mode ID approve`"""
    ask(run_id, "set_mode", {"mode": mode}, wait_seconds, as_json)


def approve(run_id: RunId, intervention: InterventionId, wait_seconds: Wait = 30.0, as_json: AsJson = False) -> None:
    """Say yes to a proposed intervention. Example: `headrace approve ID intervention-3-410`"""
    ask(run_id, "approve", {"intervention": intervention}, wait_seconds, as_json)


def reject(run_id: RunId, intervention: InterventionId, wait_seconds: Wait = 30.0, as_json: AsJson = False) -> None:
    """Say no to a proposed intervention. Example: `headrace reject ID intervention-3-410`"""
    ask(run_id, "reject", {"intervention": intervention}, wait_seconds, as_json)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for function in (pause, resume, stop, checkpoint, rollback, set_lr, set_clip, skip, set_mode, approve, reject):
        app.command()(function)
