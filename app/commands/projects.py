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

MaxActive = Annotated[
    int | None, typer.Option(min=0, help="Runs that may wait or run before a launch is refused; 0: any number.")
]
PoolLimit = Annotated[
    list[str] | None, typer.Option(help="POOL=NUMBER that may run in a pool at a time; POOL= for none.")
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
        by_pool = [f"{pool} {number}" for pool, number in row["max_running_by_pool"].items()]
        limit = ", ".join([*([str(row["max_running"])] if row["max_running"] else []), *by_pool])
        about = plain(row["description"])
        listing.add_row(row["id"], row["role"], str(row["num_running"]), limit, ago(row["created_at"]), about)
    console().print(listing)


@projects.command("create")
def create(
    name: Name,
    description: Description = None,
    max_running: MaxRunning = None,
    max_active: MaxActive = None,
    pool_limit: PoolLimit = None,
    as_json: AsJson = False,
) -> None:
    """Make a project."""
    from app.commands.client import connect

    fields = _fields(description, max_running, max_active, read_limits(pool_limit or [], {}) if pool_limit else None)
    made = connect().call("POST", "/projects", {"id": name} | fields)
    print_json(made) if as_json else typer.echo(made["id"])


@projects.command("set")
def change(
    name: Name,
    description: Description = None,
    max_running: MaxRunning = None,
    max_active: MaxActive = None,
    pool_limit: PoolLimit = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given of a project."""
    from app.commands.client import connect

    client, path = connect(), f"/projects/{name}"
    etag = client.etag(path)
    limits = read_limits(pool_limit, client.call("GET", path)["max_running_by_pool"]) if pool_limit else None
    changed = client.call("PATCH", path, _fields(description, max_running, max_active, limits), etag=etag)
    print_json(changed) if as_json else typer.echo(changed["id"])


@projects.command("delete")
def delete(name: Name) -> None:
    """Delete a project that nothing belongs to."""
    from app.commands.client import connect

    connect().call("DELETE", f"/projects/{name}")
    typer.echo("deleted")


def read_limits(texts: list[str], known: dict[str, int]) -> dict[str, int]:
    """`gpu=2` laid over what there is; `gpu=` takes a limit away. Raises CommandError for what is no such text."""
    from app.commands.client import CommandError

    limits = dict(known)
    for text in texts:
        pool, sign, number = text.partition("=")
        if not (pool and sign and (not number or (number.isascii() and number.isdigit()))):
            raise CommandError(f"{text!r}: write POOL=NUMBER, as gpu=2, or POOL= for no limit", 2)
        limits.pop(pool, None)
        if number:
            limits[pool] = int(number)
    return limits


def _fields(
    description: str | None, max_running: int | None, max_active: int | None, limits: dict[str, int] | None
) -> dict[str, Any]:
    fields: dict[str, Any] = {} if description is None else {"description": description}
    for key, number in (("max_running", max_running), ("max_active", max_active)):
        if number is not None:
            fields[key] = number or None
    return fields if limits is None else fields | {"max_running_by_pool": limits}


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(projects, name="projects")
