"""`headrace delete`: removes a run with all that it left."""

import time
from typing import Annotated, Any

import typer

from app.commands.output import print_json
from app.commands.stack import AsJson

_POLL_SECONDS = 0.5


def delete(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the run.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the run's name.")] = False,
    wait_seconds: Annotated[float, typer.Option(help="How long to wait until all of it is removed.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Delete a run that has ended, with its children: metrics, logs, evaluations, artifacts, MLflow's run.

    It cannot be undone. Files that another run, dataset or release names stay.
    """
    from app.commands.client import connect

    client = connect()
    run = client.call("GET", f"/runs/{run_id}")
    count = len(run["children"])
    what = f"run {run['name']!r}" + (f" and its {count} children" if count else "")
    typed = run["name"] if yes else typer.prompt(f"Type {run['name']} to delete {what}", err=True)
    operation: dict[str, Any] | None = client.call("DELETE", f"/runs/{run_id}", params={"confirm": typed})
    deadline = time.monotonic() + wait_seconds
    while operation and operation["state"] != "done" and _is_moving(operation) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        operation = client.call("GET", f"/operations/{operation['id']}")
    if as_json:
        print_json({"deleted": run_id, "operation": operation})
        return
    typer.echo(f"{what} is deleted" if not count else f"{what} are deleted")
    if operation and operation["state"] != "done":
        typer.echo(f"the service goes on by itself (operation {operation['id']}): {operation['detail']}", err=True)


def _is_moving(operation: dict[str, Any]) -> bool:
    """Rows go within seconds; files may have to wait for other runs."""
    return "files go when" not in operation["detail"]


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(delete)
