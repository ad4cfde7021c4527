"""`headrace replay`: tries an intervention of a run with and without it."""

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.output import print_json
from app.commands.runs import RunId, watch
from app.commands.stack import AsJson

if TYPE_CHECKING:
    from app.commands.client import Client


def replay(
    run_id: RunId,
    intervention: Annotated[str, typer.Option(help="Its number (intervention-N-...), or its whole id.")],
    window: Annotated[int, typer.Option(min=1, help="Steps to train after it.")] = 100,
    policy: Annotated[Path | None, typer.Option(help="Other actions to try as a third curve (YAML).")] = None,
    watch_it: Annotated[bool, typer.Option("--watch", help="Wait for the verdict.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train once more from before an intervention, with it and without it, on the same data.

    The verdict (helped, harmless, harmful) and both curves are kept with the intervention. Example:
    `headrace replay ID --intervention 2 --window 200 --watch`
    """
    from app.commands.client import connect
    from app.commands.launching import read_spec

    client = connect()
    run = client.call("GET", f"/runs/{run_id}")
    record = find(client, run_id, intervention)
    wanted = {
        "run": run_id,
        "intervention": record["id"],
        "step": record["step"],
        "checkpoint": kept_checkpoint(run, record),
        "window_steps": window,
        "policy": read_spec(policy) if policy else None,
    }
    if record["id"].startswith("command-"):
        wanted["command"] = {name: record["evidence"].get(name) for name in ("kind", "arguments")}
    name = f"replay of {record['id']}"
    body = {"spec": run["spec"] | {"replay": wanted, "name": name}, "name": name, "tags": ["replay"]}
    launched = client.call("POST", "/runs", body, key=str(uuid.uuid4()))
    if watch_it:
        typer.echo(f"{launched['id']}  {client.url}/runs/{launched['id']}", err=True)
        try:
            watch(launched["id"], as_json)
        finally:
            done = client.call("GET", f"/runs/{launched['id']}")["summary"].get("replay")
            if done and not as_json:
                typer.echo(f"{record['id']}: {done['verdict']}")
    elif as_json:
        print_json(launched)
    else:
        typer.echo(f"{launched['id']}  {client.url}/runs/{launched['id']}")


def find(client: "Client", run_id: str, wanted: str) -> dict[str, Any]:
    """The intervention of this number or id. Raises CommandError when the run has none."""
    from app.commands.client import CommandError

    found: list[dict[str, Any]] = client.call("GET", f"/runs/{run_id}/interventions")
    for record in found:
        if record["id"] == wanted or record["id"].startswith(f"intervention-{wanted}-"):
            return record
    names = ", ".join(record["id"] for record in found) or "none"
    raise CommandError(f"run {run_id} has no intervention {wanted}; there are: {names}", 2)


def kept_checkpoint(run: dict[str, Any], record: dict[str, Any]) -> str:
    """Digest of the checkpoint from before an intervention. Raises CommandError when none is kept."""
    from app.commands.client import CommandError

    for artifact in run["artifacts"]:
        if artifact["metadata"].get("intervention") == record["id"]:
            return str(artifact["digest"])
    if run["finished_at"] is None:
        raise CommandError("the run still trains: what it keeps for replays is stored when it ends")
    raise CommandError(f"no checkpoint from before {record['id']} is kept; a run keeps those of its newest 8")


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(replay)
