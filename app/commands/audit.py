"""`headrace audit`: who changed what."""

import json
from typing import Annotated, Any

import typer

from app.commands.output import ago, console, plain, print_json, table
from app.commands.stack import AsJson


def audit(
    actor: Annotated[str | None, typer.Option(help="Name of the token or user.")] = None,
    action: Annotated[list[str] | None, typer.Option(help="Any of these: run.launch, token.revoke, ...")] = None,
    target: Annotated[str | None, typer.Option(help="Id of what was changed.")] = None,
    since: Annotated[str | None, typer.Option(help="ISO time with its zone: 2026-11-23T00:00:00Z.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """Show who changed what through the API, the newest first. Needs a token with the role admin."""
    from app.commands.client import connect

    found = connect().items("/audit", limit, actor=actor, action=action or None, target=target, since=since)
    if as_json:
        print_json(list(found))
        return
    listing = table("when", "who", "action", "target", "change")
    for row in found:
        listing.add_row(ago(row["time"]), plain(row["actor"]), row["action"], plain(row["target"]), plain(_change(row)))
    if listing.row_count:
        console().print(listing)
    else:
        typer.echo("no change fits", err=True)


def _change(row: dict[str, Any]) -> str:
    """`before -> after`, only fields that differ where there are both."""
    before, after = row["before"] or {}, row["after"] or {}
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    parts = []
    for key in keys:
        was, now = (json.dumps(side[key], ensure_ascii=False) if key in side else "" for side in (before, after))
        parts.append(f"{key} {was} -> {now}" if was and now else f"{key} {was or now}")
    return ", ".join(parts)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("audit")(audit)
