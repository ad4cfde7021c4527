"""`headrace retry | clone`: what has run, once more."""

import uuid
from typing import Annotated, Any

import typer

from app.commands.stack import AsJson

RunId = Annotated[str, typer.Argument(metavar="ID", help="Id of the run.")]
Watch = Annotated[bool, typer.Option("--watch", help="Show progress until it ends.")]


def retry(run_id: RunId, watch_it: Watch = False, as_json: AsJson = False) -> None:
    """Take up a run that failed, crashed or was cancelled, as a new run.

    It goes on from the newest checkpoint; a pipeline takes over the stages that were completed.
    """
    from app.commands.client import connect
    from app.commands.launching import show_launched

    client = connect()
    show_launched(client, client.call("POST", f"/runs/{run_id}/retry", key=str(uuid.uuid4())), watch_it, as_json)


def clone(
    run_id: RunId,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change a field.")] = None,
    name: Annotated[str | None, typer.Option(help="What people call the new run; else as the old one.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    watch_it: Watch = False,
    as_json: AsJson = False,
) -> None:
    """Launch the spec of a run again, with changes: `headrace clone ID --set optimizer.lr=0.001`."""
    from app.commands.client import connect
    from app.commands.launching import apply_settings, parse_settings, show_launched, show_plan

    client = connect()
    old = client.call("GET", f"/runs/{run_id}")
    request: dict[str, Any] = {
        "spec": apply_settings(old["spec"], parse_settings(changes or [])),
        "name": name or old["name"],
        "priority": old["priority"],
        "tags": old["tags"],
        "max_attempts": old["max_attempts"],
    }
    if dry_run:
        show_plan(client.call("POST", "/runs", request, params={"dry_run": True}), as_json)
        return
    show_launched(client, client.call("POST", "/runs", request, key=str(uuid.uuid4())), watch_it, as_json)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(retry)
    app.command()(clone)
