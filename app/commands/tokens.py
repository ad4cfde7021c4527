"""`headrace tokens create | list | revoke`: who may do what."""

import uuid
from enum import StrEnum
from typing import Annotated

import typer

from app.commands.output import ago, console, plain, print_json, table
from app.commands.stack import AsJson

tokens = typer.Typer(no_args_is_help=True, help="Tokens of people and workers.")


class Role(StrEnum):
    """What a token may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    WORKER = "worker"


@tokens.command("create")
def create(
    name: str,
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.OPERATOR,
    project: Annotated[str | None, typer.Option(help="What it is good for; none: all projects.")] = None,
    user: Annotated[str | None, typer.Option(help="Name of its user; it never may more than the user.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token. It is shown this once."""
    from app.commands.client import connect
    from app.commands.users import id_of

    client = connect()
    body = {"name": name, "role": role.value, "project": project, "user_id": id_of(client, user) if user else None}
    made = client.call("POST", "/tokens", body, key=str(uuid.uuid4()))
    print_json(made) if as_json else typer.echo(made["token"])


@tokens.command("list")
def show(as_json: AsJson = False) -> None:
    """List the tokens, without their secrets."""
    from app.commands.client import connect

    found = connect().call("GET", "/tokens")
    rows = found["items"] if isinstance(found, dict) else found
    if as_json:
        print_json(rows)
        return
    listing = table("id", "name", "role", "project", "user", "made", "last used")
    for row in rows:
        used = ago(row.get("last_used_at")) or "never"
        where, whose = row["project"] or "all", plain(row["user"] or "")
        listing.add_row(row["id"], plain(row["name"]), row["role"], where, whose, ago(row.get("created_at")), used)
    console().print(listing)


@tokens.command("revoke")
def revoke(token_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """End a token at once."""
    from app.commands.client import connect

    connect().call("DELETE", f"/tokens/{token_id}")
    typer.echo("revoked")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(tokens, name="tokens")
