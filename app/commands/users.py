"""`headrace users list | create | set | login | delete`: people and their roles by project."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.output import console, plain, print_json, table
from app.commands.stack import AsJson

if TYPE_CHECKING:
    from app.commands.client import Client

users = typer.Typer(no_args_is_help=True, help="People, their roles by project, their login links.")
Name = Annotated[str, typer.Argument(metavar="USER")]
Email = Annotated[str | None, typer.Option(help="Where to reach the person.")]
Roles = Annotated[list[str] | None, typer.Option("--role", help="PROJECT=viewer|operator|admin, for each project.")]


@users.command("list")
def show(as_json: AsJson = False) -> None:
    """List all users with their roles."""
    from app.commands.client import connect

    rows = connect().call("GET", "/users")["items"]
    if as_json:
        print_json(rows)
        return
    listing = table("user", "email", "roles", "")
    for row in rows:
        roles = "admin of all" if row["is_admin"] else ", ".join(f"{p} {r}" for p, r in row["roles"].items())
        state = "disabled" if row["disabled"] else ""
        listing.add_row(plain(row["name"]), plain(row["email"] or ""), roles, state)
    if rows:
        console().print(listing)
    else:
        typer.echo("no users yet: headrace users create NAME --role default=operator", err=True)


@users.command("create")
def create(
    name: Name,
    email: Email = None,
    role: Roles = None,
    admin: Annotated[bool, typer.Option(help="Admin of all projects, and of projects and users.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a user. `headrace users login USER` lets the person in."""
    from app.commands.client import connect

    body = {"name": name, "email": email, "is_admin": admin, "roles": read_roles(role or [])}
    made = connect().call("POST", "/users", body)
    print_json(made) if as_json else typer.echo(made["id"])


@users.command("set")
def change(
    name: Name,
    email: Email = None,
    role: Roles = None,
    admin: Annotated[bool | None, typer.Option(help="Admin of all projects, or not.")] = None,
    disabled: Annotated[bool | None, typer.Option("--disabled/--enabled", help="Out at once, or in again.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given of a user; roles replace all that there were."""
    from app.commands.client import connect

    client = connect()
    given = {"email": email, "is_admin": admin, "disabled": disabled, "roles": read_roles(role) if role else None}
    body = {key: value for key, value in given.items() if value is not None}
    path = f"/users/{id_of(client, name)}"
    changed = client.call("PATCH", path, body, etag=client.etag(path))
    print_json(changed) if as_json else typer.echo(changed["name"])


@users.command("login")
def log_in(name: Name, as_json: AsJson = False) -> None:
    """Print a link that logs one browser in as this user, once, within ten minutes."""
    from app.commands.client import connect

    client = connect()
    made = client.call("POST", f"/users/{id_of(client, name)}/login-link")
    print_json(made) if as_json else typer.echo(made["url"])


@users.command("delete")
def delete(name: Name) -> None:
    """Delete a user with its roles, tokens and sessions; what it made stays."""
    from app.commands.client import connect

    client = connect()
    client.call("DELETE", f"/users/{id_of(client, name)}")
    typer.echo("deleted")


def id_of(client: "Client", name: str) -> str:
    """The id of the user with this name. Raises CommandError."""
    from app.commands.client import CommandError

    for row in client.call("GET", "/users")["items"]:
        if row["name"] == name:
            return str(row["id"])
    raise CommandError(f"there is no user {name!r}: `headrace users list` shows them", 2)


def read_roles(texts: list[str]) -> dict[str, Any]:
    """`left=viewer`, ... as roles by project. Raises CommandError for what is no such text."""
    from app.commands.client import CommandError

    roles = {}
    for text in texts:
        project, sign, role = text.partition("=")
        if not (project and sign and role):
            raise CommandError(f"{text!r}: write PROJECT=viewer, PROJECT=operator or PROJECT=admin", 2)
        roles[project] = role
    return roles


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(users, name="users")
