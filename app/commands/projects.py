"""`headrace projects list | create | set | delete`: what runs, datasets and labels belong to."""

from typing import Annotated, Any

import typer

from app.commands.output import ago, console, plain, print_json, table
from app.commands.stack import AsJson

projects = typer.Typer(no_args_is_help=True, help="Projects: what runs, datasets and labels belong to.")
Name = Annotated[str, typer.Argument(metavar="PROJECT", help="Lower case letters, digits and hyphens.")]
Description = Annotated[str | None, typer.Option(help="What it is about.")]
MaxRunning = Annotated[
    int | None, typer.Option(min=0, help="Runs that workers may have at a time; 0: as many as there is room for.")
]


@projects.command("list")
def show(as_json: AsJson = False) -> None:
    """List the projects that the token sees."""
    from app.commands.client import connect

    rows = connect().call("GET", "/projects")["items"]
    if as_json:
        print_json(rows)
        return
    listing = table("project", "role", "#running", "#at most", "made", "about")
    for row in rows:
        limit = "" if row["max_running"] is None else str(row["max_running"])
        about = plain(row["description"])
        listing.add_row(row["id"], row["role"], str(row["num_running"]), limit, ago(row["created_at"]), about)
    console().print(listing)


@projects.command("create")
def create(
    name: Name, description: Description = None, max_running: MaxRunning = None, as_json: AsJson = False
) -> None:
    """Make a project."""
    from app.commands.client import connect

    made = connect().call("POST", "/projects", {"id": name} | _fields(description, max_running))
    print_json(made) if as_json else typer.echo(made["id"])


@projects.command("set")
def change(
    name: Name, description: Description = None, max_running: MaxRunning = None, as_json: AsJson = False
) -> None:
    """Change what is given of a project."""
    from app.commands.client import connect

    client, path = connect(), f"/projects/{name}"
    changed = client.call("PATCH", path, _fields(description, max_running), etag=client.etag(path))
    print_json(changed) if as_json else typer.echo(changed["id"])


@projects.command("delete")
def delete(name: Name) -> None:
    """Delete a project that nothing belongs to."""
    from app.commands.client import connect

    connect().call("DELETE", f"/projects/{name}")
    typer.echo("deleted")


def _fields(description: str | None, max_running: int | None) -> dict[str, Any]:
    fields: dict[str, Any] = {} if description is None else {"description": description}
    return fields if max_running is None else fields | {"max_running": max_running or None}


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(projects, name="projects")
